"""Whose law holds for a reader."""

from __future__ import annotations

from typing import Final

from crm_plugin.contacts import Reach
from crm_plugin.merchant import Merchant
from crm_plugin.messaging.compliance.eu import EUROPE
from crm_plugin.messaging.compliance.kr import KOREA
from crm_plugin.messaging.compliance.packs import Pack
from crm_plugin.messaging.compliance.us import UNITED_STATES
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.models import MessageForm

#: Where nothing more is asked for than everywhere: consent, a sender, a way out.
ELSEWHERE: Final = Pack(
    code="",
    countries=frozenset(),
    text_names_sender=True,
    link_forms=frozenset({MessageForm.SMS, MessageForm.LMS}),
    mail_names_sender=True,
    sources={
        "text_names_sender": "good practice of the market",
        "link_forms": "good practice of the market",
        "mail_names_sender": "good practice of the market",
    },
)
PACKS: Final = (KOREA, EUROPE, UNITED_STATES)
_BY_COUNTRY: Final = {country: pack for pack in PACKS for country in pack.countries}


def pack_of(reach: Reach, us: Merchant, *, language: str = "") -> Pack:
    """Return the rules for a reader: of their country, else the merchant's; Korean text always follows Korea's.

    Args:
        reach: the reader.
        us: the merchant.
        language: what the message is written in.
    """
    return pack_in(reach.country, us, language=language)


def pack_in(country: str, us: Merchant, *, language: str = "") -> Pack:
    """Return the same for somebody of whom only the country is known; empty: not even that."""
    if is_korean(language):
        return KOREA
    return _BY_COUNTRY.get(country or us.country, ELSEWHERE)
