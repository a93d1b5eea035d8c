"""All that is kept about one person: the copy that they may ask for has it, and erasure leaves none of it.

``ann`` has a row in every table that can have one about a person; every value that is hers alone has ``secret`` in it.
"""

from __future__ import annotations

import json
import tracemalloc
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models

from crm_plugin import clock, contacts, persons
from crm_plugin.contacts import ChannelKind, Contact, Person, SuppressionReason
from crm_plugin.models import (
    Activity,
    Attribute,
    AttributeChange,
    Blocked,
    Campaign,
    CampaignVersion,
    ContactSpend,
    Coupon,
    Enrollment,
    Export,
    Inbox,
    InboxNote,
    Inflow,
    Interest,
    Member,
    Message,
    OwnLike,
    OwnWishlist,
    Review,
    ReviewPicture,
    ReviewRequest,
    Score,
    Segment,
    StockRequest,
    Template,
    Timer,
    Topic,
    Visitor,
    WebhookCall,
)
from tests.fake_shop import FakeShop

pytestmark = pytest.mark.django_db

CUSTOMER_ID, EMAIL, VISITOR = "secret-7", "ann@secret.example", "secret-visitor-00000001"
#: Tables about people that the copy leaves out, and why.
NOT_COPIED = {
    "ConsentNotice": "a queue of minutes: lines of the consent log, which is in the copy, that are still to be told of",
    "DeliveryReceipt": "a queue of an hour: what a provider told of a message; what it said is in the message then",
    "Touched": "a queue of seconds: which contacts to look at again",
    "Erasure": "a digest; there is nobody any more whom it could be shown to",
    "KeyFingerprint": "no person's",
}
#: What of a person a column says, by its name.
NAMES_A_PERSON = {"contact_id", "customer_id", "email", "visitor_id", "address", "recipient"}


@pytest.fixture
def ann(fake_shop: FakeShop) -> Contact:
    """An account with a row in every table that can have one about a person."""
    fake_shop.add_customer(
        customer_id=CUSTOMER_ID, email=EMAIL, first_name="Secretia", last_name="Secretson", country="KR"
    )
    contact = contacts.get_or_create(Person(CUSTOMER_ID, EMAIL))
    contacts.set_phone(contact.pk, "+821012345678")
    _seed_contacts(contact)
    _seed_activity(contact)
    _seed_runs(contact)
    _seed_offers(contact)
    return contact


def _seed_contacts(contact: Contact) -> None:
    now = clock.now()
    topic = Topic.objects.create(slug="news", created_at=now)
    Attribute.objects.create(name="nickname", kind="text", created_at=now)
    contacts.set_attributes(contact.pk, {"nickname": "secret"})
    Visitor.objects.create(visitor_id=VISITOR, contact=contact, created_at=now)
    ContactSpend.objects.create(contact=contact, currency="EUR", amount=10, orders_count=1)
    AttributeChange.objects.create(contact=contact, name="points", after=7, source="api", changed_at=now, is_told=True)
    contacts.set_consent(
        contact.pk, channel=ChannelKind.EMAIL, is_granted=True, source="form", evidence={"ip": "secret"}
    )
    contacts.refuse_topics(contact.pk, [topic.slug], source="secret")
    contacts.add_endpoint(
        contact.pk, channel=ChannelKind.APP_PUSH, address="secret-token", keys={"auth": "secret-of-the-device"}
    )
    contacts.suppress(EMAIL, channel=ChannelKind.EMAIL, reason=SuppressionReason.MANUAL, detail=f"for {EMAIL}")
    Blocked.objects.get_or_create(contact=contact, channel=ChannelKind.EMAIL)


def _seed_activity(contact: Contact) -> None:
    now = clock.now()
    Activity.objects.create(
        contact=contact,
        kind="searched",
        source_key="search:secret",
        occurred_at=now,
        subject="secret words",
        order_ref="secret-order",
        cart_ref="secret-cart",
        data={"note": "secret"},
    )
    for who in ({"contact_id": contact.pk}, {"customer_id": CUSTOMER_ID}, {"email": EMAIL}, {"visitor_id": VISITOR}):
        Inbox.objects.create(kind="viewed", source_key=f"secret:{who}", occurred_at=now, error="broken", **who)
    Interest.objects.create(contact=contact, product_id="1", shop_channel="default", cart_ref="secret-cart")
    Inflow.objects.create(contact=contact, first_at=now, last_at=now, last_keyword="secret")
    OwnWishlist.objects.create(customer_id=CUSTOMER_ID, name="secret wishes", key="secret-key", created_at=now)
    OwnLike.objects.create(customer_id=CUSTOMER_ID, product_id="1", shop_channel="default", created_at=now)
    OwnLike.objects.create(visitor_id=VISITOR, product_id="2", shop_channel="default", created_at=now)
    StockRequest.objects.create(
        contact=contact, product_id="1", variant_id="1", shop_channel="default", state="unconfirmed", created_at=now
    )


