"""One webhook while it is here, and what is told of those that were answered: a line each, counts and times."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from time import perf_counter

from gateway.http import metrics
from gateway.http.answer_counts import AnswerCounts
from shared.telemetry import logs

_ids = random.Random()  # names, not secrets; seeded by the system


class WebhookCall:
    """request_id: `<ms in hex>-<random>`, by which the ledger is asked for it. journal_s: what the journal took, where
    it was asked."""

    __slots__ = ("app_id", "began", "journal_s", "platform", "received_ms", "request_id", "size_bytes")

    def __init__(self, received_ms: int) -> None:
        self.received_ms = received_ms
        self.request_id = f"{received_ms:x}-{_ids.getrandbits(40):010x}"
        self.began = perf_counter()
        self.platform = "unknown"  # until it is one that we know
        self.app_id: int | None = None
        self.size_bytes = 0
        self.journal_s: float | None = None

    @property
    def id_header(self) -> tuple[bytes, bytes]:
        return (b"x-request-id", self.request_id.encode())


class WebhookCalls:
    """Told of together: those that were answered in one turn of the event loop, in the next one. A busy gateway answers
    a whole write of the journal in one turn."""

    def __init__(self, tally: AnswerCounts) -> None:
        self._tally = tally
        self._lines = logs.Lines("gateway.webhooks.endpoint", "gateway")
        self._answered: list[tuple[WebhookCall, int, float]] = []

    def answered(self, visit: WebhookCall, status: int) -> None:
        """Call it on a running loop."""
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._tell)
        self._answered.append((visit, status, perf_counter() - visit.began))

    def _tell(self) -> None:
        answered, self._answered = self._answered, []
        ended: defaultdict[tuple[str, int], int] = defaultdict(int)
        took: defaultdict[str, list[float]] = defaultdict(list)
        for visit, status, took_s in answered:
            ended[visit.platform, status] += 1
            took[visit.platform].append(took_s)
            if visit.app_id is not None:
                self._tally.count(visit.app_id, status, visit.received_ms)
        for (platform, status), count in ended.items():
            metrics.WEBHOOKS.inc(platform, str(status), by=count)
        for platform, seconds in took.items():
            metrics.WEBHOOK.observe_all(seconds, platform)
        metrics.JOURNAL_APPEND.observe_all([visit.journal_s for visit, _, _ in answered if visit.journal_s is not None])
        self._lines.write("webhook_answered", (_line(*each) for each in answered))


def _line(visit: WebhookCall, status: int, took_s: float) -> logs.Fields:
    return {
        "request_id": visit.request_id, "status": status, "platform": visit.platform, "app_id": visit.app_id,
        "size_bytes": visit.size_bytes, "duration_ms": round(took_s * 1000, 2),
    }  # fmt: skip
