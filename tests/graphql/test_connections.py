"""Every connection: wrong pages and cursors are refused, and no page asks more of the database for more rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from graphql.type.definition import GraphQLNonNull

from crm_plugin import activity, audience, automations, clock, contacts, coupons, ids, messaging, pipeline, reviews
from crm_plugin.contacts import AttributeKind, Contact
from crm_plugin.contacts.models import ContactSpend
from crm_plugin.models import Campaign, Export, InboxNote, Interest
from crm_plugin.reviews import Source, Submission
from crm_plugin.shop import Actor
from tests.fake_shop import FakeShop
from tests.graphql.conftest import CUSTOMER, MANAGER, NOON, WAIT_ONLY, Ask
from tests.graphql.schema_text import QUERIES, SCHEMA, inner
from tests.graphql.whole import message_of

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

#: The fields through which each connection is reached, and what each of them needs to be told.
GIVEN = {
    "crmAttributeChanges": "contact: $contact",
    "crmEnrollments": "contact: $contact",
    "crmProductReviews": "productId: $product",
    "crmSegment": "id: $segment",
    "crmWaitingList": "variantId: $variant",
    "crmWishlist": "key: $key",
}
NEEDED = {
    "contact": "CrmContact",
    "product": "Product",
    "segment": "CrmSegment",
    "variant": "ProductVariant",
    "key": "",
}
OF_CUSTOMERS = {"crmMe", "crmProductReviews", "crmWishlist"}


def _connections() -> Iterator[tuple[str, ...]]:
    """Give the way to each connection, from the root."""
    for name, field in QUERIES.items():
        if "first" in field.args:
            yield (name,)
        elif name in {"crmMe", "crmSegment", "crmWishlist"}:
            yield from ((name, *way) for way in _within(inner(field.type), depth=2))


def _within(kind: Any, *, depth: int) -> Iterator[tuple[str, ...]]:
    for name, field in kind.fields.items():
        if "first" in field.args:
            yield (name,)
        elif depth > 1 and hasattr(inner(field.type), "fields") and not field.args:
            yield from ((name, *way) for way in _within(inner(field.type), depth=depth - 1))


CONNECTIONS = sorted(_connections())


def _shown(kind: Any, *, above: tuple[str, ...] = ()) -> str:
    """Write everything there is of a type: what stands beside each row, and small pages of what stands in it."""
    parts = []
    for name, field in kind.fields.items():
        there = inner(field.type)
        if any(isinstance(argument.type, GraphQLNonNull) for argument in field.args.values()) or there.name in above:
            continue
        page = "(first: 2)" if "first" in field.args else ""
        inside = _shown(there, above=(*above, kind.name)) if hasattr(there, "fields") else ""
        if inside or not hasattr(there, "fields"):
            parts.append(f"{name}{page} {inside}".strip())
    return f"{{ {' '.join(parts)} }}" if parts and len(above) < 6 else ""


def _query(way: tuple[str, ...], shown: str | None = None) -> str:
    field: Any = QUERIES[way[0]]
    text = ""
    for place, name in enumerate(way):
        field = field if place == 0 else inner(field.type).fields[name]
        page = "first: $first, last: $last, after: $after, before: $before" if place == len(way) - 1 else ""
        given = ", ".join(part for part in (GIVEN.get(name, ""), page) if part)
        text += f"{name}({given}) {{ " if given else f"{name} {{ "
    rows = shown or "edges " + _shown(inner(inner(field.type).fields["edges"].type))
    used = [name for name in NEEDED if f"${name}" in text]
    declared = "".join(f", ${name}: {'String' if name == 'key' else 'ID'}!" for name in used)
    head = f"query($first: Int, $last: Int, $after: String, $before: String{declared})"
    return f"{head} {{ {text}pageInfo {{ hasNextPage endCursor }} {rows}{' }' * len(way)} }}"


class Rows:
    """Rows of everything that is paged through, all within reach of one contact, one segment and one product."""

    def __init__(self, shop: FakeShop) -> None:
        self.shop, self.count = shop, 0
        shop.add_customer(customer_id=CUSTOMER.customer_id, email=CUSTOMER.email)
        self.ann = contacts.get_or_create(contacts.Person(CUSTOMER.customer_id, CUSTOMER.email))
        self.segment = audience.create_segment("all").pk
        self.mug = shop.add_product(name="Mug", price=20)
        shop.set_stock(self.mug.ref, 0)
        self.list_ref = shop.make_wishlist(CUSTOMER.customer_id, name="Party").list_ref
        self.key = shop.change_wishlist(CUSTOMER.customer_id, self.list_ref, is_public=True).key
        self.pool = coupons.create_template("Cinema", source="pool").pk
        shown = {"keeps_history": True, "is_shown_to_customer": True}
        contacts.declare_attribute("points", AttributeKind.NUMBER, "Points", **shown)

    @property
    def variables(self) -> dict[str, str]:
        """The ids that queries need."""
        pks = {"contact": self.ann.pk, "product": self.mug.product_id, "segment": self.segment}
        pks |= {"variant": self.mug.variant_id}
        return {name: ids.to_global(NEEDED[name], pk) for name, pk in pks.items()} | {"key": self.key}

    def up_to(self, count: int) -> None:
        """Make as many of everything as are missing."""
        for number in range(self.count, count):
            with clock.travel(to=NOON + timedelta(minutes=number)):
                self._one(number)
        self.count = count
        pipeline.pump()

    def _one(self, number: int) -> None:
        person = contacts.get_or_create(contacts.Person("", f"p{number}@example.com"))
        self._of(person, number)
        segment = audience.create_segment(f"s{number}", {"include": {"type": "everybody"}})
        static = audience.create_segment(f"l{number}")
        audience.add_members(static.pk, [self.ann.pk, person.pk])
        audience.add_members(self.segment, [person.pk])
        audience.start_import(static.pk, b"email\nann@example.com\n", is_dry_run=True)
        Export.objects.create(what={"segment": segment.pk}, actor="user:1", created_at=clock.now())
        contacts.declare_attribute(f"a{number}", AttributeKind.TEXT, "A")
        contacts.set_attributes(self.ann.pk, {"points": number + 1})
        contacts.save_topic(f"t{number}", names={"en": "News"})
        messaging.save_partial(f"p{number}", {"": "Hi"})
        coupons.create_template(f"c{number}", terms={"kind": "percent", "percent": 10})
        coupons.upload(self.pool, [f"CODE-{number}"])
        coupons.issue(self.pool, [coupons.Request("one", self.ann.pk, f"x{number}")])
        product = self.shop.add_product(name=f"Cup {number}", price=20)
        self.shop.set_stock(product.ref, 0)
        for one in (product, self.mug):
            activity.ask_for_stock(person.pk, one.ref)
        self.shop.like(CUSTOMER.customer_id, product.ref, list_ref=self.list_ref)

    def _of(self, person: Contact, number: int) -> None:
        contacts.set_consent(person.pk, channel="email", is_granted=True, source="test")
        ContactSpend.objects.create(contact=person, currency="EUR", amount=9, orders_count=1)
        Interest.objects.create(contact=person, product_id=self.mug.product_id, shop_channel="default", views_count=3)
        campaign = automations.create_campaign(name=f"c{number}", definition=WAIT_ONLY)
        automations.publish(campaign.pk)
        self._message(campaign, self.ann, number)
        self._message(campaign, person, number)
        for place, writer in enumerate((self.ann, person)):
            review = reviews.submit(
                Submission(
                    contact_id=writer.pk,
                    product_id=self.mug.product_id,
                    rating=number % 5 + 1,
                    source=Source.LINK,
                    order_ref=f"{number}-{place}",
                    shop_channel="default",
                )
            )
            if place:
                reviews.publish(review.pk, by="test")

    def _message(self, campaign: Campaign, contact: Contact, number: int) -> None:
        made = message_of(campaign.pk, contact, created_at=clock.now(), cost=1, cost_currency="EUR")
        if contact.pk == self.ann.pk:
            InboxNote.objects.create(message=made, contact=contact, title="Hi", text="x", created_at=clock.now())


@pytest.fixture
def rows(shop: FakeShop, settings: Any, tmp_path: Path) -> Rows:
    settings.MEDIA_ROOT = str(tmp_path)
    return Rows(shop)


def _caller(way: tuple[str, ...]) -> Actor:
    return CUSTOMER if way[0] in OF_CUSTOMERS else MANAGER


def _of_page(data: Any) -> dict[str, Any]:
    """Return the page inside an answer: of the first list, where there are several."""
    while "pageInfo" not in data:
        data = data[-1] if isinstance(data, list) else next(iter(data.values()))
    return data


@pytest.fixture
def look(ask: Ask, rows: Rows) -> Callable[..., Any]:
    def call(way: tuple[str, ...], shown: str | None = None, **page: Any) -> Any:
        query = _query(way, shown)
        used = {name: value for name, value in rows.variables.items() if f"${name}" in query}
        return ask(query, caller=_caller(way), **used, **page)

    return call


def test_no_page_asks_more_of_the_database_for_more_rows(rows: Rows, look: Callable[..., Any]) -> None:
    asked: dict[tuple[str, ...], list[list[str]]] = {way: [] for way in CONNECTIONS}
    for number in (2, 9):
        rows.up_to(number)
        for way, counted in asked.items():
            with CaptureQueriesContext(connection) as queries:
                answer = look(way, first=100)
            assert not answer.errors, (way, answer.messages)
            assert len(_of_page(answer.data)["edges"]) >= number, way
            counted.append([query["sql"][:200] for query in queries])

    growing = {way: set(many) for way, (few, many) in asked.items() if len(many) > len(few)}
    assert not growing, growing


def _forged(cursor: str) -> Iterator[str]:
    of, first, second = json.loads(base64.urlsafe_b64decode(cursor))
    for values in (
        ["CrmNothing", first, second],
        [of, second, first],
        [of, first],
        [of, first, second, 1],
        [of, None, second],
        [of, first, None],
        [of, [first], second],
        [of, first, {"a": 1}],
        [of, "9999-12-31T23:59:59.999999-23:59", 2**70],
        [of, "\0", second],
        {"of": of},
        of,
    ):
        yield base64.urlsafe_b64encode(json.dumps(values).encode()).decode()
    yield from ("", "x", cursor[:-3], cursor + "A", "\0", "\ud800", base64.b64encode(b"arrayconnection:0").decode())


def test_what_is_no_page_or_no_cursor_of_this_list_is_refused_in_words(rows: Rows, look: Callable[..., Any]) -> None:
    rows.up_to(2)
    for way in CONNECTIONS:
        cursor = _of_page(look(way, "edges { cursor }", first=1).data)["edges"][0]["cursor"]

        sizes = [{word: size} for word in ("first", "last") for size in (0, -1, 101)]
        for page in ({}, {"first": 1, "last": 1}, *sizes):
            answer = look(way, "edges { cursor }", **page)
            assert set(answer.codes) == {"GraphQLError"}, (way, page, answer.messages)
        for place, forged in enumerate(_forged(cursor)):
            word = "before" if place % 3 == 0 else "after"
            answer = look(way, "edges { cursor }", first=1, **{word: forged})
            assert set(answer.codes) <= {"GraphQLError"}, (way, word, forged, answer.messages)


def test_a_cursor_of_one_list_is_none_of_another(rows: Rows, look: Callable[..., Any]) -> None:
    rows.up_to(2)
    cursors = {way: _of_page(look(way, "edges { cursor }", first=1).data)["edges"][0]["cursor"] for way in CONNECTIONS}
    lists = {way: inner(_field(way).type).name for way in CONNECTIONS}

    taken = {
        (way, other)
        for way in CONNECTIONS
        for other, cursor in cursors.items()
        if lists[way] != lists[other] and not look(way, "edges { cursor }", first=1, after=cursor).errors
    }

    assert taken == set()


def _field(way: tuple[str, ...]) -> Any:
    field: Any = QUERIES[way[0]]
    for name in way[1:]:
        field = inner(field.type).fields[name]
    return field


def test_walking_either_way_shows_every_row_once(rows: Rows, look: Callable[..., Any]) -> None:
    rows.up_to(5)
    for way in CONNECTIONS:
        whole = _cursors(look(way, "edges { cursor }", first=100))

        forward: list[str] = []
        while page := _cursors(look(way, "edges { cursor }", first=2, after=forward[-1] if forward else None)):
            forward += page
        backward: list[str] = []
        while page := _cursors(look(way, "edges { cursor }", last=2, before=backward[0] if backward else None)):
            backward = page + backward

        assert forward == backward == whole, way
        assert len(whole) >= 5, way


def _cursors(answer: Any) -> list[str]:
    return [edge["cursor"] for edge in _of_page(answer.data)["edges"]]


def test_every_connection_of_the_schema_is_here() -> None:
    named = {name for name, kind in SCHEMA.get_type_map().items() if name.endswith("Connection")}

    assert {inner(_field(way).type).name for way in CONNECTIONS} == named
