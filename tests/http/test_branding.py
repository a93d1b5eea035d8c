"""The merchant's colours are readable, whatever they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_plugin.http import branding
from crm_plugin.http.branding import colors, contrast

COLORS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#767676", "#ffffff", 4.54), ("#ff0000", "#ffffff", 4.0)],
)
def test_contrast_is_that_of_the_guidelines(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(ratio, abs=0.01)


@given(COLORS)
def test_text_on_a_button_and_controls_stand_out(color: str) -> None:
    for paper, ink in (
        (branding.LIGHT_PAPER, branding.LIGHT_INK),
        (branding.DARK_PAPER, branding.DARK_INK),
    ):
        found = colors(color, paper=paper, ink=ink)

        assert contrast(found.fill, found.text) >= 4.5
        assert contrast(found.accent, paper) >= branding.CONTROL_CONTRAST


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kept", "used"), [("#1A7F5A", "#1a7f5a"), ("", branding.LIGHT_INK), ("red;}body{", branding.LIGHT_INK)]
)
def test_a_colour_that_is_none_is_not_written_into_the_page(us, kept: str, used: str) -> None:
    us.brand_color = kept[:7]
    us.save()

    assert branding.brand().light.fill == used
