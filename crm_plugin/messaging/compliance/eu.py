"""The European Economic Area and the United Kingdom: GDPR and ePrivacy (PECR in the United Kingdom)."""

from __future__ import annotations

from typing import Final

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.compliance.packs import Pack, SoftOptIn
from crm_plugin.messaging.models import MessageForm

COUNTRIES: Final = frozenset({
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT",
    "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "GB",
})  # fmt: skip
EUROPE: Final = Pack(
    code="EU",
    countries=COUNTRIES,
    text_names_sender=True,
    link_forms=frozenset({MessageForm.SMS, MessageForm.LMS}),
    mail_names_sender=True,
    soft_opt_in=SoftOptIn(channels=frozenset({ChannelKind.EMAIL, ChannelKind.SMS}), lasts=None),
    sources={
        "text_names_sender": "directive 2002/58/EC, article 13(4): the sender is not concealed",
        "link_forms": "directive 2002/58/EC, article 13(2) and (4): a way to object in each message",
        "mail_names_sender": "directive 2000/31/EC, articles 5(1) and 6(b)",
        "soft_opt_in": "directive 2002/58/EC, article 13(2)",
    },
)
