"""The story's browser reads a page as a person's browser does."""

from __future__ import annotations

import pytest

from demo.browser import Page, PageError

HTML = """
<a href="/catalogue/bowl_1/"><img src="x.jpg"></a> <a href="/catalogue/bowl_1/">Celadon  <b>bowl</b></a>
<form id="search" action="/search/"><input name="q" value=""></form>
<form id="order" action="/order/" method="post">
  <input type="hidden" name="token" value="t1"><input type="checkbox" name="gift">
  <input type="checkbox" name="eco" checked>
  <input type="file" name="picture"><input type="submit" name="go" value="Go">
  <button name="action" value="save">Save</button>
  <select name="size"><option value="s">S</option><option value="m" selected>M</option></select>
  <select name="color"><option value="red">Red</option><option value="blue">Blue</option></select>
  <textarea name="note">Two
lines</textarea>
</form>
<span class="error-block"><i></i> This field is required.</span>
"""


def test_a_form_sends_what_it_shows() -> None:
    form = Page("http://shop.test/", HTML).form("order")

    assert form.action == "/order/"
    assert form.values == [
        ("token", "t1"),
        ("eco", "on"),
        ("size", "m"),
        ("color", "red"),
        ("note", "Two\nlines"),
    ]


def test_links_are_absolute_and_have_their_text() -> None:
    page = Page("http://shop.test/catalogue/", HTML)

    assert page.link("Celadon bowl") == "http://shop.test/catalogue/bowl_1/"
    with pytest.raises(PageError, match="no link 'Tea pot'"):
        page.link("Tea pot")


def test_a_missing_form_is_told_with_what_the_page_complains_of() -> None:
    with pytest.raises(PageError, match="This field is required"):
        Page("http://shop.test/", HTML).form("login")
