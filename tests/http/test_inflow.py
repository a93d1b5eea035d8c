"""Where a visit came from."""

from __future__ import annotations

import pytest

from crm_plugin.http import inflow

LANDING = "https://shop.example/bowl"


def touch(query: str = "", referrer: str = "") -> dict[str, str]:
    return dict(inflow.touch(LANDING + query, referrer, own_hosts={"shop.example", "api.shop.example"}))


def test_neither_utm_nor_referrer_is_direct():
    assert touch() == {"source": "direct"}


@pytest.mark.parametrize(
    ("referrer", "source", "keyword"),
    [
        ("https://www.google.com/", "google", ""),
        ("https://www.google.co.kr/search?q=Celadon+Bowl", "google", "celadon bowl"),
        ("https://google.de/", "google", ""),
        ("android-app://com.google.android.googlequicksearchbox/", "google", ""),
        ("https://search.naver.com/search.naver?where=nexearch&query=%EC%9B%90%ED%94%BC%EC%8A%A4", "naver", "원피스"),
        ("https://m.search.naver.com/search.naver?query=bowl", "naver", "bowl"),
        ("https://search.daum.net/search?w=tot&q=bowl", "daum", "bowl"),
        ("https://www.bing.com/", "bing", ""),
        ("https://cn.bing.com/search?q=bowl", "bing", "bowl"),
        ("https://r.search.yahoo.com/", "yahoo", ""),
        ("https://search.yahoo.co.jp/search?p=bowl", "yahoo", "bowl"),
        ("https://duckduckgo.com/", "duckduckgo", ""),
        ("https://yandex.ru/search/?text=bowl", "yandex", "bowl"),
        ("https://www.baidu.com/s?wd=bowl", "baidu", "bowl"),
        ("https://www.ecosia.org/search?q=bowl", "ecosia", "bowl"),
    ],
)
def test_search_engines_are_organic(referrer, source, keyword):
    found = touch(referrer=referrer)

    assert (found["source"], found["medium"], found.get("keyword", "")) == (source, "organic", keyword)


@pytest.mark.parametrize(
    ("referrer", "host"),
    [
        ("https://www.instagram.com/p/1?igsh=secret", "instagram.com"),
        ("https://blog.naver.com/somebody/1", "blog.naver.com"),
        ("https://mail.google.com/", "mail.google.com"),
        ("https://google.evil.example/", "google.evil.example"),
        ("https://notgoogle.com/", "notgoogle.com"),
        ("https://evil.example/?q=www.google.com", "evil.example"),
        ("https://shop.example.evil.example/", "shop.example.evil.example"),
        ("https://user:secret@news.example:8443/", "news.example"),
    ],
)
def test_other_sites_are_referrals_of_which_only_the_host_is_kept(referrer, host):
    assert touch(referrer=referrer) == {"source": host, "medium": "referral", "referrer": host}


@pytest.mark.parametrize(
    "referrer", ["https://shop.example/", "https://www.shop.example/", "https://api.shop.example:8000/x"]
)
def test_the_shop_itself_is_no_new_touch(referrer):
    assert touch(referrer=referrer) == {}


def test_utm_goes_before_the_referrer():
    found = touch("?utm_source=Facebook&utm_medium=CPC&utm_campaign=Spring%20Sale", "https://www.google.com/?q=bowl")

    assert found == {"source": "facebook", "medium": "cpc", "campaign": "Spring Sale", "referrer": "google.com"}


def test_utm_counts_even_from_a_page_of_the_shop():
    assert touch("?utm_source=banner", "https://shop.example/")["source"] == "banner"


def test_a_keyword_alone_is_kept_beside_what_the_referrer_says():
    assert touch("?utm_term=원피스") == {"source": "direct", "keyword": "원피스"}
    assert touch("?utm_term=원피스", "https://www.google.com/")["source"] == "google"


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("%00a%0d%0ab", "a b"),
        ("%ff%fe", "\ufffd\ufffd"),
        ("x" * 500, "x" * 100),
        ("%20%20", None),
        ("a&utm_source=b", "a"),
        ("%E2%80%AEgnp", "gnp"),
    ],
)
def test_what_is_kept_is_short_and_can_be_shown(written, kept):
    assert touch(f"?utm_source={written}").get("source") == (kept or "direct")


@pytest.mark.parametrize("referrer", ["https://[", "not an address", "https://[::1", "//", "about:blank"])
def test_a_referrer_that_cannot_be_read_is_none(referrer):
    assert touch(referrer=referrer) == {"source": "direct"}


def test_a_landing_address_that_cannot_be_read_is_one_without_utm():
    assert inflow.touch("https://[", "", own_hosts=()) == {"source": "direct"}
