"""Files that no review names go; those of a review never do, nor those that are being written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage

from crm_plugin import clock, pipeline, reviews
from crm_plugin.models import Review, ReviewPicture
from crm_plugin.reviews import orphans, pictures
from tests.reviews.conftest import files_in, picture

pytestmark = pytest.mark.django_db

TWO_DAYS, A_MONTH = timedelta(days=2), timedelta(days=30)


@pytest.fixture(autouse=True)
def _no_cache_of_other_tests():
    cache.clear()
    yield
    cache.clear()


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours runs after it."""


@pytest.fixture
def die_before_the_commit(monkeypatch, submit):
    """Send a review; the process dies when its file is there and its row is not committed."""

    def die() -> None:
        def killed(*_args: object) -> None:
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(ReviewPicture.objects, "bulk_create", killed)
            patch.setattr(pictures, "drop", lambda _names: None)  # a dead process cleans nothing up
            with pytest.raises(Killed):
                submit(order_ref="dead", pictures=[picture()])

    return die


def test_what_a_dead_process_left_is_deleted_once_it_is_old_enough(submit, die_before_the_commit, media):
    kept = submit(pictures=[picture(), picture()])
    die_before_the_commit()
    assert len(files_in(media)) == 3

    with clock.travel(by=timedelta(days=1)):
        assert reviews.drop_orphans() == 0
    with clock.travel(by=TWO_DAYS):
        pipeline.housekeep()

    names = list(ReviewPicture.objects.filter(review=kept).values_list("file", flat=True))
    assert files_in(media) == sorted(media / name for name in names)
    assert len(names) == 2


@pytest.mark.parametrize(("days", "is_found"), [(1, False), (2, True), (8, True), (9, False), (29, False), (30, True)])
def test_young_folders_are_looked_at_daily_and_old_ones_once_a_month(die_before_the_commit, days, is_found):
    die_before_the_commit()

    with clock.travel(by=timedelta(days=days)):
        assert reviews.drop_orphans() == is_found


def test_the_picture_of_an_erased_person_goes_though_the_process_died_before_deleting_it(submit, media):
    review = submit(pictures=[picture()])
    Review.objects.filter(pk=review.pk).delete()  # committed; the files were to be deleted next

    with clock.travel(by=A_MONTH):
        reviews.drop_orphans()

    assert files_in(media) == []


def test_a_file_whose_review_was_written_on_another_day_stays(submit, media):
    review = submit(pictures=[picture()])
    Review.objects.filter(pk=review.pk).update(written_at=clock.now() - timedelta(days=100))

    with clock.travel(by=TWO_DAYS):
        assert reviews.drop_orphans() == 0

    assert len(files_in(media)) == 1


def test_it_is_looked_through_once_a_day(die_before_the_commit):
    with clock.travel(by=TWO_DAYS):
        reviews.drop_orphans()
    die_before_the_commit()

    with clock.travel(by=TWO_DAYS):
        assert reviews.drop_orphans() == 0
    with clock.travel(by=TWO_DAYS + timedelta(days=1)):
        assert reviews.drop_orphans() == 1


def test_what_is_not_ours_is_left_alone(submit, media):
    (media / pictures.FOLDER / "banners").mkdir(parents=True)
    (media / pictures.FOLDER / "banners" / "spring.jpg").write_bytes(b"x")

    with clock.travel(by=TWO_DAYS):
        assert reviews.drop_orphans() == 0

    assert len(files_in(media)) == 1


@pytest.mark.parametrize(("error", "is_logged"), [(NotImplementedError(), False), (OSError("away"), True)])
def test_a_storage_that_lists_nothing_spoils_nothing(die_before_the_commit, monkeypatch, caplog, error, is_logged):
    die_before_the_commit()

    def fail(_folder: str) -> None:
        raise error

    monkeypatch.setattr(default_storage, "listdir", fail)
    with clock.travel(by=TWO_DAYS):
        assert reviews.drop_orphans() == 0

    assert bool(caplog.records) == is_logged


def test_only_so_many_names_are_asked_for_at_once(die_before_the_commit, monkeypatch, media):
    monkeypatch.setattr(orphans, "_NAMES", 2)
    for _ in range(5):
        die_before_the_commit()

    with clock.travel(by=TWO_DAYS):
        assert reviews.drop_orphans() == 5

    assert files_in(media) == []
