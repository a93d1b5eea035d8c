"""MJML for experts, between the other blocks."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from crm_plugin.messaging.contents.blocks.base import Block


class RawBlock(Block):
    """MJML sections as they are: ``<mj-section>…</mj-section>``."""

    type: Literal["mjml"]
    mjml: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50_000)]

    def sections(self, language: str) -> str:
        """Return the MJML as it was written."""
        return self.mjml
