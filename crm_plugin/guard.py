"""A failing CRM never fails the shop: every door that the shop calls is guarded, logged and counted."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import ParamSpec

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, models, transaction
from django.db.models import F

from crm_plugin import clock

logger = logging.getLogger(__name__)
P = ParamSpec("P")


class Failure(models.Model):
    """How often one guarded door failed, and how it failed last; ``manage.py crm status`` shows it."""

    door = models.CharField(max_length=100, primary_key=True)
    count = models.PositiveBigIntegerField(default=0)
    last_error = models.TextField()
    last_at = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.door}: {self.count}"


def guarded(door: str, *, asks_database: bool = True) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Return a decorator that keeps every failure of a door inside it. Misconfiguration is not hidden.

    Inside a transaction of the shop the body gets a savepoint, so that a failed statement of ours does not abort what
    the shop was doing.

    Args:
        door: the name under which failures are counted.
        asks_database: False for a hot door that does nothing but ``activity.record``, which has a savepoint of its own
            for no further round trip.
    """

    def decorate(body: Callable[P, None]) -> Callable[P, None]:
        @wraps(body)
        def call(*args: P.args, **kwargs: P.kwargs) -> None:
            needs_savepoint = asks_database and transaction.get_connection().in_atomic_block
            try:
                with transaction.atomic() if needs_savepoint else nullcontext():
                    body(*args, **kwargs)
            except ImproperlyConfigured:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the shop goes on
                what = _without_values(error)
                frames = "".join(traceback.format_tb(error.__traceback__))
                logger.error("crm: %s failed; the shop goes on: %s\n%s", door, what, frames, extra={"door": door})
                _count(door, what)

        return call

    return decorate


def _without_values(error: Exception) -> str:
    """Return type and first line: what PostgreSQL writes below it (DETAIL) quotes the row, e-mail address and all."""
    return f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:500]


def _count(door: str, error: str) -> None:
    row = Failure(door=door, count=1, last_error=error, last_at=clock.now())
    try:
        with transaction.atomic():
            updated = Failure.objects.filter(pk=door).update(
                count=F("count") + 1, last_error=row.last_error, last_at=row.last_at
            )
            if not updated:
                row.save(force_insert=True)
    except (DatabaseError, InterfaceError):  # the second is not one of the first
        logger.warning("crm: the failure of %s could not be counted", door, extra={"door": door})


def failures() -> dict[str, int]:
    """Return how often each door failed."""
    return dict(Failure.objects.values_list("door", "count"))


def last_failures() -> dict[str, str]:
    """Return when and how each door failed last."""
    return {row.door: f"{row.last_at.isoformat(timespec='seconds')} {row.last_error}" for row in Failure.objects.all()}


def forget_failures() -> int:
    """Begin to count anew, once somebody has looked; return how many doors had failed."""
    return Failure.objects.all().delete()[0]
