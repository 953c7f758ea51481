"""Runs the journal's drain as a background thread of the intake worker. Waiting holds no lock and no connection."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from redis.exceptions import ResponseError

from shared.live.topics import Stored as NewMessages
from shared.live.topics import Went
from shared.store.db.objects import MediaStoreUnavailable
from shared.store.db.pool import describe
from shared.telemetry import work
from tasks import context
from tasks.answers import tasks as answers
from tasks.delivery import tasks as delivery
from tasks.delivery.metrics import FAILED_LATER
from tasks.inbound import metrics
from tasks.inbound.batch import Stored
from tasks.inbound.drain import Drain
from tasks.inbox import tasks as inbox
from tasks.inbox.metrics import BOT_LEFT, BOT_RETURNED
from tasks.tenants.metrics import CHANNEL_ALERTS
from workers.background import BackgroundThread, BackgroundThreadStep

log = structlog.get_logger(__name__)

HANDS = 4
"""Streams that are drained side by side while there is much: one alone waits for PostgreSQL two thirds of its time. One
run of each, events a second of 1, 2, 3 and 4: 1,350, 1,900, 1,900, 2,050 (two cores)."""
TOGETHER_BELOW = 64
"""A round that found fewer entries takes its streams in one transaction: a batch is some fifteen statements however
small it is, and one after another a message waits for all the others'. Above, a stream's batch is large enough, and
processes that drain side by side share the streams."""
WAIT_MS = 1_000
"""How long to block for news. Also how long what a dead holder left may lie: the next round looks everywhere."""


class IntakeThread(BackgroundThread):
    def __init__(self, process: context.Process) -> None:
        super().__init__("intake")
        r = process.resources
        self._reader = r.journal
        self._drain = Drain(r.db, r.journal, r.platforms, r.settings)
        self._live = r.live
        self._objects = r.objects
        self._wakeups = process.wakeups
        self._groups_known = False
        self._found = 0
        """How many entries the last round found."""
        self._failed = ""
        """The stream that failed last."""
        self._hands = ThreadPoolExecutor(HANDS, thread_name_prefix="intake")

    def stop(self) -> None:
        super().stop()
        self._hands.shutdown(wait=False)

    def step(self) -> float:
        """Store one batch of each stream that holds something; then wait for more."""
        if not self._groups_known:
            self._drain.ensure_groups()
            self._groups_known = True
        try:
            heads = self._reader.heads()
            self._found = self._drain_all(self._in_turn([stream for stream, head in heads.items() if head != "0-0"]))
            if not self._found:
                self._reader.wait(heads, WAIT_MS)
        except ResponseError as e:
            if "NOGROUP" in str(e):  # Redis was flushed: make its consumer groups again
                self._groups_known = False
            raise
        return 0.0

    def _in_turn(self, streams: Sequence[str]) -> list[str]:
        """Those behind the one that failed last, then the others: an error ends a round, and whoever fails each time
        must not keep the same ones from theirs."""
        behind = [stream for stream in streams if stream > self._failed]
        return [*behind, *(stream for stream in streams if stream <= self._failed)]

    def _drain_all(self, streams: Sequence[str]) -> int:
        """One batch of each, or of all together; how many entries there were."""
        if self._found >= TOGETHER_BELOW:
            return sum(self._hands.map(self._drain_one, streams))
        found = 0
        if len(streams) > 1 and not self.stopping.is_set():
            started = time.perf_counter()
            together, streams = self._drain.drain_together(streams)
            if together is not None:
                self._announce("several", together, time.perf_counter() - started)
                found = together.requests
        return found + sum(self._drain_one(stream) for stream in streams)

    def _drain_one(self, stream: str) -> int:
        """Store one batch of a stream; how many entries there were."""
        started = time.perf_counter()
        try:
            stored = None if self.stopping.is_set() else self._drain.drain(stream)
        except Exception as e:
            self._failed = stream
            work.tell("inbound.store_batch", "retried", describe(e), time.perf_counter() - started, stream=stream)
            raise
        if stored is None or not stored.requests:
            return 0
        self._announce(stream, stored, time.perf_counter() - started)
        return stored.requests

    def _announce(self, stream: str, stored: Stored, took_s: float) -> None:
        """Publish what is new, and send one wake-up for the work that the batch made due."""
        work.tell(
            "inbound.store_batch", "succeeded", "stored", took_s, stream=stream, requests=stored.requests,
            dead_letters=stored.dead_letters,
        )  # fmt: skip
        self._live.hint(stored.moved)
        for chat, now in stored.went.items():
            self._live.tell([chat], Went(now.chat))
        self._live.tell(stored.chats, NewMessages())
        self._tell(stream, stored)
        self._alarm(stored)
        self._forget(stored)
        if stored.early:
            self._wakeups.request(answers.answer_due)
        if stored.turns:
            self._wakeups.request(answers.answer_due, due_s=stored.due_s)
        if stored.media:
            self._wakeups.request(inbox.fetch_due)
        if stored.parts:
            self._wakeups.request(delivery.send_due)

    def _tell(self, stream: str, stored: Stored) -> None:
        metrics.BATCHES.inc()
        metrics.BATCH_SIZE.observe(stored.requests)
        metrics.REPEATS.inc(by=stored.repeats)
        for came, why in stored.bot_moves:
            (BOT_RETURNED if came else BOT_LEFT).inc(why)
        for ending, count in stored.endings.items():
            metrics.EVENTS.inc(*ending, by=count)
        log.info(
            "batch_stored", stream=stream, requests=stored.requests, repeats=stored.repeats,
            effected=stored.effected, dropped=stored.dropped, dead_letters=stored.dead_letters, turns=stored.turns,
        )  # fmt: skip

    def _alarm(self, stored: Stored) -> None:
        for alert in stored.alerts:
            if alert.event == "part_failed_later":
                FAILED_LATER.inc(alert.platform, alert.meaning)
            else:
                CHANNEL_ALERTS.inc(alert.platform, alert.event, alert.meaning)
            log.error(
                alert.event, company_id=alert.company_id, channel_id=alert.channel_id, meaning=alert.meaning,
                outbound_id=alert.outbound_id,
            )  # fmt: skip

    def _forget(self, stored: Stored) -> None:
        """Bytes of attachments whose messages were deleted. The rows are gone: nobody can ask for them any more."""
        for company_id, sha256 in stored.forgotten:
            try:
                self._objects.delete(company_id, sha256)
            except MediaStoreUnavailable as e:
                log.error("media_not_deleted", company_id=company_id, sha256=sha256, error=type(e).__name__)


class IntakeStep(BackgroundThreadStep):
    thread_name = "intake"

    def make(self, process: context.Process) -> BackgroundThread:
        return IntakeThread(process)
