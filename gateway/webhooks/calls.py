"""One webhook request, and what is recorded of answered ones: a log line each, counts and durations."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from time import perf_counter

from gateway.http import metrics
from gateway.http.answer_counts import AnswerCounts
from gateway.http.request_ids import new_request_id
from shared.telemetry import logs


class WebhookCall:
    """One request. request_id: `<ms in hex>-<random>`, by which it is found in the ledger. journal_s: how long it took
    to append to the journal; None if it did not come to that."""

    __slots__ = ("app_id", "began", "journal_s", "platform", "received_ms", "request_id", "size_bytes")

    def __init__(self, received_ms: int) -> None:
        self.received_ms = received_ms
        self.request_id = new_request_id(received_ms)
        self.began = perf_counter()
        self.platform = "unknown"  # until the path names one that we know
        self.app_id: int | None = None
        self.size_bytes = 0
        self.journal_s: float | None = None

    @property
    def id_header(self) -> tuple[bytes, bytes]:
        return (b"x-request-id", self.request_id.encode())


class WebhookCalls:
    """Logs and counts answered requests in batches: all that were answered in one turn of the event loop, in the next.
    A busy gateway answers all requests of one write to the journal in the same turn."""

    def __init__(self, tally: AnswerCounts) -> None:
        self._tally = tally
        self._lines = logs.Lines("gateway.webhooks.endpoint", "gateway")
        self._answered: list[tuple[WebhookCall, int, float]] = []

    def answered(self, call: WebhookCall, status: int) -> None:
        """Record a request that was answered with this status. Called on the event loop."""
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._tell)
        self._answered.append((call, status, perf_counter() - call.began))

    def _tell(self) -> None:
        answered, self._answered = self._answered, []
        ended: defaultdict[tuple[str, int], int] = defaultdict(int)
        took: defaultdict[str, list[float]] = defaultdict(list)
        for call, status, took_s in answered:
            ended[call.platform, status] += 1
            took[call.platform].append(took_s)
            if call.app_id is not None:
                self._tally.count(call.app_id, status, call.received_ms)
        for (platform, status), count in ended.items():
            metrics.WEBHOOKS.inc(platform, str(status), by=count)
        for platform, seconds in took.items():
            metrics.WEBHOOK.observe_all(seconds, platform)
        metrics.JOURNAL_APPEND.observe_all([call.journal_s for call, _, _ in answered if call.journal_s is not None])
        self._lines.write("webhook_answered", (_line(*each) for each in answered))


def _line(call: WebhookCall, status: int, took_s: float) -> logs.Fields:
    return {
        "request_id": call.request_id, "status": status, "platform": call.platform, "app_id": call.app_id,
        "size_bytes": call.size_bytes, "duration_ms": round(took_s * 1000, 2),
    }  # fmt: skip
