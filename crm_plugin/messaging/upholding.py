"""What people are told about their consents, and when consents end or wait to be recalled.

Three duties, each bounded and set-wise: the result of what a person said (Korean network act, article 50(7): within 14
days; here with the next look), the link of a double opt-in, and every two years a reminder (article 50(8)). They are no
advertisements: neither consent nor frequency stops them, a suppressed address does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers
from django.core.cache import cache as shared_cache

from crm_plugin import clock, contacts, ids, merchant, shop
from crm_plugin.contacts import CONFIRM_WITHIN, ChannelKind, OldConsent, Purchase, Purpose, Reach, Residents, ToTell
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.compliance import PACKS, Pack, SoftOptIn, pack_in, pack_of
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.models import Message
from crm_plugin.messaging.notices import Notice, enqueue_notices

CONFIRM: Final = "confirm"
#: How notices reach people: by the first of them at which there is an address.
CARRIERS: Final = (ChannelKind.EMAIL, ChannelKind.SMS)
#: When nothing was old enough to be recalled, nothing is looked for so long: the oldest are those of other countries.
LOOK_AGAIN_SECONDS: Final = 3_600

_CHANNELS: Final[Mapping[str, tuple[str, str]]] = {
    ChannelKind.EMAIL: ("e-mail", "이메일"),
    ChannelKind.SMS: ("text message", "문자메시지"),
    ChannelKind.KAKAO: ("KakaoTalk", "카카오톡"),
    ChannelKind.WEB_PUSH: ("browser notification", "웹 푸시"),
    ChannelKind.APP_PUSH: ("app notification", "앱 푸시"),
    ChannelKind.INBOX: ("notes in the shop", "쇼핑몰 알림함"),
}
_WHAT: Final = {
    (Purpose.MARKETING, True): ("you agreed to advertisements by {}", "{} 광고성 정보 수신 동의"),
    (Purpose.MARKETING, False): ("you refused advertisements by {}", "{} 광고성 정보 수신 거부(동의 철회)"),
    (Purpose.NIGHT, True): ("you agreed to advertisements by {} at night", "{} 야간(21시~8시) 광고성 정보 수신 동의"),
    (Purpose.NIGHT, False): (
        "you refused advertisements by {} at night",
        "{} 야간(21시~8시) 광고성 정보 수신 거부(동의 철회)",
    ),
}


def uphold_consents(limit: int) -> int:
    """End consents whose time is over, tell people what became of what they said, and remind them; return how many.

    Must run in a transaction. Two workers at once tell nobody twice.

    Args:
        limit: how many of each are looked at, at most.
    """
    return contacts.expire_consents(limit) + _tell(limit) + _remind(limit)


def consents_by_purchase(bought: Mapping[int, datetime]) -> int:
    """Let purchases stand for consent where the law of the buyer's country has a soft opt-in; return how many changed.

    Only where the merchant wants it (``is_soft_opt_in``) and the person has not answered on the channel themselves.
    The number of statements is a constant. Must run in a transaction.

    Args:
        bought: when each contact bought last.
    """
    us = merchant.load() if bought else None
    if us is None or not us.is_soft_opt_in:
        return 0
    columns = ("pk", "email", "phone", "country", "language")
    people = contacts.rows_of(bought).filter(erased_at=None).values_list(*columns)
    return contacts.grant_by_purchase([
        Purchase(
            contact_id=pk,
            channel=channel,
            bought_at=bought[pk],
            expires_at=None if rule.lasts is None else bought[pk] + rule.lasts,
        )
        for pk, email, phone, country, language in people
        if (rule := _soft_opt_in(country or contacts.country_of_phone(phone), language, us)) is not None
        for channel, address in ((ChannelKind.EMAIL, email), (ChannelKind.SMS, phone))
        if address and channel in rule.channels
    ])  # fmt: skip


def _soft_opt_in(country: str, language: str, us: Merchant) -> SoftOptIn | None:
    return pack_in(country, us, language=language or us.default_language).soft_opt_in


def read_confirmation(token: str) -> int | None:
    """Return the line of the consent log that the link of a double opt-in stands for; None when it was forged."""
    value = ids.unsign(CONFIRM, token) if len(token) <= 100 else None
    return int(value) if value and value.isdecimal() else None


def confirmation_path(event_id: int) -> str:
    """Return the path of the page that confirms, below the public url."""
    return f"confirm/{ids.sign(CONFIRM, str(event_id))}/"


def told_at(contact_id: int) -> Mapping[int, datetime]:
    """Return when the person was told the result of lines of the consent log, by the line."""
    rows = Message.objects.filter(contact_id=contact_id, occasion__startswith="consent:", finished_at__isnull=False)
    found: dict[int, datetime] = {}
    for data, at in rows.filter(state="sent").order_by("finished_at").values_list("data", "finished_at"):
        found.update(dict.fromkeys(data.get("events", ()), at))
    return found


def _law_of(reach: Reach, us: Merchant) -> Pack:
    return pack_of(reach, us, language=reach.language or us.default_language)


def _tell(limit: int) -> int:
    lines = contacts.claim_consent_notices(limit)
    if not lines:
        return 0
    us, by_channel = merchant.load(), _reaches({line.contact_id for line in lines})
    notices = [
        *_confirmations([line for line in lines if line.purpose == Purpose.CONFIRMATION]),
        *_results([line for line in lines if (Purpose(line.purpose), line.is_granted) in _WHAT], us, by_channel),
    ]
    enqueue_notices(notices)
    return len(lines)


def _reaches(contact_ids: Collection[int]) -> Mapping[ChannelKind, Mapping[int, Reach]]:
    return {channel: contacts.reach(contact_ids, channel=channel) for channel in CARRIERS}


def _confirmations(lines: Sequence[ToTell]) -> list[Notice]:
    if not lines:
        return []
    base, zone = shop.current().operator().public_url, merchant.zone()
    return [
        Notice(
            occasion=f"confirm:{line.event_id}",
            contact_id=line.contact_id,
            channel=ChannelKind.EMAIL if line.channel == ChannelKind.EMAIL else ChannelKind.SMS,
            name="double_opt_in",
            data={
                "url": base + confirmation_path(line.event_id),
                "date": _date(line.occurred_at, zone),
                "days": CONFIRM_WITHIN.days,
            },
        )
        for line in lines
    ]


def _results(
    lines: Iterable[ToTell], us: Merchant, by_channel: Mapping[ChannelKind, Mapping[int, Reach]]
) -> list[Notice]:
    """Return one notice for each person, about all that they said since the last look."""
    of_people: defaultdict[int, list[ToTell]] = defaultdict(list)
    for line in lines:
        of_people[line.contact_id].append(line)
    notices, zone = [], merchant.zone()
    for contact_id, mine in of_people.items():
        reach = by_channel[ChannelKind.EMAIL].get(contact_id)
        carrier = _carrier(contact_id, by_channel)
        if reach is None or carrier is None or _law_of(reach, us).result_notice is None:
            continue
        said = [(_WHAT[Purpose(line.purpose), line.is_granted], line.channel, line.occurred_at) for line in mine]
        events = [line.event_id for line in mine]
        notices.append(
            Notice(
                occasion=f"consent:{events[-1]}",
                contact_id=contact_id,
                channel=carrier,
                name="consent_result",
                data={"events": events, **_lines(said, zone)},
            )
        )
    return notices


def _carrier(contact_id: int, by_channel: Mapping[ChannelKind, Mapping[int, Reach]]) -> ChannelKind | None:
    """Return the channel that a notice goes by: one that is not blocked, else one that is; None: there is none."""
    reaches = [(channel, by_channel[channel].get(contact_id)) for channel in CARRIERS]
    reachable = [(channel, reach) for channel, reach in reaches if reach is not None and reach.address]
    free = [channel for channel, reach in reachable if reach.suppressed_for is None]
    return next(iter([*free, *(channel for channel, _ in reachable)]), None)


def _remind(limit: int) -> int:
    return sum(_remind_by(pack, limit) for pack in PACKS if pack.reconfirm_after is not None)


def _remind_by(pack: Pack, limit: int) -> int:
    key = f"crm:reconfirm:{pack.code}"
    if pack.reconfirm_after is None or shared_cache.get(key):
        return 0
    us, before = merchant.load(), clock.now() - pack.reconfirm_after
    among = _residents(pack, us)
    old: list[OldConsent] = []
    for channel in ChannelKind:
        old += contacts.old_consents(channel=channel, before=before, among=among, limit=limit - len(old))
        if len(old) >= limit:
            break
    if not old:
        shared_cache.set(key, 1, timeout=LOOK_AGAIN_SECONDS)
        return 0
    enqueue_notices(_reminders(old))
    contacts.mark_reminded([one.consent_id for one in old])
    return len(old)


def _reminders(old: Sequence[OldConsent]) -> list[Notice]:
    by_channel, zone = _reaches({one.contact_id for one in old}), merchant.zone()
    of_people: defaultdict[int, list[OldConsent]] = defaultdict(list)
    for one in old:
        of_people[one.contact_id].append(one)
    return [
        Notice(
            occasion=f"reconfirm:{mine[0].consent_id}:{mine[0].seen_at:%Y%m%d}",
            contact_id=contact_id,
            channel=carrier,
            name="reconfirm",
            data=_lines([(_WHAT[Purpose.MARKETING, True], one.channel, one.granted_at) for one in mine], zone),
        )
        for contact_id, mine in of_people.items()
        if (carrier := _carrier(contact_id, by_channel)) is not None
    ]


def _residents(pack: Pack, us: Merchant) -> Residents:
    """Return whose law the pack is, as ``pack_of`` judges it, in a form that a query can ask."""
    has_language = pack_in("", us, language="ko") is pack
    return Residents(
        countries=pack.countries,
        calling_codes=_calling_codes(pack.countries),
        language="ko" if has_language else "",
        with_unknown_country=us.country in pack.countries,
        with_unknown_language=has_language and is_korean(us.default_language),
    )


@cache
def _calling_codes(countries: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted({f"+{phonenumbers.country_code_for_region(country)}" for country in countries}))


def _lines(said: Sequence[tuple[tuple[str, str], str, datetime]], zone: ZoneInfo) -> dict[str, Any]:
    """Return what happened in words, one line each, in both languages."""
    made: dict[str, Any] = {"lines_en": [], "lines_ko": []}
    for (english, korean), channel, at in said:
        names = _CHANNELS[channel]
        made["lines_en"].append(f"{_date(at, zone)}: {english.format(names[0])}")
        made["lines_ko"].append(f"{_date(at, zone)} {korean.format(names[1])}")
    return made


def _date(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).date().isoformat()
