"""Waves: something happened to products, and it concerns everybody who is interested in them.

Here is what all kinds of waves have in common: what counts as interest, who can be told at all, and how a wave begins.
``drops``, ``restocks`` and ``vouchers`` have the rule of their kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from crm_plugin import clock
from crm_plugin.activity.models import Wave, WaveKind


class Source(StrEnum):
    """A kind of interest."""

    LIKED = "liked"
    CARTED = "carted"
    CHECKOUT = "checkout"
    VIEWED = "viewed"
    WAITING = "waiting"  #: no interest: asked to be told when it can be bought again


#: What people do that shows interest; who waits has asked for it in so many words.
INTERESTS: Final = (Source.LIKED, Source.CARTED, Source.CHECKOUT, Source.VIEWED)


@dataclass(frozen=True, slots=True, kw_only=True)
class InterestRule:
    """What counts as interest in a product: of these kinds, so lately, without a purchase since."""

    sources: frozenset[Source] = frozenset(INTERESTS)
    lookback_days: int = 60
    min_views: int = 2


@dataclass(frozen=True, slots=True)
class Select:
    """A SELECT of (contact_id, items) that another room puts into its own statement."""

    sql: str
    params: Mapping[str, Any]


#: A like stands until it is taken back; the other kinds of interest fade.
IS_INTERESTED: Final = """(
    (%(liked)s AND i.liked_at IS NOT NULL)
    OR (i.last_interest_at >= %(lookback)s AND (
        (%(carted)s AND i.carted_at IS NOT NULL) OR (%(checkout)s AND i.checkout_at IS NOT NULL)
        OR (%(viewed)s AND i.views_count >= %(min_views)s)))
) AND (i.bought_at IS NULL OR i.bought_at < i.last_interest_at)"""

#: Visitors who never said who they are cannot be told.
CAN_BE_TOLD: Final = """JOIN crm_plugin_contact c
    ON c.id = h.contact_id AND (c.customer_id IS NOT NULL OR c.email IS NOT NULL)"""


def interest_params(rule: InterestRule) -> dict[str, Any]:
    """Return the parameters of ``IS_INTERESTED``."""
    return {
        **{source.value: source in rule.sources for source in INTERESTS},
        "lookback": clock.now() - timedelta(days=rule.lookback_days),
        "min_views": rule.min_views,
    }


def begin(kind: WaveKind) -> Wave:
    """Write a new wave of this moment."""
    return Wave.objects.create(kind=kind, occurred_at=clock.now())


def kind_of(wave: int) -> WaveKind | None:
    """Return what happened in a wave; None when there is no such wave."""
    kind = Wave.objects.filter(pk=wave).values_list("kind", flat=True).first()
    return None if kind is None else WaveKind(kind)
