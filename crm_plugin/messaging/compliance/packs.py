"""A pack: the rules of one jurisdiction, as data. Each rule names its source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import time, timedelta
from typing import Final

from crm_plugin.contacts import ChannelKind


@dataclass(frozen=True, slots=True, kw_only=True)
class NightBan:
    """Hours in which advertisements are forbidden, by the clocks of the person.

    Attributes:
        begins, ends: times of day; the stretch may cross midnight.
        channels: those that it holds for.
        night_consent_lifts: whether a consent of its own for the night lifts it.
    """

    begins: time
    ends: time
    channels: frozenset[ChannelKind]
    night_consent_lifts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftOptIn:
    """A purchase may stand for consent to advertise the shop's own similar goods.

    ``lasts``: how long after the purchase; None: until the person objects.
    """

    channels: frozenset[ChannelKind]
    lasts: timedelta | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """The rules of one jurisdiction.

    Attributes:
        countries: ISO 3166.
        ad_label: what an advertisement begins with; empty: nothing.
        banned_label: matches the label in forms that are not allowed, and the label itself.
        text_names_sender: whether the text of an SMS or LMS says who sends it.
        refusal_forms: forms of message whose text ends with a free telephone number to refuse by.
        stop_word: what text messages invite to answer to end them; empty: nothing.
        link_forms: forms whose text ends with a link to refuse by, where there is neither number nor word.
        mail_names_sender: whether an e-mail shows name and postal address of the sender.
        mail_says_why: whether an e-mail says on which consent it is sent.
        night_ban: None: none.
        result_notice: within which time a person is told the result of a consent or its withdrawal; None: not told.
        reconfirm_after: after which time a person is reminded of a consent; None: never.
        soft_opt_in: None: there is none.
        withdrawn_within: how long the law allows for honouring a withdrawal. It is honoured at once, everywhere.
        sources: rule by rule, where it is written.
    """

    code: str
    countries: frozenset[str]
    ad_label: str = ""
    banned_label: re.Pattern[str] | None = None
    text_names_sender: bool = False
    refusal_forms: frozenset[str] = frozenset()
    stop_word: str = ""
    link_forms: frozenset[str] = frozenset()
    mail_names_sender: bool = False
    mail_says_why: bool = False
    night_ban: NightBan | None = None
    result_notice: timedelta | None = None
    reconfirm_after: timedelta | None = None
    soft_opt_in: SoftOptIn | None = None
    withdrawn_within: timedelta | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def rules(self) -> Iterator[str]:
        """Walk over the names of the rules that hold here."""
        return (one.name for one in fields(self) if one.name not in _NO_RULES and _is_set(getattr(self, one.name)))


_NO_RULES: Final = frozenset({"code", "countries", "sources"})


def _is_set(value: object) -> bool:
    return value is not None and value is not False and value not in ("", frozenset())
