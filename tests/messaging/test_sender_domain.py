"""The sender's checklist, against a real name server on this machine."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from crm_plugin import clock
from crm_plugin.messaging import check_sender
from crm_plugin.messaging.models import Message
from crm_plugin.messaging.sender_dns import ascii_domain
from crm_plugin.messaging.sender_domain import Record
from crm_plugin.messaging.sender_words import ADVICE, TITLES, Check
from tests.messaging.name_server import NameServer

pytestmark = pytest.mark.django_db

KEY_2048 = "A" * 392
DOMAIN = "shop.example"


@pytest.fixture
def names():
    with NameServer() as server:
        yield server


@pytest.fixture
def good(names):
    """A domain that has everything."""
    names.txt(DOMAIN, "v=spf1 include:spf.mtasv.net ~all", "google-site-verification=x")
    names.txt(f"pm._domainkey.{DOMAIN}", f"v=DKIM1; k=rsa; p={KEY_2048}")
    names.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=none; rua=mailto:d@shop.example")
    names.records[("MX", DOMAIN)] = ["10 mx.shop.example."]
    return names


@pytest.fixture
def check(us, names):
    def run():
        checked = check_sender(resolver=names.resolver)
        return checked, {str(point.code): str(point.state) for point in checked.points}

    return run


def test_a_domain_that_has_everything_is_in_order(good, check, fake_shop):
    checked, states = check()

    assert checked.domain == DOMAIN
    assert states == {
        "domain": "ok",
        "spf": "ok",
        "dkim": "ok",
        "dmarc": "ok",
        "alignment": "ok",
        "mx": "ok",
        "one_click": "ok",
        "visible_link": "ok",
        "postal_address": "ok",
        "complaint_rate": "unknown",
        "tls": "unknown",
    }
    assert checked.records == ()
    found = {str(point.code): point.found for point in checked.points}
    assert found["spf"] == "v=spf1 include:spf.mtasv.net ~all"
    assert (found["dkim"], found["mx"]) == ("pm", "mx.shop.example")


def test_a_domain_that_has_nothing_is_told_what_to_publish(check, settings):
    settings.CRM_EMAIL_BACKEND = "anymail.backends.mailgun.EmailBackend"

    checked, states = check()

    assert [states[code] for code in ("spf", "dkim", "dmarc", "mx")] == ["failed", "unknown", "failed", "failed"]
    assert checked.records == (
        Record("TXT", DOMAIN, "v=spf1 include:mailgun.org ~all"),
        Record("TXT", f"_dmarc.{DOMAIN}", "v=DMARC1; p=none; rua=mailto:dmarc@shop.example"),
    )


def test_two_spf_records_are_as_bad_as_none_and_become_one(good, check, settings):
    settings.CRM_EMAIL_BACKEND = "anymail.backends.mailjet.EmailBackend"
    good.txt(DOMAIN, "v=spf1 include:a.example -all", "v=spf1 include:b.example include:a.example ~all")

    checked, states = check()

    assert states["spf"] == "failed"
    assert checked.records == (
        Record("TXT", DOMAIN, "v=spf1 include:a.example include:b.example include:spf.mailjet.com ~all"),
    )


@pytest.mark.parametrize(
    ("record", "state"),
    [
        ("v=spf1 +all", "warning"),
        ("v=spf1 a mx ?all", "warning"),
        ("v=spf1 " + " ".join(f"include:{n}.example" for n in range(11)) + " -all", "warning"),
        ("v=spf1 " + " ".join(f"include:{n}.example" for n in range(10)) + " -all", "ok"),
        ("V=SPF1 redirect=_spf.example", "ok"),
        ("v=spf10 -all", "failed"),
        ("spf2.0/pra -all", "failed"),
    ],
)
def test_an_spf_record_is_read(good, check, record, state):
    good.txt(DOMAIN, record)

    assert check()[1]["spf"] == state


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (f"p={KEY_2048}", "ok"),
        ("v=DKIM1; p=" + "A" * 216, "warning"),
        ("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "ok"),
        ("v=DKIM1; p=", "failed"),
        ("v=DKIM2; p=abc", "unknown"),
        ("hello", "unknown"),
        ("p=" + "A" * 200 + " " + "A" * 192, "ok"),
    ],
    ids=["no version", "short", "ed25519", "taken back", "another version", "no key", "spaces"],
)
def test_a_dkim_record_is_read(good, check, record, state):
    good.txt(f"pm._domainkey.{DOMAIN}", record)

    _, states = check()

    assert (states["dkim"], states["alignment"]) == (state, "ok" if state in {"ok", "warning"} else state)


def test_a_selector_of_the_operator_is_asked_for_and_missed(good, check, settings):
    settings.CRM_DKIM_SELECTORS = ("20260101",)
    del good.records[("TXT", f"pm._domainkey.{DOMAIN}")]

    assert check()[1]["dkim"] == "failed"
    assert ("TXT", f"20260101._domainkey.{DOMAIN}") in good.asked

    good.txt(f"20260101._domainkey.{DOMAIN}", f"v=DKIM1; p={KEY_2048}")
    assert check()[1]["dkim"] == "ok"


@pytest.mark.parametrize(
    ("records", "state"),
    [
        (["v=DMARC1; p=reject"], "ok"),
        (["v=DMARC1;p=quarantine"], "ok"),
        (["v=DMARC1; p=maybe"], "failed"),
        (["v=DMARC1"], "failed"),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], "failed"),
        (["v=spf1 -all"], "failed"),
    ],
)
def test_a_dmarc_record_is_read(good, check, records, state):
    good.txt(f"_dmarc.{DOMAIN}", *records)

    assert check()[1]["dmarc"] == state


def test_the_policy_of_the_domain_above_holds(good, check, us):
    us.sender_email = "a@news.eu.shop.example"
    us.save()

    assert check()[1]["dmarc"] == "ok"


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ({("MX", DOMAIN): ["0 ."]}, "failed"),
        ({("MX", DOMAIN): ["10 a.example.", "20 b.example."]}, "ok"),
        ({("A", DOMAIN): ["192.0.2.1"]}, "warning"),
    ],
    ids=["null mx", "two", "address only"],
)
def test_where_the_domain_takes_mail(names, check, records, state):
    names.records |= records

    assert check()[1]["mx"] == state


def test_a_free_mailbox_is_no_sender(good, check, us):
    us.sender_email = "shop@gmail.com"
    us.save()

    checked, states = check()

    assert states["alignment"] == "failed"
    assert "gmail.com" in {str(point.code): point.found for point in checked.points}["alignment"]


def test_a_name_server_that_is_silent_or_broken_makes_points_unknown_in_bounded_time(good, check):
    good.silent |= {DOMAIN}
    good.broken |= {f"_dmarc.{DOMAIN}"}
    began = time.monotonic()

    checked, states = check()

    assert time.monotonic() - began < 10
    assert [states[code] for code in ("spf", "dmarc", "mx", "dkim")] == ["unknown", "unknown", "unknown", "ok"]
    assert checked.records == ()


def test_a_domain_in_letters_of_its_own_is_asked_for_in_punycode(names, check, us):
    us.sender_email = "news@Bücher.example"
    us.save()
    names.txt("xn--bcher-kva.example", "v=spf1 -all")

    checked, states = check()

    assert (checked.domain, states["spf"]) == ("xn--bcher-kva.example", "ok")


@pytest.mark.parametrize("address", ["", "nobody", "a@localhost", "a@" + "x" * 70 + ".example", "a@b..example"])
def test_an_address_without_a_domain_asks_nobody(names, check, us, address):
    us.sender_email = address
    us.save()

    checked, states = check()

    assert (checked.domain, states["domain"]) == ("", "failed")
    assert names.asked == []


def test_without_https_there_is_no_one_click_and_without_an_address_no_advertisement(good, check, us, fake_shop):
    fake_shop.public_url = "http://shop.example/crm/"
    us.postal_address = " "
    us.save()

    _, states = check()

    assert (states["one_click"], states["postal_address"]) == ("failed", "failed")


@pytest.mark.parametrize(
    ("complaints", "state", "found"),
    [
        (0, "ok", "0 / 1000 = 0.00 %"),
        (1, "warning", "1 / 1000 = 0.10 %"),
        (2, "warning", "2 / 1000 = 0.20 %"),
        (3, "failed", "3 / 1000 = 0.30 %"),
    ],
)
def test_complaints_are_counted_over_thirty_days(good, check, queue, complaints, state, found):
    first = queue()
    now = clock.now()
    values = {
        field.attname: getattr(first, field.attname)
        for field in Message._meta.concrete_fields
        if field.name
        not in {"id", "public_id", "occasion", "enrollment", "campaign", "state", "created_at", "complained_at"}
    }
    made = Message.objects.bulk_create(
        Message(**values, occasion=f"test:{at}", state="sent", created_at=now - timedelta(days=29))
        for at in range(1000)
    )
    old = Message(**values, occasion="old", state="sent", created_at=now - timedelta(days=31), complained_at=now)
    old.save()
    Message.objects.filter(pk__in=[one.pk for one in made[:complaints]]).update(complained_at=now)

    checked, states = check()

    assert states["complaint_rate"] == state
    assert {str(point.code): point.found for point in checked.points}["complaint_rate"] == found


def test_every_point_is_said_in_both_languages():
    assert set(TITLES) == set(ADVICE) == set(Check)
    for words in (*TITLES.values(), *ADVICE.values()):
        assert bool(words.en) == bool(words.ko)
    assert TITLES[Check.SPF].said("ko-KR") == "SPF: 도메인의 발송 서버 등록"


@pytest.mark.parametrize(
    ("written", "name"),
    [("Shop.Example.", "shop.example"), ("쇼핑몰.한국", "xn--352bl7khqr.xn--3e0b707e"), ("a b.example", ""), ("x", "")],
)
def test_a_domain_becomes_what_name_servers_know(written, name):
    assert ascii_domain(written) == name
