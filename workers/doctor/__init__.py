"""`./switchboard doctor`: looks at everything that the system stands on, and says what to do about it."""

from workers.doctor.visit import Away, Finding, Level, Visit
from workers.doctor.visit import fail as fail
from workers.doctor.visit import ok as ok
from workers.doctor.visit import warn as warn

__all__ = ["Away", "Finding", "Level", "Visit", "fail", "ok", "warn"]
