"""What a finished message is marked with: the label of an advertisement, who sends it, and how to refuse it.

Nothing is ever said twice: what a merchant wrote into the text themselves is taken out, or left as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from liquid import Markup

from crm_plugin.messaging.compliance.packs import Pack
from crm_plugin.messaging.languages import is_korean
from crm_plugin.messaging.models import MessageForm

_KOREAN_REFUSAL: Final = "무료거부"
#: "무료 수신거부: 080-…", however it was written, at the end of a text.
_REFUSAL: Final = r"\s*무료\s*(?:수신\s*)?거부\s*:?\s*{number}\s*$"
_STOP: Final = r"\b(?:reply|text|send)\b[^.\n]{{0,20}}\b{word}\b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the law adds to one message.

    Attributes:
        pack: the rules of the reader's jurisdiction.
        language: what the message is written in.
        is_marketing: nothing is added to what is no advertisement.
        sender_name: the merchant.
        refusal_number: by which text messages are refused free of charge.
        unsubscribe_url: the way out of this message; empty for what is no advertisement.
        short_url: the same in few characters, for text messages; empty where there is none.
        postal_address: of the merchant.
        consent_text: why the reader gets it.
    """

    pack: Pack
    language: str
    is_marketing: bool
    sender_name: str
    refusal_number: str
    unsubscribe_url: str
    short_url: str = ""
    postal_address: str = ""
    consent_text: str = ""

    def labelled(self, text: str) -> str:
        """Return one line of text with the label in front, exactly once, where it is due."""
        line = " ".join(text.split())
        if not self.is_marketing or not self.pack.ad_label:
            return line
        bare = self.pack.banned_label.sub(" ", line) if self.pack.banned_label else line
        return f"{self.pack.ad_label} {' '.join(bare.split())}"

    def text_message(self, text: str, *, form: str) -> str:
        """Return the text of an SMS, LMS or Brand Message: label and sender in front, how to refuse it at the end.

        The label of an LMS stands in its title (``labelled``), that of a Brand Message is set by its ad flag, left of
        the profile's name: neither has it in the text as well.
        """
        if not self.is_marketing:
            return text
        bare = self._bare(text.strip())
        way_out = self._way_out(bare, form=form)
        if way_out and self.refusal_number and way_out.endswith(self.refusal_number):
            bare = re.sub(_REFUSAL.format(number=re.escape(self.refusal_number)), "", bare)
        begun = f"{self.pack.ad_label if form == MessageForm.SMS else ''}{self._introduced(bare, form=form)}"
        return f"{begun}\n{way_out}" if way_out else begun

    def mail(self, *, text: str, html: str) -> tuple[str, str]:
        """Return the plain text and the HTML of an e-mail; where they lack what the pack asks for, it is at the end.

        Args:
            text: the rendered plain text.
            html: the rendered HTML.
        """
        if not self.is_marketing:
            return text, html
        plain = [line for line in self._due_lines() if line not in text]
        shown = [line for line in map(Markup.escape, self._due_lines()) if line not in html]
        text = "\n".join([text.rstrip(), "", *plain]) + "\n" if plain else text
        if shown:
            block = f'<p style="font-size:12px;text-align:center">{"<br>".join(shown)}</p>'
            before, end, after = html.rpartition("</body>")
            html = f"{before}{block}{end}{after}" if end else html + block
        return text, html

    def _due_lines(self) -> list[str]:
        lines = [self.sender_name, self.postal_address] if self.pack.mail_names_sender else []
        return [line for line in (*lines, self.consent_text if self.pack.mail_says_why else "") if line]

    def _bare(self, text: str) -> str:
        """Return the text without a label in front; one further on is part of what it says."""
        found = self.pack.banned_label.match(text) if self.pack.banned_label else None
        return text[found.end() :] if found else text

    def _introduced(self, text: str, *, form: str) -> str:
        """Return the text after the name of the sender; a Kakao profile shows whose message it is."""
        if form == MessageForm.BRAND_MESSAGE or not self.pack.text_names_sender or not self.sender_name:
            return text
        if text.startswith(self.sender_name):
            return text
        between = " " if self.pack.ad_label else ": "
        return f"{self.sender_name}{between}{text}"

    def _way_out(self, text: str, *, form: str) -> str:
        """Return how to refuse, in one line; empty when the text says so already, or nothing is asked for."""
        if form in self.pack.refusal_forms and self.refusal_number:
            return f"{_KOREAN_REFUSAL} {self.refusal_number}"
        if self.pack.stop_word:
            said = re.search(_STOP.format(word=self.pack.stop_word), text, re.IGNORECASE)
            return "" if said else f"Reply {self.pack.stop_word} to opt out"
        if form not in self.pack.link_forms or not self.short_url or self._links_out(text):
            return ""
        if self.pack.refusal_forms or is_korean(self.language):
            return f"{_KOREAN_REFUSAL} {self.short_url}"
        return f"Opt out: {self.short_url}"

    def _links_out(self, text: str) -> bool:
        return self.short_url in text or bool(self.unsubscribe_url and self.unsubscribe_url in text)
