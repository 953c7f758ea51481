"""One wake-up, many pieces of work: a process claims what is due, as much as it has room for, until nothing is."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from shared.telemetry import work
from tasks import metrics

log = structlog.get_logger(__name__)

T = TypeVar("T")
K = TypeVar("K", int, str)
PASS_ON_EVERY_S = 0.2
"""How often a process with more to do than room wakes the others up. Its wake-up may come back to it, so it sends
more."""


NO_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class ClaimCapacity:
    """slots: how many pieces. held: the company of each piece that is under way here. company_max: how many one company
    may have under way here, those of `held` included. lanes, lane_max: the same for the outside service that a piece
    waits for; empty where pieces have none."""

    slots: int
    held: Sequence[int] = ()
    company_max: int = NO_MAX
    lanes: Sequence[str] = ()
    lane_max: int = NO_MAX


@dataclass(frozen=True, slots=True)
class Claimed(Generic[T]):
    """companies: of each piece. company: the one that was served last, behind which the next claim begins; 0: at the
    first. more: whether more may be due than there was room for. lanes: of each piece; empty where pieces have none."""

    pieces: Sequence[T]
    companies: Sequence[int]
    company: int
    more: bool
    lanes: Sequence[str] = ()


class Dispatcher(Generic[T]):
    """A station's work in this process, on threads of its own.

    slots: pieces of work at the same time. company_share: of them for one company at most, so that a slot is free when
    another one's customer writes, however slow the work is on what the first one's wrote. lane_share: of them for one
    outside service at most, so that one that hangs holds up no other. claim(after_company, room):
    claims up to room, going round the companies. work(piece): does one; what it raises is logged, because its row knows
    what comes next. pass_on: wakes up the other processes of the station.
    """

    def __init__(
        self, station: str, slots: int, company_share: float = 1.0, lane_share: float = 1.0, *,
        claim: Callable[[int, ClaimCapacity], Claimed[T]], work: Callable[[T], None], pass_on: Callable[[], None],
    ) -> None:  # fmt: skip
        self._station, self._slots = station, slots
        self._company_max, self._lane_max = max(1, int(slots * company_share)), max(1, int(slots * lane_share))
        self._claim, self._work, self._pass_on = claim, work, pass_on
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix=station)
        self._company = 0
        self._changed = threading.Condition()
        self._held: Counter[int] = Counter()
        """Company → its pieces that are under way here."""
        self._lanes: Counter[str] = Counter()
        """Lane → the same."""
        self._woken = False
        self._draining = False
        self._stopping = False
        self._passed_on_at = -PASS_ON_EVERY_S

    def drain(self) -> None:
        """A wake-up was heard: begin what is due, and go on until nothing is. While another thread is at it already it
        looks once more, and this call returns. Raises what claiming raises; what was begun goes on."""
        with self._changed:
            self._woken = True
            if self._draining:
                self._changed.notify_all()
                return
            self._draining = True
        try:
            while self._heard():
                self._begin_due()
        except BaseException:
            with self._changed:
                self._draining = False
            raise

    def _heard(self) -> bool:
        """Return whether a wake-up has come since the last look. If none has, draining ends in the same step, so that a
        later wake-up finds nobody draining and begins anew."""
        with self._changed:
            heard, self._woken = self._woken and not self._stopping, False
            self._draining = heard
            self._changed.notify_all()
            return heard

    def _begin_due(self) -> None:
        while room := self._wait_for_room():
            batch = self._claim(self._company, room)
            self._company = batch.company
            lanes = batch.lanes or [""] * len(batch.pieces)
            with self._changed:
                self._held.update(batch.companies)
                self._lanes.update(filter(None, lanes))
            passed_over = self._at_share(Counter(room.held) + Counter(batch.companies), self._company_max)
            passed_by = self._at_share(Counter(room.lanes) + Counter(batch.lanes), self._lane_max)
            for company, lane, piece in zip(batch.companies, lanes, batch.pieces, strict=True):
                self._threads.submit(self._do, company, lane, piece, work.cause())
            if not batch.more and not passed_over and not passed_by:
                return
            self._wake_others()
            if not batch.more:
                self._wait_below_share(passed_over, passed_by)

    def _wait_for_room(self) -> ClaimCapacity | None:
        """Wait until more work can be claimed, and return how much. None: the process stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._held.total() < self._slots)
            if self._stopping:
                return None
            return ClaimCapacity(
                self._slots - self._held.total(), tuple(self._held.elements()), self._company_max,
                tuple(self._lanes.elements()), self._lane_max,
            )  # fmt: skip

    def _at_share(self, held: Counter[K], most: int) -> set[K]:
        return {key for key, count in held.items() if count >= most}

    def _wait_below_share(self, companies: set[int], lanes: set[str]) -> None:
        """Wait until a company or a lane has less work under way than its share, or until a wake-up comes: the claim
        passed over those at their share, so more of their work may be due."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or self._woken
                or not companies <= self._at_share(self._held, self._company_max)
                or not lanes <= self._at_share(self._lanes, self._lane_max)
            )  # fmt: skip
            self._woken = False

    def _wake_others(self) -> None:
        now = time.monotonic()
        if now - self._passed_on_at >= PASS_ON_EVERY_S:
            self._passed_on_at = now
            self._pass_on()

    def _do(self, company: int, lane: str, piece: T, cause: str | None) -> None:
        outcome = "failed"
        try:
            with work.caused_by(cause):
                self._work(piece)
            outcome = "ok"
        except Exception as e:  # whatever it was: the row is found again, and this thread goes on
            log.error("piece_failed", station=self._station, exc_info=e)
        finally:
            with self._changed:
                _count_down(self._held, company)
                if lane:
                    _count_down(self._lanes, lane)
                self._changed.notify_all()
            metrics.PIECES.inc(self._station, outcome)

    def cancel(self) -> None:
        """Claim nothing more; what was begun goes on. Returns at once."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def stop(self) -> None:
        """cancel(), and wait until what was begun has ended, which its own deadlines bound."""
        self.cancel()
        with self._changed:
            self._changed.wait_for(lambda: not self._draining)
        self._threads.shutdown()


def _count_down(held: Counter[K], key: K) -> None:
    held[key] -= 1
    if not held[key]:
        del held[key]
