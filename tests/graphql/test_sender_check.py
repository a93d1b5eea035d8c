"""The sender's checklist by the API."""

from __future__ import annotations

from collections.abc import Iterator

import dns.resolver
import pytest

from crm_plugin import merchant
from tests.graphql.conftest import CUSTOMER, STAFF, VIEWER, Ask
from tests.messaging.name_server import NameServer

pytestmark = pytest.mark.django_db

CHECK = """query($language: String) { crmSenderCheck(language: $language) {
  domain points { code state title found advice } records { type name value } } }"""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    """The name server that this machine asks."""
    with NameServer() as server:
        monkeypatch.setattr(dns.resolver, "default_resolver", server.resolver)
        yield server


def test_a_viewer_reads_the_checklist_in_their_language(ask: Ask, names: NameServer) -> None:
    merchant.update(sender_email="news@shop.example")
    names.txt("shop.example", "v=spf1 -all")

    answers = [ask(CHECK, caller=VIEWER, language=language) for language in ("en", "ko")]

    checks = [answer.data["crmSenderCheck"] for answer in answers]
    assert checks[0]["domain"] == "shop.example"
    points = [{point["code"]: point for point in check["points"]} for check in checks]
    assert points[0]["spf"]["state"] == "OK"
    assert points[0]["spf"]["advice"] == ""
    assert (points[0]["dmarc"]["state"], points[1]["dmarc"]["title"]) == ("FAILED", "DMARC: 정책 게시")
    assert checks[0]["records"] == [
        {"type": "TXT", "name": "_dmarc.shop.example", "value": "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"}
    ]


@pytest.mark.parametrize("caller", [CUSTOMER, STAFF])
def test_nobody_else_has_name_servers_asked(ask: Ask, names: NameServer, caller: object) -> None:
    merchant.update(sender_email="news@shop.example")

    assert ask(CHECK, caller=caller).codes == ["PermissionDenied"]
    assert names.asked == []
