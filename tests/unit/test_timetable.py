"""The timetable's hours: the newest one that has come, and the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from celery.schedules import crontab

from beat_schedule import TIMETABLE, WAKEUPS, schedule
from tasks.operations import timetable
from tasks.registry import JOBS

NOON = datetime(2031, 3, 5, 12, 0, 30, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("at", "latest", "following"),
    [
        (crontab(), "03-05 12:00", "03-05 12:01"),
        (crontab(minute=10, hour="*/6"), "03-05 06:10", "03-05 12:10"),
        (crontab(minute=0, hour=12), "03-05 12:00", "03-06 12:00"),
        (crontab(minute=1, hour=12), "03-04 12:01", "03-05 12:01"),
        (crontab(minute=0, hour=4, day_of_month=1), "03-01 04:00", "04-01 04:00"),
        (crontab(minute=30, hour=23, day_of_week="sun"), "03-02 23:30", "03-09 23:30"),
        (crontab(minute="*/15"), "03-05 12:00", "03-05 12:15"),
    ],
)
def test_the_newest_hour_and_the_next_one(at: crontab, latest: str, following: str) -> None:
    assert timetable.latest(at, NOON).strftime("%m-%d %H:%M") == latest
    assert timetable.following(at, NOON).strftime("%m-%d %H:%M") == following


def test_the_year_turns(  # the month before January is December
) -> None:
    new_year = datetime(2032, 1, 1, 3, 59, tzinfo=UTC)

    assert timetable.latest(crontab(minute=0, hour=4, day_of_month=1), new_year) == datetime(2031, 12, 1, 4, tzinfo=UTC)


def test_an_hour_that_never_comes_is_an_error() -> None:
    with pytest.raises(ValueError, match="no time"):
        timetable.latest(crontab(minute=0, hour=0, day_of_month=29, month_of_year=2), NOON)


def test_every_job_stands_in_the_timetable_with_its_reason_and_every_entry_is_a_job() -> None:
    assert set(TIMETABLE) == set(JOBS)
    for name, entry in TIMETABLE.items():
        assert len(entry.why) > 20, name
        between = timetable.following(entry.at, NOON) - timetable.latest(entry.at, NOON)
        # the next hour does all of the work, so a run may come as late as that and not later
        assert timedelta(0) <= entry.jitter < entry.expires <= between, name


def test_every_ring_has_its_reason_an_expiry_and_a_jitter_that_a_worker_may_hold() -> None:
    for name, wakeup in WAKEUPS.items():
        assert len(wakeup.why) > 20, name
        between = timetable.following(wakeup.at, NOON) - timetable.latest(wakeup.at, NOON)
        assert timedelta(0) < wakeup.jitter < wakeup.expires < between, name
        assert wakeup.jitter <= timedelta(seconds=60), name


def test_an_installation_rings_at_its_own_place_within_the_jitter() -> None:
    for name, entry in schedule(0.5).items():
        assert entry["options"]["countdown"] == WAKEUPS[name].jitter.total_seconds() / 2
        assert entry["options"]["queue"] == WAKEUPS[name].queue
