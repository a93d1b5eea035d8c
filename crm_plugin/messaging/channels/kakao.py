"""KakaoTalk: Alimtalk and Brand Messages, to the telephone number by which Kakao knows a person."""

from __future__ import annotations

from collections.abc import Sequence

from crm_plugin.conf import settings
from crm_plugin.messaging.channels import AdLabel, Capabilities, Envelope, Receipt
from crm_plugin.messaging.models import MessageForm
from crm_plugin.messaging.providers.exchange import Exchange


class KakaoChannel:
    """Hands out to the provider of ``CRM_KAKAO_PROVIDER``."""

    # A Brand Message is an advertisement by its form: Kakao itself shows the label beside the name of the sender.
    capabilities = Capabilities(has_buttons=True, ad_label={MessageForm.BRAND_MESSAGE: AdLabel.FLAG}, has_receipts=True)

    def __init__(self) -> None:
        self._provider = settings().kakao_provider
        self._exchange = Exchange(filter(None, [self._provider]), setting="CRM_KAKAO_PROVIDER")
        self.batch_size = self._exchange.batch_size
        self.has_idempotency_key = self._exchange.has_idempotency_key

    def open(self) -> None:
        """Make sure that the provider can be used."""
        self._exchange.open()

    def hand_out(self, envelopes: Sequence[Envelope]) -> Sequence[Receipt]:
        """Hand the messages to the provider."""
        return self._exchange.hand_out(envelopes, lambda _envelope: self._provider)

    def close(self) -> None:
        """Give the connection up."""
        self._exchange.close()
