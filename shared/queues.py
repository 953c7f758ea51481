"""The one place with queue names; they are named as the stations.

A test holds that every queue is consumed by a row of workers/fleet.py and that every task is routed to one.
"""

from __future__ import annotations

REDIS_PREFIX = "sb:celery:"
"""Before the names of lists in the broker, where that is Redis."""

UNREAD = "unread"
REPLY = "reply"
DELIVER = "deliver"
CHANNELS = "channels"
INDEX = "index"
MEDIA = "media"
MAINTENANCE = "maintenance"
RETENTION = "retention"
ARCHIVE = "archive"
HEALTH = "health"

ALL = (UNREAD, REPLY, DELIVER, CHANNELS, INDEX, MEDIA, MAINTENANCE, RETENTION, ARCHIVE, HEALTH)
