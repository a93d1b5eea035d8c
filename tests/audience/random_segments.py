"""People who do anything at any time while workers follow, sweep and build in any order, and sometimes die."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError

from crm_plugin import activity, audience, clock, contacts, persons, pipeline
from crm_plugin.audience import AudienceRule, Segment
from crm_plugin.contacts import ChannelKind, Person
from crm_plugin.models import Activity, Blocked, Contact, Inbox, Member, Touched
from crm_plugin.shop import Fact, FactKind
from tests.audience.living import EVERYBODY, did, within
from tests.fake_shop import FakeShop
from tests.fake_trade import order_facts

#: The night from Saturday to Sunday in which Berlin puts its clocks forward.
START = datetime(2026, 3, 28, 20, tzinfo=UTC)
EMAILS = ("ann@example.com", "ben@example.com", "account@example.com")
#: Telephones that people have, or share.
PHONES = ("+821012345678", "+821087654321")
ACCOUNT = 2

#: What a merchant may come to save; two of them name other segments.
RULES: tuple[dict[str, Any], ...] = (
    did("liked", times={"op": "at_least", "count": 2}, window=within(2)),
    {"type": "not", "of": did("searched", window={"type": "before", "amount": 90, "unit": "minutes"})},
    did("viewed", window={"type": "last_days", "days": 1}),
    {
        "type": "any",
        "of": [
            {"type": "consent", "channel": "email", "is": "granted"},
            {"type": "attribute", "name": "orders_count", "op": "gte", "value": 1},
        ],
    },
    did("liked", window={"type": "exactly_ago", "amount": 1, "unit": "hours"}),
    {
        "type": "sequence",
        "first": {"activity": "liked"},
        "then": {"activity": "viewed"},
        "happened": False,
        "within": {"amount": 30, "unit": "minutes"},
    },
    {"type": "all", "of": [EVERYBODY, {"type": "reachable", "channel": "email"}]},
)
#: Where a worker can die, or lose a lock: right after each of these has done its work.
POINTS: tuple[tuple[str, str], ...] = (
    ("audience.following", "change"),
    ("audience.following", "matching"),
    ("audience.building", "_compute"),
    ("audience.building", "_write"),
    ("audience.sweeping", "edges"),
    ("audience.lists", "change"),
)


def _wrong_blocks() -> list[str]:
    """Return what of the kept blocks is not what the gates say of the same addresses."""
    kept = set(Blocked.objects.values_list("contact_id", "channel"))
    wanted = set()
    for channel in ChannelKind:
        reaches = contacts.reach(Contact.objects.values_list("pk", flat=True), channel=channel)
        wanted |= {(pk, channel) for pk, one in reaches.items() if one.suppressed_for is not None}
    return [f"blocked are {kept}, wanted {wanted}"] if kept != wanted else []


class Killed(BaseException):
    """The worker is gone."""


class RandomSegments:
    """Plays steps: one method for each. After each one, whoever came or went must have been told, but for edits."""

    def __init__(self, fake: FakeShop) -> None:
        self.shop = fake
        self.now = START
        self.number = 0
        self.untold: set[int] = set()  # segments whose members a merchant's edit may have changed
        self.changed_people: set[int] = set()  # erased, or merged with another
        self.rows: dict[int, tuple[int, int, datetime]] = {}
        self.product = fake.add_product(price=50)
        with clock.travel(to=self.now):
            self.list = audience.create_segment("List")
            self.live = [audience.create_segment(f"Segment {n}", {"include": RULES[n]}) for n in range(3)]
            self.live.append(audience.create_segment("Both", {"include": self._naming()}))
            pipeline.upkeep_audience()  # empty, so that everybody who comes is told
            account = fake.add_customer(email=EMAILS[ACCOUNT])
            self.account_id = account.customer_id
            for email in EMAILS:
                contacts.get_or_create(self._who(email))

    def play(self, step: str, *values: Any, **named: Any) -> None:
        """Do one thing, a second after the one before, and look at what it did to the members."""
        self.now += timedelta(seconds=1)
        self.number += 1
        with clock.travel(to=self.now):
            getattr(self, step)(*values, **named)
        self._look()

    # People

    def like(self, person: int) -> None:
        self._does(person, FactKind.LIKED)

    def view(self, person: int) -> None:
        self._does(person, FactKind.VIEWED)

    def search(self, person: int) -> None:
        self._does(person, FactKind.SEARCHED)

    def late(self, person: int, minutes: int) -> None:
        """Something that happened a while ago is told only now."""
        self._does(person, FactKind.LIKED, occurred_at=self.now - timedelta(minutes=minutes))

    def order(self, person: int) -> None:
        customer_id = self.account_id if person == ACCOUNT else ""
        order = self.shop.place_order(self.product.ref, customer_id=customer_id, email=EMAILS[person])
        activity.record_many(order_facts(order))

    def consent(self, person: int, *, is_granted: bool) -> None:
        pk = contacts.get_or_create(self._who(EMAILS[person])).pk
        contacts.set_consent(pk, channel="email", is_granted=is_granted, source="test")

    def bounce(self, person: int, *, is_lifted: bool) -> None:
        if is_lifted:
            contacts.lift_suppression(EMAILS[person], channel="email")
        else:
            contacts.suppress(EMAILS[person], channel="email", reason="hard_bounce")

    def call_me(self, person: int, phone: int) -> None:
        """Somebody gives a number, their first or another one."""
        if found := self._known(person):
            contacts.set_phone(found[0], PHONES[phone])

    def stop(self, phone: int, *, is_lifted: bool) -> None:
        """Whoever has the telephone answers STOP, or START."""
        if is_lifted:
            contacts.lift_suppression(PHONES[phone], channel="sms")
        else:
            contacts.suppress(PHONES[phone], channel="sms", reason="stop")

    def erase(self, person: int) -> None:
        if found := contacts.find(email=EMAILS[person]):
            self.changed_people.add(found.pk)
            persons.erase(email=EMAILS[person])

    def take_over(self, person: int) -> None:
        """The account moves to the address of a guest: two contacts are one from now on."""
        guest, account = contacts.find(email=EMAILS[person]), contacts.find(customer_id=self.account_id)
        if person != ACCOUNT and guest and account:
            self.changed_people |= {guest.pk, account.pk}
            self.shop.change_customer(self.account_id, email=EMAILS[person])
            self._tell(FactKind.CUSTOMER_CHANGED, customer_id=self.account_id)

    # The merchant

    def put_in(self, person: int) -> None:
        audience.add_members(self.list.pk, self._known(person))

    def take_out(self, person: int) -> None:
        audience.remove_members(self.list.pk, self._known(person))

    def read_in(self, person: int) -> None:
        audience.start_import(self.list.pk, f"email\n{EMAILS[person]}\n".encode())

    def edit(self, segment: int, rule: int) -> None:
        audience.update_segment(self.live[segment].pk, rule={"include": RULES[rule]})
        self.untold |= {self.live[segment].pk, self.live[-1].pk}

    def archive_and_restore(self, segment: int) -> None:
        """The last one, which nobody names."""
        if segment == len(self.live) - 1:
            pk = self.live[-1].pk
            self.untold.add(pk)
            audience.archive_segment(pk)
            pipeline._clear_once()
            audience.restore_segment(pk)

    # Workers and time

    def sleep(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def work(self, *passes: str) -> None:
        for name in passes:
            run: Callable[[], object] = getattr(pipeline, name)
            run()

    def rest(self) -> None:
        """Do all that is to do at this moment; then every segment that has not failed is right."""
        for _ in range(20):
            if not pipeline.upkeep_audience() + pipeline.pump():
                break
        assert self._faults() == []

    def verify(self) -> None:
        """Compare a segment with its whole rule, as once a day."""
        audience.segments().filter(built_at__lt=self.now).update(built_at=self.now - timedelta(days=2))
        pipeline._build_once()

    def die(self, point: int, *passes: str, is_lock_lost: bool) -> None:
        """Work, and die (or lose a deadlock) right after something was done for the first time."""
        name, function = POINTS[point]
        module = sys.modules[f"crm_plugin.{name}"]
        real = getattr(module, function)

        def once(*args: Any, **more: Any) -> Any:
            setattr(module, function, real)
            real(*args, **more)
            raise OperationalError("deadlock detected") if is_lock_lost else Killed

        setattr(module, function, once)
        try:
            with suppress(Killed):
                self.work(*passes)
        finally:
            setattr(module, function, real)

    def settle_down(self) -> None:
        """Nothing happens any more, and the workers have all the time they need, also for what failed."""
        for _ in range(3):
            self.sleep(6)
            self.play("rest")
        assert not audience.segments().exclude(error="", state="ready").exists()
        assert (Inbox.objects.count(), Touched.objects.count()) == (0, 0)

    # What must hold

    def _faults(self) -> list[str]:
        found = [fault for one in [*self.live, self.list] for fault in self._faults_of(one)]
        keys = [*Activity.objects.values_list("source_key", flat=True), *Inbox.objects.values_list("source_key")]
        return [*found, *_wrong_blocks(), *(["a fact is told twice"] if len(set(keys)) < len(keys) else [])]

    def _faults_of(self, segment: Segment) -> list[str]:
        row = audience.segments().get(pk=segment.pk)
        members = set(Member.objects.filter(segment=row).values_list("contact_id", flat=True))
        faults = []
        if row.version is not None and not row.error:
            rule = AudienceRule.parse(row.version.definition)
            wanted = audience.matching(rule, list(Contact.objects.values_list("pk", flat=True)))
            faults += [f"{row.name} has {members}, wanted {wanted}"] if members != wanted else []
        if row.members_count != len(members):
            faults.append(f"{row.name} counts {row.members_count}, has {len(members)}")
        if row.pk not in self.untold:
            faults += self._sums(row, members)
        return faults

    def _sums(self, row: Segment, members: set[int]) -> list[str]:
        """Joins minus leaves are whether somebody is in: no merchant's edit was in between."""
        faults = []
        for pk in set(Contact.objects.values_list("pk", flat=True)) - self.changed_people:
            facts = Activity.objects.filter(contact=pk, subject=f"segment:{row.pk}")
            sum_ = facts.filter(kind="segment_joined").count() - facts.filter(kind="segment_left").count()
            faults += [f"{row.name}: {pk} joined {sum_} times"] if sum_ != (pk in members) else []
        return faults

    def _look(self) -> None:
        """Every row that is new was told as joining, every row that is gone as leaving; the others are as they were."""
        rows = {row[0]: row[1:] for row in Member.objects.values_list("pk", "segment_id", "contact_id", "joined_at")}
        for pk in self.rows.keys() ^ rows.keys():
            segment, contact, _at = rows.get(pk) or self.rows[pk]
            word = "joined" if pk in rows else "left"
            if segment not in self.untold and contact not in self.changed_people:
                key = f"segment:{segment}:{word}:{pk}"
                is_told = any(model.objects.filter(source_key=key).exists() for model in (Inbox, Activity))
                assert is_told, f"nobody was told {key}"
        for pk in self.rows.keys() & rows.keys():
            if self.rows[pk][1] not in self.changed_people:
                assert rows[pk] == self.rows[pk]
        self.rows = rows

    def _naming(self) -> dict[str, Any]:
        first, second = ({"type": "segment", "segment": one.pk} for one in self.live[:2])
        on_list = {"type": "segment", "segment": self.list.pk, "is_member": False}
        return {"type": "all", "of": [first, second, on_list]}

    def _who(self, email: str) -> Person:
        return Person(self.account_id if email == EMAILS[ACCOUNT] else "", email)

    def _known(self, person: int) -> list[int]:
        found = contacts.find(email=EMAILS[person])
        return [found.pk] if found else []

    def _does(self, person: int, kind: FactKind, **more: Any) -> None:
        product = {} if kind is FactKind.SEARCHED else {"product_id": self.product.product_id}
        self._tell(kind, email=EMAILS[person], shop_channel="default", **product, **more)

    def _tell(self, kind: FactKind, **more: Any) -> None:
        activity.record(Fact(kind=kind, source_key=f"{kind}:{self.number}", **more))
