"""What a mail ends with: the ways to the brand elsewhere, and the small print."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm_plugin.messaging.contents.addresses import LinkUrl
from crm_plugin.messaging.contents.blocks.base import GUTTER, Block, NeededWords, Words, attribute, plain
from crm_plugin.messaging.contents.blocks.wording import said

_SMALL = f'css-class="soft" align="center" font-size="13px" line-height="20px" color="#52606d" padding="4px {GUTTER}"'


class SocialLink(BaseModel):
    """One place where the brand is found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: NeededWords
    url: LinkUrl


class SocialBlock(Block):
    """Links to where the brand is found elsewhere, in words: icons would be pictures from third parties."""

    type: Literal["social"]
    links: Annotated[list[SocialLink], Field(min_length=1, max_length=10)]

    def sections(self, language: str) -> str:
        """Return one line of links."""
        links = " &nbsp;·&nbsp; ".join(
            f'<a href="{attribute(one.url)}" style="color:#52606d">{plain(one.name)}</a>' for one in self.links
        )
        return f'<mj-section padding="12px 0 0"><mj-column><mj-text {_SMALL}>{links}</mj-text></mj-column></mj-section>'

    def liquid(self) -> Iterator[tuple[str, str]]:
        """Walk over names and addresses."""
        for at, one in enumerate(self.links):
            yield f"links.{at}.name", one.name
            yield f"links.{at}.url", one.url


class FooterBlock(Block):
    """The small print: everything that the law asks of an advertisement (features part 5), and the brand's footer.

    Who sends it and how to reach them, why the reader gets it, how to stop it, how to choose what comes.
    """

    type: Literal["footer"]
    text: Words = ""
    unsubscribe_label: Words = ""
    preferences_label: Words = ""

    def sections(self, language: str) -> str:
        """Return the small print."""
        out = plain(self.unsubscribe_label or said("unsubscribe", language))
        choose = plain(self.preferences_label or said("preferences", language))
        own = f"<mj-text {_SMALL}>{plain(self.text)}</mj-text>" if self.text else ""
        return (
            '<mj-section padding="20px 0 32px"><mj-column>'
            f"{own}"
            f'{{% if brand.footer != "" %}}<mj-text {_SMALL}>{{{{ brand.footer }}}}</mj-text>{{% endif %}}'
            f'{{% if consent_text != "" %}}<mj-text {_SMALL}>{{{{ consent_text }}}}</mj-text>{{% endif %}}'
            f'<mj-text {_SMALL}><a href="{{{{ unsubscribe_url }}}}" style="color:#52606d">{out}</a> &nbsp;·&nbsp; '
            f'<a href="{{{{ preferences_url }}}}" style="color:#52606d">{choose}</a></mj-text>'
            f"<mj-text {_SMALL}>{{{{ sender.name }}}}<br />{{{{ sender.postal_address }}}}</mj-text>"
            "</mj-column></mj-section>"
        )
