"""Text messages: SMS and LMS, each through the provider that the operator chose for the recipient's country."""

from __future__ import annotations

from collections.abc import Sequence

from crm_plugin import contacts
from crm_plugin.conf import settings
from crm_plugin.messaging.channels import AdLabel, Capabilities, Envelope, Receipt
from crm_plugin.messaging.contents.limits import KOREAN_BYTES, KOREAN_ENCODING
from crm_plugin.messaging.models import MessageForm
from crm_plugin.messaging.providers.exchange import Exchange

#: The country of ``sms_providers`` that stands for all others.
ELSEWHERE = "*"


class SmsChannel:
    """Hands out to the providers of ``CRM_SMS_PROVIDERS``."""

    capabilities = Capabilities(
        has_title=True,
        max_bytes=KOREAN_BYTES,
        encoding=KOREAN_ENCODING,
        ad_label={MessageForm.SMS: AdLabel.BODY, MessageForm.LMS: AdLabel.TITLE},
        has_receipts=True,
    )

    def __init__(self) -> None:
        self._by_country = dict(entry.split("=", 1) for entry in settings().sms_providers)
        self._exchange = Exchange(self._by_country.values(), setting="CRM_SMS_PROVIDERS")
        self.batch_size = self._exchange.batch_size
        self.has_idempotency_key = self._exchange.has_idempotency_key

    def open(self) -> None:
        """Make sure that a provider can be used."""
        self._exchange.open()

    def hand_out(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Hand each message to the provider of its recipient's country."""
        return self._exchange.hand_out(envelopes, self._choose)

    def close(self) -> None:
        """Give the connections up."""
        self._exchange.close()

    def _choose(self, envelope: Envelope) -> str:
        country = contacts.country_of_phone(envelope.recipient)
        return self._by_country.get(country) or self._by_country.get(ELSEWHERE, "")
