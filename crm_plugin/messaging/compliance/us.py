"""The United States: CAN-SPAM for e-mail, TCPA for text messages."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Final

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.compliance.packs import NightBan, Pack

UNITED_STATES: Final = Pack(
    code="US",
    countries=frozenset({"US", "PR", "GU", "VI", "AS", "MP"}),
    text_names_sender=True,
    stop_word="STOP",
    mail_names_sender=True,
    night_ban=NightBan(begins=time(21), ends=time(8), channels=frozenset({ChannelKind.SMS}), night_consent_lifts=False),
    withdrawn_within=timedelta(days=14),  # ten business days
    sources={
        "text_names_sender": "47 CFR 64.1200(d)(4)",
        "stop_word": "47 CFR 64.1200(a)(10)",
        "mail_names_sender": "15 USC 7704(a)(5): a valid physical postal address",
        "night_ban": "47 CFR 64.1200(c)(1)",
        "withdrawn_within": "15 USC 7704(a)(4) and 47 CFR 64.1200(a)(10): ten business days",
    },
)
