"""The one place with queue names: one a kind of worker (workers/fleet.py). Each task names its queue where it is
declared. A test holds that every queue is consumed by its worker and that every task is routed to one.
"""

from __future__ import annotations

REDIS_PREFIX = "sb:celery:"
"""Before the names of lists in the broker, where that is Redis."""

INTAKE = "intake"
REPLY = "reply"
DELIVER = "deliver"
INDEX = "index"
MEDIA = "media"
MAINTENANCE = "maintenance"

ALL = (INTAKE, REPLY, DELIVER, INDEX, MEDIA, MAINTENANCE)
