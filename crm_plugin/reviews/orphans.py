"""Files of pictures that no review names.

A process that dies between writing a file and its commit leaves one, and so does one that dies between the commit that
took a review away and the deletion of its files. The second kind may show somebody who was erased, so it is looked for
in old folders, too. Storage cannot take part in a transaction; this is what makes up for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, timedelta
from typing import Final

from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from crm_plugin import clock
from crm_plugin.reviews import pictures
from crm_plugin.reviews.models import ReviewPicture

logger = logging.getLogger(__name__)

#: A younger file may be of a review that is being written at this moment. Days, as folders are.
YOUNGEST: Final = 2
#: Folders that are looked at daily; one that is older, once in so many days.
SOON, EVERY = 8, 30
#: Names in one statement.
_NAMES: Final = 500


def drop_orphans() -> int:
    """Delete files that no row names, and return how many; once a day, any other call does nothing.

    A storage that fails, or that cannot list its files, spoils nothing else: the next day is another one.
    """
    today = clock.now().date()
    try:
        if not cache.add(f"crm:review_orphans:{today}", 1, timeout=timedelta(days=1).total_seconds()):
            return 0
        return sum(_drop_of(day) for day in _due(today))
    except Exception:
        logger.exception("crm: the pictures of reviews were not looked through; it is tried again tomorrow")
        return 0


def _due(today: date) -> Iterator[date]:
    """Return the days whose folders are looked at today."""
    for name in _listed(pictures.FOLDER)[0]:
        try:
            day = date.fromisoformat(name)
        except ValueError:
            continue  # not one of ours
        age = (today - day).days
        if YOUNGEST <= age <= SOON or (age > SOON and age % EVERY == 0):
            yield day


def _drop_of(day: date) -> int:
    folder = pictures.folder_of(day)
    begins = clock.day_start(day, UTC)
    # Those of reviews of that time are found by an index; any other is asked for by its name.
    near = ReviewPicture.objects.filter(
        review__written_at__gte=begins - timedelta(days=1), review__written_at__lt=begins + timedelta(days=2)
    )
    candidates = sorted({f"{folder}/{name}" for name in _listed(folder)[1]} - _files(near))
    orphans: list[str] = []
    for at in range(0, len(candidates), _NAMES):
        names = candidates[at : at + _NAMES]
        orphans += sorted(set(names) - _files(ReviewPicture.objects.filter(file__in=names)))
    pictures.drop(orphans)
    if orphans:
        logger.info("crm: %s pictures of %s that no review names were deleted", len(orphans), day)
    return len(orphans)


def _files(rows: QuerySet[ReviewPicture]) -> set[str]:
    return set(rows.values_list("file", flat=True))


def _listed(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of folders and files; none of a folder that is not there."""
    try:
        return default_storage.listdir(folder)
    except (FileNotFoundError, NotImplementedError):
        return [], []