def _seed_runs(contact: Contact) -> None:
    now = clock.now()
    campaign = Campaign.objects.create(name="Welcome", draft={}, created_at=now, updated_at=now)
    version = CampaignVersion.objects.create(campaign=campaign, number=1, definition={}, published_at=now)
    run = Enrollment.objects.create(
        campaign=campaign,
        version=version,
        contact=contact,
        subject_key="order:secret-order",
        lane="order:secret-order",
        items=[{"product_id": "secret"}],
        context={"data": {"note": "secret"}},
        entered_at=now,
    )
    Timer.objects.create(campaign=campaign, contact=contact, subject_key="cart:secret-cart", starts_at=now, due_at=now)
    template = Template.objects.create(digest="d", source={}, compiled={}, created_at=now)
    message = Message.objects.create(
        contact=contact,
        enrollment=run,
        campaign=campaign,
        template=template,
        channel="inbox",
        message_class="marketing",
        state="sent",
        detail="to secret",
        data={"note": "secret"},
        recipient=EMAIL,
        subject="Dear Secretia",
        provider_id="secret-id",
        due_at=now,
        stale_at=now,
        created_at=now,
        lease_token=uuid4(),
    )
    InboxNote.objects.create(message=message, contact=contact, title="secret", text="secret", created_at=now)
    WebhookCall.objects.create(
        contact=contact,
        enrollment=run,
        campaign=campaign,
        url="https://hooks.example/merchants-token",
        payload={"email": EMAIL},
        detail="secret",
        due_at=now,
        created_at=now,
    )
    segment = Segment.objects.create(name="VIPs", kind="static", state="ready", created_at=now, updated_at=now)
    Member.objects.create(segment=segment, contact=contact, joined_at=now)
    Score.objects.create(contact=contact, stage="new", computed_at=now)


def _seed_offers(contact: Contact) -> None:
    now = clock.now()
    bob = contacts.get_or_create(Person(email="bob@example.com"))
    for code, whose, used_by in (("HERS", contact, None), ("HIS", bob, contact)):
        Coupon.objects.create(
            contact=whose,
            used_by=used_by,
            occasion=f"staff:{code}",
            code=code,
            state="used",
            created_at=now,
            issued_at=now,
            used_at=now,
            order_ref="secret-order",
            expires_on=date(2030, 1, 1),
        )
    for number, state in enumerate(("published", "rejected")):
        review = Review.objects.create(
            contact=contact,
            product_id=str(number),
            order_ref="secret-order",
            rating=4,
            title="secret",
            body="secret",
            author="Secretia",
            state=state,
            source="account",
            written_at=now,
            published_at=now,
            moderated_by="user:staff",
            remark="secret",
            answer="Dear Secretia",
        )
        ReviewPicture.objects.create(review=review, position=0, file=f"secret-{number}.jpg", width=1, height=1)
    ReviewRequest.objects.create(contact=contact, product_id="1", asked_at=now)


def _copy(contact_ids: list[int]) -> dict[str, Any]:
    return dict(json.loads("".join(persons.Copy(contact_ids))))


def _about_people() -> set[type[models.Model]]:
    """Return the models with a row about somebody: by a foreign key, by way of another such model, or by a column."""
    found: set[type[models.Model]] = {Contact}
    every = set(apps.get_app_config("crm_plugin").get_models())
    while True:
        more = {
            model
            for model in every - found
            for column in model._meta.concrete_fields
            if column.related_model in found - {Message, Enrollment} or column.name in NAMES_A_PERSON
        }
        if not more:
            return found
        found |= more


def test_every_table_about_people_is_in_the_copy_or_has_a_reason_not_to_be(fake_shop: FakeShop) -> None:
    copied = {part.rows.model for part in persons.parts_of([])}

    left_out = {model.__name__ for model in _about_people() - copied}

    assert left_out <= set(NOT_COPIED), "Add what is new to copy_of of its room, or say here why not."
    assert not {model.__name__ for model in copied} & set(NOT_COPIED)


def test_the_copy_has_a_row_of_every_part_of_somebody_with_everything(ann: Contact) -> None:
    made = _copy([ann.pk])

    parts = {name: rows for name, rows in made.items() if isinstance(rows, list)}
    assert made["format"] == 1
    assert {part.name for part in persons.parts_of([])} == set(parts)
    assert [name for name, rows in parts.items() if not rows] == []
    assert parts["contacts"][0]["email"] == EMAIL
    assert parts["contacts"][0]["attributes"] == {"nickname": "secret"}
    assert len(parts["activities_on_their_way"]) == 4
    assert len(parts["likes"]) == 2
    assert parts["refused_topics"][0]["topic_slug"] == "news"
    assert parts["memberships"][0]["segment_name"] == "VIPs"
    assert parts["enrollments"][0]["context"] == {"data": {"note": "secret"}}
    assert parts["messages"][0]["campaign_name"] == "Welcome"
    assert parts["suppressions"][0]["reason"] == "manual"


