"""The schedule of Celery beat, entry by entry. Hours are UTC; each entry says why this hour.

TIMETABLE holds the jobs by the names of their tasks; WAKEUPS the other tasks that beat starts. `schedule()` makes
Celery's `beat_schedule` of both. A message is a wake-up: the row of a job says which of its hours are done, so that two
beats do nothing twice and a fleet that was down catches up (docs/decisions/0023-every-job-an-entry-of-beats.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery.schedules import crontab

from shared import queues


@dataclass(frozen=True, slots=True)
class Entry:
    """A task at hours of its own.

    queue: whose workers hear it. expires: after so long the message is worth nothing, because the next one has come;
    for a job, an hour that was missed by more is left to the next one, which does all of its work too. jitter: an
    installation begins up to so much later than the hour, always at the same place of its own.
    """

    at: crontab
    why: str
    expires: timedelta
    jitter: timedelta
    queue: str = queues.MAINTENANCE


TIMETABLE: dict[str, Entry] = {
    "operations.make_partitions": Entry(
        crontab(minute=10, hour="*/6"),
        why="a week is made ahead; every six hours, so that a fleet that was down for days has room soon",
        expires=timedelta(hours=6),
        jitter=timedelta(minutes=5),
    ),
    "lifecycle.drop_raw_requests": Entry(
        crontab(minute=0, hour=2),
        why="the quietest hour of most inboxes, and behind midnight, so that a whole day has become old",
        expires=timedelta(hours=23),
        jitter=timedelta(minutes=10),
    ),
    "lifecycle.drop_logs": Entry(
        crontab(minute=0, hour=3),
        why="behind the raw bodies: the ledger says which of them a person still needs",
        expires=timedelta(hours=23),
        jitter=timedelta(minutes=10),
    ),
    "lifecycle.archive_messages": Entry(
        crontab(minute=0, hour=4, day_of_month=1),
        why="once a month is often enough for what is half a year old; behind the night's other jobs",
        expires=timedelta(days=27),
        jitter=timedelta(minutes=20),
    ),
    "lifecycle.delete_old_archives": Entry(
        crontab(minute=0, hour=5, day_of_month=1),
        why="behind the month's archival; does nothing unless somebody has set a bound",
        expires=timedelta(days=27),
        jitter=timedelta(minutes=20),
    ),
    "operations.record_table_sizes": Entry(
        crontab(minute=20, hour=0),
        why="in front of the night's jobs, so that a day's growth is seen before they take something away",
        expires=timedelta(hours=20),
        jitter=timedelta(minutes=5),
    ),
    "operations.evaluate_alerts": Entry(
        crontab(minute=5),
        why="often enough for what grows in hours; what grows in minutes is the metrics' to alert on",
        expires=timedelta(minutes=50),
        jitter=timedelta(minutes=5),
    ),
    "models.sync_prices": Entry(
        crontab(minute=45, hour=5),
        why="prices change in days; before the day's traffic, and away from the hours at which everybody asks",
        expires=timedelta(hours=20),
        jitter=timedelta(minutes=40),
    ),
    "models.send_digest": Entry(
        crontab(minute=25, hour=0),
        why="the day has just ended, so that counters of processes, which know no days, are nearly the day's",
        expires=timedelta(hours=22),
        jitter=timedelta(minutes=5),
    ),
    "models.send_report": Entry(
        crontab(minute=30, hour=6, day_of_month=1),
        why="the month is over; behind the night's jobs, because it reads a month of the ledger",
        expires=timedelta(days=20),
        jitter=timedelta(minutes=20),
    ),
    "answers.return_to_bot": Entry(
        crontab(minute="*/5"),
        why="hours have passed since anybody wrote, so minutes do not count; who writes meanwhile is answered at once",
        expires=timedelta(minutes=5),
        jitter=timedelta(minutes=1),
        queue=queues.REPLY,
    ),
    "knowledge.build_vector_indexes": Entry(
        crontab(minute="*/10"),
        why="a company that has grown is searched exactly until then, which a few thousand chunks more do not show",
        expires=timedelta(minutes=9),
        jitter=timedelta(minutes=2),
    ),
    "knowledge.find_popular": Entry(
        crontab(minute=50),
        why="what is asked often changes in hours; before the hour, when other jobs begin",
        expires=timedelta(minutes=55),
        jitter=timedelta(minutes=5),
        queue=queues.INDEX,
    ),
    "knowledge.warm_popular": Entry(
        crontab(minute="*/4"),
        why="a result is remembered for five minutes, and is to be renewed before it goes",
        expires=timedelta(minutes=4),
        jitter=timedelta(seconds=30),
        queue=queues.INDEX,
    ),
    "knowledge.refresh_documents": Entry(
        crontab(minute=30, hour=5, day_of_week=0),
        why="once a week: websites change slowly and should not be asked more often; Sunday, behind the night's jobs",
        expires=timedelta(days=6),
        jitter=timedelta(hours=2),
        queue=queues.INDEX,
    ),
    "knowledge.find_identifiers": Entry(
        crontab(minute="*/10"),
        why="documents of before an upgrade get their identifiers within the hour; nothing due costs a query",
        expires=timedelta(minutes=9),
        jitter=timedelta(minutes=2),
        queue=queues.INDEX,
    ),
    "lifecycle.make_backup": Entry(
        crontab(minute=40),
        why="an hour of work is the most that a lost disk may cost; away from the full hour, at which other jobs begin",
        expires=timedelta(minutes=50),
        jitter=timedelta(minutes=9),
    ),
    "lifecycle.prove_backup": Entry(
        crontab(minute=15, hour=6),
        why="behind the night's jobs and the 05:40 backup, which holds what they left; known before the day begins",
        expires=timedelta(hours=18),
        jitter=timedelta(minutes=20),
    ),
    "operations.rebuild_indexes": Entry(
        crontab(minute=0, hour=8, day_of_week="sun"),
        why="it reads whole tables; Sunday, behind the night's jobs, so that what they deleted is counted as empty",
        expires=timedelta(days=6),
        jitter=timedelta(hours=2),
    ),
    "inbox.sweep_media": Entry(
        crontab(minute=30, hour=7, day_of_week="sun"),
        why="what it looks for is rare and only takes room; listing a bucket costs requests, so once a week",
        expires=timedelta(days=6),
        jitter=timedelta(minutes=30),
    ),
    "models.check_budgets": Entry(
        crontab(minute=25),
        why="what nobody settled counts from the beginning, so an hour until it is charged harms nobody",
        expires=timedelta(minutes=55),
        jitter=timedelta(minutes=5),
    ),
    "inbox.reconcile_totals": Entry(
        crontab(minute=30, hour=3),
        why="behind retention, before anybody looks at the morning's numbers",
        expires=timedelta(hours=12),
        jitter=timedelta(minutes=10),
        queue=queues.INTAKE,
    ),
}


WAKEUPS: dict[str, Entry] = {
    "operations.catch_up": Entry(
        crontab(),
        why="a job whose own message was lost, whose run failed, or whose hour came while the fleet was down",
        queue=queues.MAINTENANCE,
        expires=timedelta(seconds=55),
        jitter=timedelta(seconds=5),
    ),
    "knowledge.embed_due": Entry(
        crontab(),
        why="what is left of a wake-up that was lost and of attempts that failed; nothing due costs a query",
        queue=queues.INDEX,
        expires=timedelta(seconds=55),
        jitter=timedelta(seconds=10),
    ),
    "inbox.fetch_media": Entry(
        crontab(),
        why="as embedding: lost wake-ups and attempts whose time has come",
        queue=queues.MEDIA,
        expires=timedelta(seconds=55),
        jitter=timedelta(seconds=10),
    ),
    "knowledge.import_due": Entry(
        crontab(),
        why="as above: files and pages whose wake-up was lost or whose site was away",
        queue=queues.INDEX,
        expires=timedelta(seconds=55),
        jitter=timedelta(seconds=10),
    ),
    "inbound.take_balance": Entry(
        crontab(minute="*/5"),
        why="it looks at each shard for a moment, and what is missing should be known before it is old",
        queue=queues.INTAKE,
        expires=timedelta(minutes=4),
        jitter=timedelta(seconds=30),
    ),
    "operations.record_queue_depths": Entry(
        crontab(),
        why="a queue's pace is taken over five minutes; a look costs four queries",
        queue=queues.MAINTENANCE,
        expires=timedelta(seconds=55),
        jitter=timedelta(seconds=15),
    ),
    "tenants.watch_channels": Entry(
        crontab(minute="*/5"),
        why="platforms give up on an address that failed for about an hour; not all installations ask in one second",
        queue=queues.DELIVER,
        expires=timedelta(minutes=4),
        jitter=timedelta(seconds=60),
    ),
    "knowledge.audit_index": Entry(
        crontab(minute=20, hour=4),
        why="an exact search of a large company reads all of its vectors; nobody waits at that hour",
        queue=queues.INDEX,
        expires=timedelta(hours=6),
        jitter=timedelta(seconds=60),
    ),
}


def schedule(phase: float) -> dict[str, dict[str, Any]]:
    """Celery's `beat_schedule`. phase: 0 to 1, this installation's place within the jitters; whole minutes move the
    crontab, and a countdown makes up the seconds, because a worker holds no message for longer than a minute."""
    return {name: _entry(name, entry, phase) for name, entry in (TIMETABLE | WAKEUPS).items()}


def _entry(name: str, entry: Entry, phase: float) -> dict[str, Any]:
    minutes, seconds = divmod(entry.jitter.total_seconds() * phase, 60)
    return {
        "task": name,
        "schedule": later(entry.at, int(minutes)),
        "options": {
            "queue": entry.queue, "expires": entry.expires.total_seconds(), "countdown": round(seconds, 1),
        },
    }  # fmt: skip


def later(at: crontab, minutes: int) -> crontab:
    """The same days, so many minutes later. Raises ValueError where that would leave the day, or the hours and minutes
    would no longer be one of each with each."""
    if not minutes:
        return at
    every_hour = len(at.hour) == 24
    times = {(hour * 60 + minute + minutes) for hour in at.hour for minute in at.minute}
    if every_hour:
        times = {time % 1440 for time in times}
    hours, minutes_of = {time // 60 for time in times}, {time % 60 for time in times}
    if max(times) >= 1440 or len(times) != len(hours) * len(minutes_of):
        raise ValueError(f"{at} cannot be {minutes} minutes later on the same days")
    return crontab(
        minute=sorted(minutes_of), hour="*" if every_hour else sorted(hours), day_of_week=sorted(at.day_of_week),
        day_of_month=sorted(at.day_of_month), month_of_year=sorted(at.month_of_year),
    )  # fmt: skip


SCHEDULE = schedule(0.0)
