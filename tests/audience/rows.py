"""Writing a small world into the database, row by row as the drain would leave it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from django.utils.crypto import get_random_string

from crm_plugin import ids
from crm_plugin.models import (
    Activity,
    Attribute,
    Blocked,
    Consent,
    Contact,
    ContactSpend,
    Inflow,
    Member,
    ProductGroup,
    Score,
    Segment,
    SegmentVersion,
    Suppression,
)
from tests.audience.reference import Act, Someone, World

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
_numbers = count(1)


def write(world: World) -> None:
    """Write everything of a world; its people get their ids."""
    Attribute.objects.bulk_create(
        Attribute(name=name, kind=kind, created_at=LONG_AGO) for name, kind in world.kinds.items()
    )
    ProductGroup.objects.bulk_create(
        ProductGroup(product_id=product, group_key=key)
        for product, keys in world.groups.items()
        for key in sorted(keys)
    )
    for pk in world.lists:
        make_list(pk)
    for pk, rule in world.live.items():
        make_segment(rule, pk=pk)
    write_people(world.people)


def write_people(people: Iterable[Someone]) -> None:
    """Write contacts with all that is known of them."""
    people = list(people)
    rows = Contact.objects.bulk_create(_contact(someone) for someone in people)
    for someone, row in zip(people, rows, strict=True):
        someone.pk = row.pk
    Activity.objects.bulk_create(_activity(someone.pk, act) for someone in people for act in someone.acts)
    ContactSpend.objects.bulk_create(
        ContactSpend(contact_id=one.pk, currency=currency, amount=amount, orders_count=orders)
        for one in people
        for currency, (amount, orders) in one.spends.items()
    )
    Consent.objects.bulk_create(
        Consent(contact_id=one.pk, channel="email", is_granted=one.consent, changed_at=LONG_AGO)
        for one in people
        if one.consent is not None
    )
    Suppression.objects.bulk_create(
        Suppression(channel="email", address_digest=ids.digest("suppression", one.email or ""), created_at=LONG_AGO)
        for one in people
        if one.is_suppressed
    )
    Blocked.objects.bulk_create(Blocked(contact_id=one.pk, channel="email") for one in people if one.is_suppressed)
    Inflow.objects.bulk_create(
        Inflow(contact_id=one.pk, first_at=LONG_AGO, last_at=LONG_AGO, **one.inflow)
        for one in people
        if one.inflow is not None
    )
    Score.objects.bulk_create(
        Score(contact_id=one.pk, computed_at=LONG_AGO, **one.score) for one in people if one.score is not None
    )
    Member.objects.bulk_create(
        Member(segment_id=pk, contact_id=one.pk, joined_at=LONG_AGO) for one in people for pk in one.lists
    )


def make_segment(rule: object, *, pk: int | None = None, name: str = "", state: str = "ready") -> int:
    """Make a live segment; returns its id."""
    times = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
    name = name or get_random_string(12)
    segment = Segment.objects.create(pk=pk, name=name, kind="live", state=state, **times)
    segment.version = SegmentVersion.objects.create(segment=segment, number=1, definition=rule, created_at=LONG_AGO)
    segment.save(update_fields=["version"])
    return segment.pk


def make_list(pk: int | None = None, *, name: str = "", state: str = "ready") -> int:
    """Make a static list; returns its id."""
    times = {"created_at": LONG_AGO, "updated_at": LONG_AGO}
    name = name or get_random_string(12)
    return Segment.objects.create(pk=pk, name=name, kind="static", state=state, **times).pk


def _contact(someone: Someone) -> Contact:
    values = {"created_at": LONG_AGO, **someone.values}
    erased_at = LONG_AGO if someone.is_erased else None
    return Contact(
        email=someone.email,
        customer_id=someone.customer_id,
        erased_at=erased_at,
        attributes=someone.attributes,
        **values,
    )


def _activity(contact_id: int, act: Act) -> Activity:
    return Activity(
        contact_id=contact_id,
        kind=act.kind,
        source_key=f"test:{next(_numbers)}",
        occurred_at=act.at,
        product_id=act.product,
        shop_channel=act.channel,
        order_ref=act.order,
        amount=act.amount,
        currency=act.currency,
        subject=act.subject,
        data={"expires_at": act.expires_at.isoformat()} if act.expires_at else {},
    )