def test_the_copy_holds_no_secret_of_a_device_nor_anything_of_somebody_else(ann: Contact) -> None:
    bob = Contact.objects.get(email="bob@example.com")
    Activity.objects.create(contact=bob, kind="viewed", source_key="bobs", occurred_at=clock.now())

    text = "".join(persons.Copy([ann.pk]))

    for other in ("secret-token", "secret-of-the-device", "merchants-token", "bobs", "user:staff", "lease_token"):
        assert other not in text
    assert str(bob.pk) not in {str(row.get("contact_id")) for row in json.loads(text)["coupons_of_others"]}


def test_the_copy_is_made_a_piece_at_a_time_however_much_somebody_did(ann: Contact) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_plugin_activity (contact_id, kind, source_key, occurred_at, product_id, variant_id,"
            " shop_channel, order_ref, cart_ref, currency, data)"
            " SELECT %s, 'viewed', 'v' || n, now(), n, '', 'default', '', '', '',"
            " jsonb_build_object('words', repeat('x', 500)) FROM generate_series(1, 30000) n",
            [ann.pk],
        )
    copy = persons.Copy([ann.pk])

    tracemalloc.start()
    size = sum(len(piece) for piece in copy)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert copy.rows_count > 30_000
    assert size > 20_000_000
    assert most < size / 3


def test_erasing_leaves_nothing_that_names_the_person_in_any_table(ann: Contact) -> None:
    assert _columns_with("secret") != []
    assert _columns_with("+821012345678") != []

    count = persons.erase(customer_id=CUSTOMER_ID)

    assert count == 1
    assert _columns_with("secret") == []
    assert _columns_with("+821012345678") == []
    assert _copy([ann.pk])["contacts"][0]["erased_at"] is not None


def test_erasing_by_e_mail_alone_leaves_no_more(ann: Contact) -> None:
    persons.erase(email=EMAIL.upper())

    assert _columns_with("secret") == []


def test_after_erasure_the_copy_has_nothing_but_counts(ann: Contact) -> None:
    persons.erase(customer_id=CUSTOMER_ID)

    made = {name for name, rows in _copy([ann.pk]).items() if isinstance(rows, list) and rows}

    assert made <= {"contacts", "enrollments", "messages", "webhook_calls"}


def _columns_with(text: str) -> list[tuple[str, str]]:
    """Return every column of our tables that has the text anywhere: what is text, JSON or bytes, whatever its case."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name LIKE 'crm\\_plugin\\_%%'"
            " AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea') ORDER BY 1, 2"
        )
        found = []
        for table, column, kind in cursor.fetchall():
            as_text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f'SELECT EXISTS (SELECT FROM "{table}" WHERE strpos(lower({as_text}), %s) > 0)', [text])  # noqa: S608
            if cursor.fetchone()[0]:
                found.append((table, column))
    return found


def _crm(*words: str) -> str:
    out = StringIO()
    call_command("crm", *words, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_prints_the_copy_or_writes_it_to_a_file_and_logs_it(ann: Contact, tmp_path: Path) -> None:
    guest = contacts.get_or_create(Person(email="guest@example.com"))
    path = tmp_path / "ann.json"

    printed = json.loads(_crm("export-person", "--email", " Guest@Example.com"))
    said = _crm("export-person", "--customer-id", CUSTOMER_ID, "--output", str(path))

    assert [row["id"] for row in printed["contacts"]] == [guest.pk]
    assert said == ""
    assert json.loads(path.read_text("utf-8"))["contacts"][0]["email"] == EMAIL
    log = list(Export.objects.order_by("pk"))
    assert [row.what for row in log] == [{"person": [guest.pk]}, {"person": [ann.pk]}]
    assert all(row.actor == "command" and row.rows_count and row.fetched_at for row in log)


def test_the_command_wants_to_know_whom_and_knows_whom_it_does_not(fake_shop: FakeShop) -> None:
    for words in ([], ["--email", "nobody@example.com"]):
        with pytest.raises(CommandError, match="--customer-id or --email"):
            _crm("export-person", *words)

    assert not Export.objects.exists()


def test_account_and_guest_under_its_address_are_one_person(fake_shop: FakeShop) -> None:
    fake_shop.add_customer(customer_id="8", email="old@example.com")
    account = contacts.get_or_create(Person("8"))
    guest = contacts.get_or_create(Person(email="new@example.com"))

    found = contacts.ids_of_identity(customer_id="8", email="New@example.com ")

    assert found == [account.pk, guest.pk]
    assert contacts.ids_of_identity(email="nobody@example.com") == contacts.ids_of_identity() == []
