"""What a page shows beside its rows, read in one query for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import QuerySet
from promise import Promise
from promise.dataloader import DataLoader

from crm_plugin import activity, audience, automations, contacts, coupons, messaging, reviews, shop
from crm_plugin.audience import AudienceRule, Member, Segment
from crm_plugin.automations import Campaign
from crm_plugin.contacts import Contact
from crm_plugin.coupons import CouponTemplate
from crm_plugin.graphql.access import reads
from crm_plugin.graphql.pagination import Window, key_bounds
from crm_plugin.graphql.prices import GONE, prices_then, standings
from crm_plugin.graphql.rules import language_of
from crm_plugin.shop import Like

K = TypeVar("K")

_ATTRIBUTE = "crm_loaders"


@dataclass(frozen=True, slots=True)
class Rule:
    """A saved rule, to be told in a language; None: the merchant's own."""

    version_id: int
    language: str | None
    definition: Any = field(compare=False)


class Loaders:
    """The loaders of one request."""

    def __init__(self) -> None:
        self.campaign = _loader(_campaigns)
        self.consents = _loader(contacts.consent_states, default=())
        self.contact = _loader(_contacts)
        self.coupon_counts = _loader(coupons.counts)
        self.coupon_template = _loader(_coupon_templates)
        self.in_flight = _loader(automations.in_flight, default=0)
        self.inflow = _loader(activity.inflows)
        self.json_ld = _loader(_json_ld)
        self.likes = _loader(_likes, default=())
        self.low_pool = _loader(_low_pools, default=False)
        self.members = _loader(_members, default=())
        self.price_then = _loader(prices_then)
        self.score = _loader(audience.scores_of)
        self.segment = _loader(_segments)
        self.segments = _loader(audience.segments_of, default=())
        self.sentence = _loader(_sentences)
        self.spends = _loader(_spends, default=())
        self.standing = _loader(standings, default=GONE)
        self.statistics = _loader(automations.statistics)
        self.step_ids = _loader(automations.step_ids, default=())
        self.tries = _loader(messaging.siblings, default=())


def loaders(info: Any) -> Loaders:
    """Return the loaders of the request that ``info`` belongs to."""
    found = getattr(info.context, _ATTRIBUTE, None)
    if not isinstance(found, Loaders):
        found = Loaders()
        setattr(info.context, _ATTRIBUTE, found)
    return found


def beside(loader: str, key: str = "pk") -> Callable[[Any, Any], Any]:
    """Return a resolver of what is shown beside a row, found by a column of the row; null where that is empty."""

    def resolve(row: Any, info: Any) -> Any:
        found = getattr(row, key)
        return None if found is None else getattr(loaders(info), loader).load(found)

    return resolve


def forget(info: Any) -> None:
    """Let the request read again: a mutation may have changed what was loaded before it."""
    if hasattr(info.context, _ATTRIBUTE):
        delattr(info.context, _ATTRIBUTE)


def _loader(read: Callable[[Sequence[K]], Mapping[K, Any]], *, default: Any = None) -> DataLoader:
    def load(keys: Sequence[K]) -> Promise:
        found = reads(read)(keys)
        return Promise.resolve([found.get(key, default) for key in keys])

    return DataLoader(load)


def _campaigns(ids: Sequence[int]) -> dict[int, Campaign]:
    return {row.pk: row for row in automations.campaigns().filter(pk__in=ids)}


def _contacts(ids: Sequence[int]) -> dict[int, Contact]:
    return {row.pk: row for row in contacts.rows_of(ids)}


def _likes(customer_ids: Sequence[str]) -> dict[str, Sequence[Like]]:
    return {customer_id: shop.current().likes(customer_id) for customer_id in customer_ids}


def _coupon_templates(ids: Sequence[int]) -> dict[int, CouponTemplate]:
    return {row.pk: row for row in coupons.templates().filter(pk__in=ids)}


def _low_pools(ids: Sequence[int]) -> dict[int, bool]:
    return dict.fromkeys(coupons.low(ids), True)


def _spends(ids: Sequence[int]) -> dict[int, list[Any]]:
    rows = contacts.rows_of(ids).only("id").prefetch_related("spends")
    return {row.pk: sorted(row.spends.all(), key=lambda spend: spend.currency) for row in rows}


def _json_ld(keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], str]:
    """Return what search engines read of products, each named with a channel and a language."""
    found: dict[tuple[str, str, str], str] = {}
    for channel, language in {(channel, language) for _product_id, channel, language in keys}:
        asked = [product_id for product_id, *shown in keys if shown == [channel, language]]
        texts = reviews.json_ld(asked, shop_channel=channel, language=language)
        found |= {(product_id, channel, language): text for product_id, text in texts.items()}
    return found


def _segments(ids: Sequence[int]) -> dict[int, Segment]:
    return {row.pk: row for row in audience.segments().filter(pk__in=ids)}


def _sentences(rules: Sequence[Rule]) -> dict[Rule, str]:
    found: dict[Rule, str] = {}
    for language in {rule.language for rule in rules}:
        told = [rule for rule in rules if rule.language == language]
        parsed = [AudienceRule.model_validate(rule.definition) for rule in told]
        found.update(zip(told, audience.describe_all(parsed, language_of(language)), strict=True))
    return found


def _members(keys: Sequence[tuple[int, Window]]) -> dict[tuple[int, Window], list[Member]]:
    """Return the page of members of each segment, and one more, in two queries however many segments ask for theirs."""
    found: dict[tuple[int, Window], list[Member]] = {key: [] for key in keys}
    for window in {window for _pk, window in keys}:
        pages = [_members_of(pk, window) for pk, asked in found if asked == window]
        for member in pages[0].union(*pages[1:], all=True) if len(pages) > 1 else pages[0]:
            found[member.segment_id, window].append(member)
    people = _contacts([member.contact_id for members in found.values() for member in members])
    for (_pk, window), members in found.items():
        members.sort(key=lambda member: member.contact_id, reverse=not window.is_backward)
        for member in members:
            member.contact = people[member.contact_id]
    return found


def _members_of(pk: int, window: Window) -> QuerySet[Member]:
    above, below = key_bounds(window)
    order = "contact_id" if window.is_backward else "-contact_id"
    rows = audience.members(pk).filter(contact_id__gt=above, contact_id__lt=below)
    return rows.order_by(order)[: window.size + 1]
