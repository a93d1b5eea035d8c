"""Korea: the act on promotion of information and communications network utilization (network act), article 50."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Final

from crm_plugin.contacts import ChannelKind
from crm_plugin.messaging.compliance.packs import NightBan, Pack, SoftOptIn
from crm_plugin.messaging.models import MessageForm

#: Any brackets, half width and full width, and whatever stands between and around the two letters: "(광 고)", "[광고]",
#: "( 광.고 )" and so on, the right form too. Other words in brackets are the merchant's own. Bounded, so that no text
#: takes long.
_OPEN: Final = r"(\[<{\u3010\u3014\u3008\u300a\u300c\u300e\uff08\uff3b\uff1c\uff5b"
_CLOSE: Final = r")\]>}\u3011\u3015\u3009\u300b\u300d\u300f\uff09\uff3d\uff1e\uff5d"
_NOISE: Final = r"[\s.\-_*~·ㆍ\u00ad\u200b-\u200d\u2060\ufeff]{0,20}"
_LABEL: Final = re.compile(rf"(?:{_NOISE}[{_OPEN}]{_NOISE}광{_NOISE}고{_NOISE}[{_CLOSE}])+\s*")

KOREA: Final = Pack(
    code="KR",
    countries=frozenset({"KR"}),
    ad_label="(광고)",
    banned_label=_LABEL,
    text_names_sender=True,
    refusal_forms=frozenset({MessageForm.SMS, MessageForm.LMS, MessageForm.BRAND_MESSAGE}),
    link_forms=frozenset({MessageForm.SMS, MessageForm.LMS, MessageForm.BRAND_MESSAGE}),
    mail_names_sender=True,
    mail_says_why=True,
    night_ban=NightBan(
        begins=time(21),
        ends=time(8),
        channels=frozenset(ChannelKind) - {ChannelKind.EMAIL, ChannelKind.INBOX},
        night_consent_lifts=True,
    ),
    result_notice=timedelta(days=14),
    reconfirm_after=timedelta(days=730),
    soft_opt_in=SoftOptIn(channels=frozenset({ChannelKind.EMAIL, ChannelKind.SMS}), lasts=timedelta(days=182)),
    withdrawn_within=timedelta(0),
    sources={
        "ad_label": "network act, article 50(4); enforcement decree, table 6",
        "banned_label": "network act, article 50(4); enforcement decree, table 6: no other form of the label",
        "text_names_sender": "network act, article 50(4): name and contact of the sender",
        "refusal_forms": "network act, article 50(4) and (6): refusing costs nothing",
        "link_forms": "network act, article 50(4) and (6), where the merchant has no 080 number",
        "mail_names_sender": "network act, article 50(4): name and contact of the sender",
        "mail_says_why": "enforcement decree of the network act, table 6: e-mail",
        "night_ban": "network act, article 50(3); e-mail is exempt",
        "result_notice": "network act, article 50(7)",
        "reconfirm_after": "network act, article 50(8); enforcement decree, article 62-3: every two years",
        "soft_opt_in": "network act, article 50(1) no. 1: goods of the same kind, six months from the deal",
        "withdrawn_within": "network act, article 50(2)",
    },
)
