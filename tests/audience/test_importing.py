"""Importing a CSV file into a list: resumable, told line by line, and without a trace when it is only tried."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.db import connection

from crm_plugin import audience, contacts, persons, pipeline
from crm_plugin.audience import ListImport, Segment
from crm_plugin.contacts import Person
from crm_plugin.errors import InvalidInput, NotFound
from crm_plugin.models import AttributeChange, Consent, Contact, Inbox, Member, Touched
from tests.audience.living import EVERYBODY, emails, guest, quiet, told
from tests.fake_shop import FakeShop

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fake_shop")]


@pytest.fixture
def made() -> Segment:
    """A list."""
    return audience.create_segment("List")


@pytest.fixture
def two_lines_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches so small that there are several."""
    step = audience.import_step
    monkeypatch.setattr(audience, "import_step", lambda **more: step(**more, limit=2))


def run(made: Segment, content: bytes, *, is_dry_run: bool = False) -> ListImport:
    started = audience.start_import(made.pk, content, is_dry_run=is_dry_run)
    pipeline.upkeep_audience()
    return audience.imports().get(pk=started.pk)


def numbers(row: ListImport) -> tuple[str, int, int, int, int]:
    return row.state, row.lines_count, row.done_count, row.added_count, row.refused_count


def test_addresses_and_customers_are_put_in_and_new_ones_become_contacts_without_consent(
    made: Segment, fake_shop: FakeShop
) -> None:
    ann = guest("ann@example.com")
    account = fake_shop.add_customer(email="eve@example.com", first_name="Eve")
    content = f"email,customer_id\nANN@example.com,\nnew@example.com,\n,{account.customer_id}\n".encode()

    row = run(made, content)
    quiet()

    assert numbers(row) == ("done", 3, 3, 3, 0)
    assert emails(made) == ["ann@example.com", "eve@example.com", "new@example.com"]
    assert Contact.objects.get(customer_id=account.customer_id).first_name == "Eve"
    assert Contact.objects.get(email="ann@example.com").pk == ann
    assert (Contact.objects.count(), Consent.objects.count()) == (3, 0)
    assert sorted(told(made)) == [("segment_joined", f"{name}@example.com") for name in ("ann", "eve", "new")]
    assert audience.segments().get(pk=made.pk).members_count == 3


def test_the_file_is_kept_no_longer_than_it_is_needed(made: Segment) -> None:
    row = run(made, b"email\nann@example.com\n")

    assert (bytes(row.content), row.finished_at is None) == (b"", False)


def test_lines_that_are_refused_say_why(made: Segment, fake_shop: FakeShop) -> None:
    blocked = fake_shop.add_customer(email="Blocked@example.com")
    guest("gone@example.com")
    persons.erase(email="gone@example.com")
    contacts.suppress("blocked@example.com", channel="email", reason="complaint")
    content = (
        "customer_id,email\n"
        ",ann@example.com\n"
        ",nonsense\n"
        "77,\n"
        f"{blocked.customer_id},\n"
        ",BLOCKED@example.com\n"
        ",gone@example.com\n"
        ",Ann@example.com\n"
    )

    row = run(made, content.encode())

    assert numbers(row) == ("done", 7, 7, 1, 6)
    assert row.errors == [
        {"line": 3, "message": "This is not an e-mail address."},
        {"line": 4, "message": "The shop has no customer with this id."},
        {"line": 5, "message": "This address is blocked: complaint."},
        {"line": 6, "message": "This address is blocked: complaint."},
        {"line": 7, "message": "This person asked to be forgotten."},
        {"line": 8, "message": "The same person as in line 2."},
    ]
    assert emails(made) == ["ann@example.com"]
    assert set(Contact.objects.values_list("email", flat=True)) == {"ann@example.com", None}


def test_only_the_first_thousand_refused_lines_are_kept(made: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["crm_plugin.audience.importing"], "MAX_ERRORS", 3)

    row = run(made, b"email\n" + b"nonsense\n" * 5)

    assert (row.refused_count, [error["line"] for error in row.errors]) == (5, [2, 3, 4])


def test_a_dry_run_finds_the_same_and_writes_nothing(made: Segment, fake_shop: FakeShop) -> None:
    account = fake_shop.add_customer()
    guest("ann@example.com")
    quiet()
    before = rows_of_every_table()
    content = f"email,customer_id\nann@example.com,\nnew@example.com,\n,{account.customer_id}\nnonsense,\n".encode()

    dry = run(made, content, is_dry_run=True)
    after = rows_of_every_table()
    real = run(made, content)

    assert numbers(dry) == numbers(real) == ("done", 4, 4, 3, 1)
    assert dry.errors == real.errors
    assert {table for table in after if after[table] != before[table]} == {"crm_plugin_listimport"}


def rows_of_every_table() -> dict[str, int]:
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name.startswith("crm_plugin_")]
        counts = {}
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
            counts[table] = cursor.fetchone()[0]
    return counts


@pytest.mark.usefixtures("two_lines_at_once")
def test_progress_is_readable_while_it_runs(made: Segment) -> None:
    started = audience.start_import(made.pk, b"email\n" + b"".join(b"%d@example.com\n" % n for n in range(5)))
    seen = []
    while pipeline._import_once():
        seen.append(numbers(audience.imports().get(pk=started.pk)))

    assert seen == [("running", 5, 2, 2, 0), ("running", 5, 4, 4, 0), ("done", 5, 5, 5, 0)]


