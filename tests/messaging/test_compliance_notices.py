"""The words of the notices: there in every language and carrier, whole, and without an advertisement."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from crm_plugin.messaging import MessageClass, TemplateSource, advertises, notices
from crm_plugin.messaging.upholding import CARRIERS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

FOLDER = Path(notices.__file__).parent
NAMES = ("consent_result", "double_opt_in", "reconfirm")
#: What is about an address that somebody typed in goes there.
BY_MAIL = ("stock_request",)


@pytest.mark.parametrize(
    ("name", "channel"),
    [*((name, channel) for name in NAMES for channel in CARRIERS), *((name, "email") for name in BY_MAIL)],
)
def test_a_notice_is_written_in_english_and_korean_and_advertises_nothing(name: str, channel: str) -> None:
    """Everywhere: transactional class separate from ad."""
    words = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))[channel]
    source = TemplateSource.parse(words, channel=channel)

    assert source.contents.keys() == {"en", "ko"}
    assert source.check(message_class=MessageClass.TRANSACTIONAL).keys() == {"en", "ko"}
    assert advertises(source) == ()


def test_every_notice_is_looked_at_here() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} >= {*NAMES, *BY_MAIL}
