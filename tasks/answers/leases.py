"""Leases on turns: renewed for the whole process in one statement, and the work cancelled when one is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psycopg
import structlog

from shared.clock import Clock
from shared.errors import Cancelled, DatabaseUnavailable
from shared.live.topics import Moved
from shared.model import ModelAttempt
from shared.store.answers import turns
from shared.store.answers.turns import Claim
from shared.store.db.pool import Database, describe
from shared.store.models.budgets import Reservation
from tasks.answers import metrics

log = structlog.get_logger(__name__)

RENEW_EVERY_S = 1.0
"""Also how long a superseded answer goes on being written at most: the renewal is where a process learns of it, and
a hint makes it look earlier."""


class Lease:
    """One held turn. `lost` is set when the work must end; `on_lost` cancels what is under way. reservation: what is
    reserved for its models and not settled yet; attempts: calls of models that no answer tells of yet. Both are for the
    thread that works on the turn."""

    def __init__(self, claim: Claim, now_s: float) -> None:
        self.claim = claim
        self.renewed_at_s = now_s
        self.lost = threading.Event()
        self.reservation: Reservation | None = None
        self.attempts: list[ModelAttempt] = []
        self._cancel: Callable[[], None] | None = None

    def guard(self, cancel: Callable[[], None] | None) -> None:
        """What to cancel when the lease is lost (None: nothing any more). Raises Cancelled if it is lost."""
        self._cancel = cancel
        if self.lost.is_set():
            if cancel is not None:
                cancel()
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait so long. Raises Cancelled as soon as it is lost."""
        if seconds > 0 and self.lost.wait(seconds):
            raise Cancelled

    def lose(self) -> None:
        self.lost.set()
        cancel = self._cancel
        if cancel is not None:
            cancel()


class Leases:
    """All leases of a process, kept alive by one thread."""

    def __init__(self, db: Database, clock: Clock, *, lease_s: float) -> None:
        self._db = db
        self._clock = clock
        self._lease_s = lease_s
        self._held: set[Lease] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._look = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def stopping(self) -> bool:
        return self._stopping

    def take(self, claim: Claim) -> Lease:
        """Keep a claim alive from now on, until drop(): it may wait a moment for the thread that works on it."""
        lease = Lease(claim, self._clock.monotonic_s())
        with self._lock:
            self._held.add(lease)
        if self._stopping:
            lease.lose()
        return lease

    def drop(self, lease: Lease) -> None:
        with self._lock:
            self._held.discard(lease)

    @contextmanager
    def hold(self, claim: Claim) -> Iterator[Lease]:
        lease = self.take(claim)
        try:
            yield lease
        finally:
            self.drop(lease)

    def cancel(self) -> None:
        """The process stops: every piece of work under a lease ends now; its holder gives the lease back."""
        self._stopping = True
        with self._lock:
            held = list(self._held)
        for lease in held:
            lease.lose()

    def stop(self) -> None:
        self.cancel()
        self._stop.set()
        self._look.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def look_now(self, hints: Iterable[Moved]) -> None:
        """Renew at once if one of these may concern a lease of ours. Only the renewal decides what is lost."""
        with self._lock:
            held = [lease.claim for lease in self._held if not lease.lost.is_set()]
        if any(_concerns(hint, claim) for hint in hints for claim in held):
            self._look.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._look.wait(min(RENEW_EVERY_S, self._lease_s / 4))
            self._look.clear()
            self.renew()

    def renew(self) -> None:
        with self._lock:
            held = [lease for lease in self._held if not lease.lost.is_set()]
        if not held:
            return
        asked_at_s = self._clock.monotonic_s()
        try:
            with self._db.transaction() as conn:
                kept = turns.renew(conn, [lease.claim for lease in held], lease_s=self._lease_s)
        except (DatabaseUnavailable, psycopg.Error) as e:
            log.warning("leases_not_renewed", leases=len(held), error=describe(e))
            # Others may claim what we could not renew in time; the fence would refuse us anyway.
            for lease in held:
                if asked_at_s - lease.renewed_at_s > self._lease_s:
                    lease.lose()
            return
        for lease in held:
            if lease.claim in kept:
                lease.renewed_at_s = asked_at_s
            else:
                metrics.LEASES_LOST.inc()
                log.info("lease_lost", turn_id=lease.claim.turn_id, company_id=lease.claim.company_id)
                lease.lose()


def _concerns(hint: Moved, claim: Claim) -> bool:
    if hint.company_id != claim.company_id:
        return False
    return hint.turn_id is None or (hint.turn_id == claim.turn_id and hint.epoch > claim.epoch)
