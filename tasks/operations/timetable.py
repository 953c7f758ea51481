"""Finds the jobs that are due, by the timetable and the rows that say what was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from celery.schedules import crontab

from beat_schedule import TIMETABLE, Entry
from shared.store.db.pool import Conn
from shared.store.operations import jobs as store

LOOK_BACK = timedelta(days=366)


CATCH_UP_AFTER = timedelta(minutes=2)
"""After a job's hour and its jitter: when every installation has begun. What still owes the hour has lost its
message."""


@dataclass(frozen=True, slots=True)
class Due:
    """slot: the hour of the timetable that is not done yet."""

    name: str
    slot: datetime


def due(conn: Conn, now: datetime, timetable: Mapping[str, Entry] = TIMETABLE) -> list[Due]:
    """Return the jobs that owe an hour and may run now, the longest overdue first: nobody runs them, they are not
    paused, and the pause after a failure is over."""
    store.ensure(conn, {name: latest(entry.at, now) for name, entry in timetable.items()})
    rows = store.owed(conn)
    found = []
    for name, entry in timetable.items():
        row = rows[name]
        slot = latest(entry.at, now)
        if row.slot < slot and now - slot <= entry.expires and not (row.leased or row.waits or row.paused):
            found.append(Due(name, slot))
    return sorted(found, key=lambda d: (d.slot, d.name))


def late(conn: Conn, now: datetime, timetable: Mapping[str, Entry] = TIMETABLE) -> list[Due]:
    """Return those of due() whose own message should have led to a run by now, and those that have begun."""
    begun = {name for name, row in store.owed(conn).items() if row.unfinished or row.failed}
    return [
        one for one in due(conn, now, timetable)
        if one.name in begun or now - one.slot >= timetable[one.name].jitter + CATCH_UP_AFTER
    ]  # fmt: skip


def slot_of(conn: Conn, name: str, now: datetime, timetable: Mapping[str, Entry] = TIMETABLE) -> datetime | None:
    """Return the hour for which a job is due; None if it is not due (any more)."""
    return next((d.slot for d in due(conn, now, {name: timetable[name]})), None)


def latest(at: crontab, now: datetime) -> datetime:
    """The newest time up to now that the entry names. Raises ValueError where there was none for a year."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    day = minute
    while minute - day <= LOOK_BACK:
        if _on_day(at, day):
            hours = [h for h in sorted(at.hour, reverse=True) if day.date() < minute.date() or h <= minute.hour]
            for hour in hours:
                limit = minute.minute if day.date() == minute.date() and hour == minute.hour else 59
                minutes = [m for m in at.minute if m <= limit]
                if minutes:
                    return day.replace(hour=hour, minute=max(minutes))
        day -= timedelta(days=1)
    raise ValueError(f"{at} names no time of the last year")


def following(at: crontab, now: datetime) -> datetime:
    """The next time after now that the entry names. Raises ValueError where there is none for a year."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    day = minute
    while day - minute <= LOOK_BACK:
        if _on_day(at, day):
            for hour in sorted(at.hour):
                for m in sorted(at.minute):
                    time = day.replace(hour=hour, minute=m)
                    if time >= minute:
                        return time
        day += timedelta(days=1)
    raise ValueError(f"{at} names no time of the coming year")


def _on_day(at: crontab, day: datetime) -> bool:
    # crontab's Sunday is 0
    return day.month in at.month_of_year and day.day in at.day_of_month and (day.isoweekday() % 7) in at.day_of_week
