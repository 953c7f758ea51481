"""SCHEDULE: the one timetable. Each entry says why this hour; hours are UTC.

`expires`: a run that nobody picked up by then is dropped, because the next one does all of its work too.
"""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

from shared import queues

SCHEDULE: dict[str, dict[str, Any]] = {
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
    "make-partitions": {
        # Every six hours although a week is made ahead: a fleet that was down for days catches up at once.
        "task": "maintenance.make_partitions",
        "schedule": crontab(minute=10, hour="*/6"),
        "options": {"queue": queues.MAINTENANCE, "expires": 3 * 3600},
    },
    "purge-raw": {
        # 02:00: the quietest hour of most inboxes, and after midnight, so that a whole day has become old.
        "task": "maintenance.purge_raw",
        "schedule": crontab(minute=0, hour=2),
        "options": {"queue": queues.MAINTENANCE, "expires": 12 * 3600},
    },
    "reconcile-totals": {
        # 03:30: after the purge, before anybody looks at the morning's numbers.
        "task": "unread.reconcile_totals",
        "schedule": crontab(minute=30, hour=3),
        "options": {"queue": queues.UNREAD, "expires": 12 * 3600},
    },
}
