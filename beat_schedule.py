"""The one timetable. Hours are UTC; each entry says why this hour.

TIMETABLE holds the jobs, by the names of their tasks. A minute's ring (SCHEDULE, which is all that beat itself knows)
has a worker look which of their hours have come and are not done; the rows in `jobs` say that, so two beats do
nothing twice, and a fleet that was down catches up (docs/decisions/0006-the-rows-say-what-is-due.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery.schedules import crontab

from shared import queues


@dataclass(frozen=True, slots=True)
class Entry:
    """expires: an hour that was missed by more is left to the next one, which does all of its work too.
    jitter: begins up to so much later, each installation at a place of its own."""

    at: crontab
    why: str
    expires: timedelta
    jitter: timedelta


TIMETABLE: dict[str, Entry] = {
    "maintenance.make_partitions": Entry(
        crontab(minute=10, hour="*/6"),
        why="a week is made ahead; every six hours, so that a fleet that was down for days has room soon",
        expires=timedelta(hours=6),
        jitter=timedelta(minutes=5),
    ),
    "retention.drop_raw": Entry(
        crontab(minute=0, hour=2),
        why="the quietest hour of most inboxes, and behind midnight, so that a whole day has become old",
        expires=timedelta(hours=23),
        jitter=timedelta(minutes=10),
    ),
    "retention.drop_logs": Entry(
        crontab(minute=0, hour=3),
        why="behind the raw bodies: the ledger says which of them a person still needs",
        expires=timedelta(hours=23),
        jitter=timedelta(minutes=10),
    ),
    "archive.move_messages": Entry(
        crontab(minute=0, hour=4, day_of_month=1),
        why="once a month is often enough for what is half a year old; behind the night's other jobs",
        expires=timedelta(days=27),
        jitter=timedelta(minutes=20),
    ),
    "archive.delete_old": Entry(
        crontab(minute=0, hour=5, day_of_month=1),
        why="behind the month's archival; does nothing unless somebody has set a bound",
        expires=timedelta(days=27),
        jitter=timedelta(minutes=20),
    ),
    "health.keep_sizes": Entry(
        crontab(minute=20, hour=0),
        why="in front of the night's jobs, so that a day's growth is seen before they take something away",
        expires=timedelta(hours=20),
        jitter=timedelta(minutes=5),
    ),
    "health.evaluate_alerts": Entry(
        crontab(minute=5),
        why="often enough for what grows in hours; what grows in minutes is the metrics' to alert on",
        expires=timedelta(minutes=50),
        jitter=timedelta(minutes=5),
    ),
    "maintenance.make_graphs": Entry(
        crontab(minute="*/10"),
        why="a company that has grown is searched exactly until then, which a few thousand chunks more do not show",
        expires=timedelta(minutes=9),
        jitter=timedelta(minutes=2),
    ),
    "index.find_popular": Entry(
        crontab(minute=50),
        why="what is asked often changes in hours; before the hour, when other jobs begin",
        expires=timedelta(minutes=55),
        jitter=timedelta(minutes=5),
    ),
    "index.warm_popular": Entry(
        crontab(minute="*/4"),
        why="a result is remembered for five minutes, and is to be renewed before it goes",
        expires=timedelta(minutes=4),
        jitter=timedelta(seconds=30),
    ),
    "index.refresh_knowledge": Entry(
        crontab(minute=30, hour=5, day_of_week=0),
        why="once a week: websites change slowly and should not be asked more often; Sunday, behind the night's jobs",
        expires=timedelta(days=6),
        jitter=timedelta(hours=2),
    ),
    "maintenance.make_backup": Entry(
        crontab(minute=40),
        why="an hour of work is the most that a lost disk may cost; away from the full hour, at which other jobs begin",
        expires=timedelta(minutes=50),
        jitter=timedelta(minutes=9),
    ),
    "maintenance.prove_backup": Entry(
        crontab(minute=15, hour=6),
        why="behind the night's jobs and the 05:40 backup, which holds what they left; known before the day begins",
        expires=timedelta(hours=18),
        jitter=timedelta(minutes=20),
    ),
    "maintenance.sweep_media": Entry(
        crontab(minute=30, hour=7, day_of_week="sun"),
        why="what it looks for is rare and only takes room; listing a bucket costs requests, so once a week",
        expires=timedelta(days=6),
        jitter=timedelta(minutes=30),
    ),
    "unread.reconcile_totals": Entry(
        crontab(minute=30, hour=3),
        why="behind retention, before anybody looks at the morning's numbers",
        expires=timedelta(hours=12),
        jitter=timedelta(minutes=10),
    ),
}

SCHEDULE: dict[str, dict[str, Any]] = {
    "ring-due-jobs": {
        # Every minute: the finest hour of the timetable. Nothing due costs one query.
        "task": "maintenance.ring_due_jobs",
        "schedule": crontab(),
        "options": {"queue": queues.MAINTENANCE, "expires": 55},
    },
    "embed-due": {
        # Every minute: what is left of a ring that was lost and of attempts that failed. Nothing due costs a query.
        "task": "index.embed_due",
        "schedule": crontab(),
        "options": {"queue": queues.INDEX, "expires": 55},
    },
    "fetch-due": {
        # Every minute, as embedding: lost rings and attempts whose time has come.
        "task": "media.fetch_due",
        "schedule": crontab(),
        "options": {"queue": queues.MEDIA, "expires": 55},
    },
    "take-balance": {
        # Every five minutes: it looks at each shard for a moment, and what is missing should be known before it is old.
        "task": "unread.take_balance",
        "schedule": crontab(minute="*/5"),
        "options": {"queue": queues.UNREAD, "expires": 240},
    },
    "audit-recall": {
        # 04:20: an exact search of a large company reads all of its vectors; nobody waits at that hour.
        "task": "index.audit_recall",
        "schedule": crontab(minute=20, hour=4),
        "options": {"queue": queues.INDEX, "expires": 6 * 3600},
    },
    "import-due": {
        # Every minute, as above: files and pages whose ring was lost or whose site was away.
        "task": "index.import_due",
        "schedule": crontab(),
        "options": {"queue": queues.INDEX, "expires": 55},
    },
    "watch-channels": {
        # Every five minutes: platforms give up on an address that failed for about an hour.
        "task": "channels.watch",
        "schedule": crontab(minute="*/5"),
        "options": {"queue": queues.CHANNELS, "expires": 240},
    },
}
