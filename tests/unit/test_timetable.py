"""The timetable's hours: the newest one that has come, and the next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.beat import Scheduler
from celery.schedules import crontab

from beat_schedule import TIMETABLE, WAKEUPS, later, schedule
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


def test_every_wake_up_has_its_reason_an_expiry_and_a_jitter() -> None:
    for name, entry in WAKEUPS.items():
        assert len(entry.why) > 20, name
        between = timetable.following(entry.at, NOON) - timetable.latest(entry.at, NOON)
        assert timedelta(0) < entry.jitter < entry.expires < between, name


@pytest.mark.parametrize("phase", [0.0, 0.25, 0.5, 0.999, 1.0])
def test_an_installation_starts_each_task_at_its_own_place_within_the_jitter(phase: float) -> None:
    for name, entry in schedule(phase).items():
        wanted = (TIMETABLE | WAKEUPS)[name]
        slot = timetable.latest(wanted.at, NOON)
        countdown_s = entry["options"]["countdown"]
        starts = timetable.latest(entry["schedule"], slot + wanted.jitter) + timedelta(seconds=countdown_s)
        if wanted.at != entry["schedule"]:  # an entry of each minute begins again within its jitter
            assert abs((starts - slot) - wanted.jitter * phase) < timedelta(seconds=0.1), name
        assert 0 <= countdown_s < 60 or (countdown_s == 60 and wanted.jitter == timedelta(minutes=1)), name


@pytest.mark.parametrize(
    ("at", "minutes", "moved"),
    [
        (crontab(minute=50), 15, crontab(minute=5)),
        (crontab(minute="*/10"), 3, crontab(minute="3-59/10")),
        (crontab(minute=50, hour=2), 15, crontab(minute=5, hour=3)),
        (crontab(minute=10, hour="*/6"), 5, crontab(minute=15, hour="*/6")),
        (crontab(minute=30, hour=5, day_of_week=0), 119, crontab(minute=29, hour=7, day_of_week=0)),
        (crontab(minute=0, hour=4, day_of_month=1), 20, crontab(minute=20, hour=4, day_of_month=1)),
        (crontab(), 7, crontab()),
    ],
)
def test_a_crontab_is_moved_by_minutes_on_the_same_days(at: crontab, minutes: int, moved: crontab) -> None:
    found = later(at, minutes)

    for field in ("minute", "hour", "day_of_week", "day_of_month", "month_of_year"):
        assert getattr(found, field) == getattr(moved, field), field


@pytest.mark.parametrize(
    "at", [crontab(minute=50, hour=23), crontab(minute="40,59", hour=3), crontab(minute=55, hour="*/23")]
)
def test_a_crontab_that_cannot_be_moved_is_an_error(at: crontab) -> None:
    with pytest.raises(ValueError, match="same days"):
        later(at, 15)


class Sent(Scheduler):
    """Celery's own scheduler, whose clock and broker are a test's."""

    producer = None  # it would connect

    def __init__(self, phase: float, now: datetime) -> None:
        self.now, self.sent = now, list[tuple[str, datetime]]()
        app_of_this = Celery("beats", set_as_current=False)
        app_of_this.now = lambda: self.now
        super().__init__(app_of_this, schedule={}, lazy=True)
        entries = schedule(phase)
        for entry in entries.values():
            entry["schedule"].nowfun = app_of_this.now
        self.schedule = {
            name: self.Entry(name=name, app=app_of_this, last_run_at=now, **entry) for name, entry in entries.items()
        }

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **_: Any) -> Any:
        """Note what would be published."""
        entry = self.reserve(entry) if advance else entry
        self.sent.append((entry.task, self.now + timedelta(seconds=entry.options["countdown"])))
        return SimpleNamespace(id="sent")

    def pass_time(self, until: datetime) -> None:
        while self.now < until:
            self.now += timedelta(seconds=max(0.02, self.tick()))  # 0 after each task that it sends


def test_celerys_scheduler_sends_every_hour_of_two_days_once_at_the_installations_place() -> None:
    since = datetime(2031, 5, 3, 0, 0, 45, tzinfo=UTC)  # a Saturday
    until = since + timedelta(days=2)

    beat = Sent(0.5, since)
    beat.pass_time(until)

    sent: dict[str, list[datetime]] = {}
    for name, at in beat.sent:
        sent.setdefault(name, []).append(at)
    for name, entry in (TIMETABLE | WAKEUPS).items():
        late = entry.jitter * 0.5
        wanted, at = [], timetable.following(entry.at, since - late)
        while at + late < until:
            wanted.append(at + late)
            at = timetable.following(entry.at, at)
        found = sent.get(name, [])
        assert len(found) in (len(wanted), len(wanted) - 1), name  # the last may be past the end by its countdown
        for is_at, was_wanted in zip(found, wanted, strict=False):
            assert abs(is_at - was_wanted) < timedelta(seconds=3), name
