"""`./switchboard doctor`: checks everything that the system depends on, and says what to do about it."""

from workers.doctor.context import Away, DoctorContext, Finding, Level
from workers.doctor.context import fail as fail
from workers.doctor.context import ok as ok
from workers.doctor.context import warn as warn

__all__ = ["Away", "DoctorContext", "Finding", "Level", "fail", "ok", "warn"]
