"""The storefront's script as it is served."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]

URL = "/crm/crm.js"
MAX_GZIPPED = 6_000


def test_the_script_is_served_from_the_package(client):
    answer = client.get(URL)

    assert (answer.status_code, answer["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.content == (files("crm_plugin.http") / "static" / "crm.js").read_bytes()
    assert answer["Cache-Control"] == "public, max-age=600"
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert not answer.cookies


def test_a_browser_that_has_it_is_told_so(client):
    etag = client.get(URL)["ETag"]

    same, other = client.get(URL, HTTP_IF_NONE_MATCH=etag), client.get(URL, HTTP_IF_NONE_MATCH='"other"')

    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    assert other.status_code == 200


def test_serving_it_asks_no_database(client, django_assert_num_queries):
    client.get(URL)

    with django_assert_num_queries(0):
        client.get(URL)


def test_it_stays_small(client):
    assert len(gzip.compress(client.get(URL).content)) <= MAX_GZIPPED


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_it_is_only_read(client, method):
    assert getattr(client, method)(URL).status_code == 405
