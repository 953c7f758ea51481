"""The two roots of every error: they say what the row that failed should do next."""

from __future__ import annotations


class SwitchboardError(Exception):
    """Root of all errors of this project. Messages carry ids and meanings, never message text or keys."""


class Transient(SwitchboardError):
    """Try again later. `retry_after_s` is what the other side asked for, None if it did not say. retry: whether the
    same process may make the same call again at once (shared/resilience/retries.py)."""

    retry: bool = False

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message or type(self).__name__)
        self.retry_after_s = retry_after_s


class Permanent(SwitchboardError):
    """Trying again cannot help. `reason` is a static word for ledger and metrics."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason


class NothingDone(Permanent):
    """Nothing was changed: what was named does not exist, or it is as wanted already. Commands end with 1."""


class NotFound(NothingDone):
    """There is nothing of this name or id. `reason` says of what kind."""


class ServiceFailed(Transient):
    """A service outside did not answer, or answered with a fault of its own: what its circuit breaker counts."""

    retry = True


class JournalUnavailable(Transient):
    """The journal did not take a request; the platform must send it again (503)."""


class DatabaseUnavailable(Transient):
    """PostgreSQL cannot be reached or cannot take work just now."""


class DatabaseRefused(DatabaseUnavailable):
    """We do not work as this role: row-level security would not hold it. So until an operator has mended it."""


class ModelUnavailable(Transient):
    """No model answered: the next fallback step takes over."""


class Cancelled(SwitchboardError):
    """The work was cancelled: a newer message moved the turn's epoch, or a person took over."""


class AttachmentGone(Permanent):
    """The platform has the attachment no more, or does not give it to us."""

    def __init__(self, reason: str = "gone") -> None:
        super().__init__(reason)


class SettingsError(Permanent):
    """A setting is missing or contradicts another; the message names the variable and the change."""

    def __init__(self, message: str) -> None:
        super().__init__("settings", message)
