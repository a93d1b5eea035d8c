"""The guard: a failing CRM never fails the shop."""

from __future__ import annotations

import logging

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, IntegrityError, connection, transaction

from crm_plugin import activity, guard
from crm_plugin.models import Failure, Inbox
from crm_plugin.shop import Fact, FactKind

pytestmark = pytest.mark.django_db(transaction=True)


DETAIL = "DETAIL: Key (email)=(ann@example.com) already exists."


@guard.guarded("test.boom")
def boom() -> None:
    raise RuntimeError(f"boom\n{DETAIL}")


@guard.guarded("test.sql")
def broken_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")


@pytest.mark.parametrize("door", [boom, broken_sql])
def test_what_fails_inside_is_counted_and_the_shops_transaction_goes_on(door, caplog):
    with transaction.atomic():
        door()
        door()
        Inbox.objects.create(kind="viewed", source_key="the shop's own write", occurred_at="2026-01-01T00:00Z")

    assert Inbox.objects.count() == 1
    assert Failure.objects.get().count == 2
    assert sum(record.levelno == logging.ERROR for record in caplog.records) == 2


def test_neither_log_nor_count_quotes_a_row(caplog):
    boom()

    assert "ann@example.com" not in caplog.text
    assert "ann@example.com" not in Failure.objects.get().last_error
    assert "RuntimeError: boom" in Failure.objects.get().last_error


def test_a_misconfiguration_is_not_hidden():
    @guard.guarded("test.misconfigured")
    def misconfigured() -> None:
        raise ImproperlyConfigured("say what to do")

    with pytest.raises(ImproperlyConfigured):
        misconfigured()

    assert Failure.objects.count() == 0


def test_a_hot_door_needs_no_savepoint_of_its_own(django_assert_num_queries):
    fact = Fact(kind=FactKind.VIEWED, source_key="v", customer_id="7")
    hot = guard.guarded("test.hot", asks_database=False)(activity.record)

    with transaction.atomic(), django_assert_num_queries(1):
        hot(fact)

    assert Inbox.objects.count() == 1


def test_a_record_that_fails_leaves_the_shops_transaction_as_it_was():
    too_long = Fact(kind=FactKind.VIEWED, source_key="v", customer_id="7" * 65)

    with transaction.atomic():
        with pytest.raises(DatabaseError):
            activity.record(too_long)
        activity.record(Fact(kind=FactKind.VIEWED, source_key="w", customer_id="7"))

    assert list(Inbox.objects.values_list("source_key", flat=True)) == ["w"]


def test_a_broken_transaction_of_the_shop_stays_the_shops_problem():
    @guard.guarded("test.late")
    def late() -> None:
        activity.record(Fact(kind=FactKind.VIEWED, source_key="v", customer_id="7"))

    def request() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                try:
                    cursor.execute("INSERT INTO crm_plugin_failure (door) VALUES (NULL)")
                except IntegrityError:
                    late()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        request()

    assert Inbox.objects.count() == 0