@pytest.mark.usefixtures("two_lines_at_once")
def test_killed_in_the_middle_it_goes_on_where_it_was_and_adds_nobody_twice(
    made: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = audience.start_import(made.pk, b"email\n" + b"".join(b"%d@example.com\n" % n for n in range(5)))
    pipeline._import_once()
    module = sys.modules["crm_plugin.audience.importing"]
    real = module.add_members

    def killed(*args: Any) -> int:
        real(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "add_members", killed)
    with pytest.raises(KeyboardInterrupt):
        pipeline._import_once()
    dead = numbers(audience.imports().get(pk=started.pk)), len(emails(made))
    monkeypatch.setattr(module, "add_members", real)
    quiet()

    assert dead == (("running", 5, 2, 2, 0), 2)
    assert numbers(audience.imports().get(pk=started.pk)) == ("done", 5, 5, 5, 0)
    assert len(emails(made)) == len(told(made)) == 5


def test_the_same_file_twice_adds_nobody_the_second_time(made: Segment) -> None:
    first, second = (run(made, b"email\nann@example.com\nben@example.com\n") for _ in range(2))

    assert (first.added_count, second.added_count, second.refused_count) == (2, 0, 0)
    assert len(told(made)) == 2


@pytest.mark.parametrize("content", [b"", b"phone\n1\n", b"email\n\0\n", b'email\n"a'])
def test_a_file_that_cannot_be_read_leaves_nothing(made: Segment, content: bytes) -> None:
    with pytest.raises(InvalidInput):
        audience.start_import(made.pk, content)

    assert (ListImport.objects.count(), Contact.objects.count()) == (0, 0)


def test_only_a_list_takes_a_file() -> None:
    segment = audience.create_segment("Live", {"include": EVERYBODY})

    with pytest.raises(InvalidInput):
        audience.start_import(segment.pk, b"email\n")
    with pytest.raises(NotFound):
        audience.start_import(404_404_404, b"email\n")

    assert ListImport.objects.count() == 0


def test_a_file_without_people_is_done_at_once(made: Segment) -> None:
    assert numbers(run(made, b"email\n")) == ("done", 0, 0, 0, 0)


def test_an_import_into_a_list_that_is_archived_meanwhile_fails_and_holds_up_no_other(made: Segment) -> None:
    other = audience.create_segment("Other")
    started = audience.start_import(made.pk, b"email\nann@example.com\n")
    audience.archive_segment(made.pk)
    second = run(other, b"email\nben@example.com\n")

    first = audience.imports().get(pk=started.pk)
    assert (first.state, first.errors) == ("failed", [{"line": 0, "message": "segment: The list is archived."}])
    assert (first.finished_at is None, bytes(first.content)) == (False, b"")
    assert (second.state, emails(other)) == ("done", ["ben@example.com"])
    assert (emails(made), Inbox.objects.filter(subject=f"segment:{made.pk}").count()) == ([], 0)


def test_a_customer_whose_address_another_contact_has_is_merged_as_everywhere(
    made: Segment, fake_shop: FakeShop
) -> None:
    first = fake_shop.add_customer(email="ann@example.com")
    holder = contacts.get_or_create(Person(first.customer_id, "ann@example.com"))
    fake_shop.change_customer(first.customer_id, email="moved@example.com")
    second = fake_shop.add_customer(email="ann@example.com")

    row = run(made, f"customer_id\n{second.customer_id}\n".encode())

    assert row.added_count == 1
    assert Contact.objects.get(pk=holder.pk).email == "moved@example.com"
    assert emails(made) == ["ann@example.com"]


def test_a_large_file_takes_few_statements(made: Segment, django_assert_max_num_queries: Any) -> None:
    content = b"email\n" + b"".join(b"%d@example.com\n" % n for n in range(2_000))
    audience.start_import(made.pk, content)

    with django_assert_max_num_queries(50):
        pipeline._import_once()

    assert Member.objects.count() == 2_000
    assert set(Touched.objects.values_list("contact_id", flat=True)) == set(
        Contact.objects.values_list("pk", flat=True)
    )


def test_further_columns_set_declared_attributes(made: Segment) -> None:
    contacts.declare_attribute("points", "number", keeps_history=True)
    contacts.declare_attribute("is_vip", "boolean")
    contacts.declare_attribute("likes", "tags")
    guest("ben@example.com")

    done = run(
        made,
        b"email,Points,is_vip,likes\nann@example.com,3000.50,yes,tea|honey\nben@example.com,,no,\ncem@example.com,many,,\n",
    )

    assert dict(Contact.objects.exclude(attributes={}).values_list("email", "attributes")) == {
        "ann@example.com": {"points": 3000.5, "is_vip": True, "likes": ["tea", "honey"]},
        "ben@example.com": {"is_vip": False},
    }
    assert done.errors == [{"line": 4, "message": "'points' has to be a number below 10^15."}]
    assert (done.added_count, done.refused_count) == (2, 1)
    assert AttributeChange.objects.get().source == "import"


def test_a_dry_run_sets_no_attribute(made: Segment) -> None:
    contacts.declare_attribute("points", "number", keeps_history=True)

    run(made, b"email,points\nann@example.com,5\n", is_dry_run=True)

    assert not AttributeChange.objects.exists()


def test_a_file_with_attributes_alone_names_nobody(made: Segment) -> None:
    contacts.declare_attribute("points", "number")

    with pytest.raises(InvalidInput, match="must name the columns"):
        audience.start_import(made.pk, b"points\n5\n")
