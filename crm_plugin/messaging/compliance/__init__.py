"""What the law of the reader's country adds to a message, and when it forbids one. Data and code with their sources.

``pack_of`` says whose law holds for a person; a ``Pack`` holds its rules; a ``Stamp`` is what a finished message is
marked with. A new jurisdiction is one file beside the others and one entry of ``PACKS``.
"""

from crm_plugin.messaging.compliance.eu import EUROPE
from crm_plugin.messaging.compliance.jurisdictions import ELSEWHERE, PACKS, pack_in, pack_of
from crm_plugin.messaging.compliance.kr import KOREA
from crm_plugin.messaging.compliance.packs import NightBan, Pack, SoftOptIn
from crm_plugin.messaging.compliance.stamp import Stamp
from crm_plugin.messaging.compliance.us import UNITED_STATES

__all__ = [
    "ELSEWHERE",
    "EUROPE",
    "KOREA",
    "PACKS",
    "UNITED_STATES",
    "NightBan",
    "Pack",
    "SoftOptIn",
    "Stamp",
    "pack_in",
    "pack_of",
]
