"""The journey in numbers. Names end in their unit; labels are words of ours and names from the settings, never ids.

Nothing is kept before `configure`, which a process calls once it runs (after any fork); then each number costs about
a microsecond. `exposition` shows all processes together.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from shared.telemetry.metric_files import Book, exposition, series_key, totals

log = structlog.get_logger(__name__)

PREFIX = "switchboard_"
WEBHOOK_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5)
STAGE_S = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
JOB_S = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 900)
SQL_S = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5)
"""Few: there is a series for each of them and each statement's name."""
REQUESTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SHARE = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1)
LABEL_CHARS_MAX = 60

_book: Book | None = None
K = TypeVar("K")


def configure(folder: Path) -> None:
    """Keep this process' numbers in the folder. Where that cannot be, it runs on without: numbers are not its work."""
    global _book
    close()
    try:
        _book = Book(folder)
    except OSError as e:
        log.warning("metrics_not_kept", error=type(e).__name__)


def close() -> None:
    global _book
    book, _book = _book, None
    if book is not None:
        book.close()


def counted(metric: Counter | Gauge, folder: Path) -> dict[tuple[str, ...], float]:
    """What all processes of this machine say of it, by its labels' values in the order of the labels' names; empty
    where none keeps numbers. Raises OSError."""
    return totals(folder, metric.kind, metric.name) if folder.is_dir() else {}


class _Metric(Generic[K]):
    """name without the prefix, ending in its unit. labels: names; each use gives their values in that order."""

    kind = ""

    def __init__(self, name: str, help_text: str, labels: tuple[str, ...] = ()) -> None:
        self.name = PREFIX + name
        self.help_text = help_text
        self.labels = labels
        self._keys: dict[tuple[str, ...], K] = {}

    def _key(self, values: tuple[str, ...]) -> K:
        try:
            return self._keys[values]
        except KeyError:
            if len(values) != len(self.labels):
                raise ValueError(f"{self.name} has the labels {', '.join(self.labels) or '(none)'}") from None
            key = self._keys[values] = self._make_key([value[:LABEL_CHARS_MAX] for value in values])
            return key

    def _make_key(self, values: list[str]) -> K:
        raise NotImplementedError


class Counter(_Metric[tuple[str]]):
    kind = "counter"

    def inc(self, *labels: str, by: float = 1.0) -> None:
        book = _book
        if book is not None:
            book.add("counter", self._key(labels), (by,))

    def _make_key(self, values: list[str]) -> tuple[str]:
        return (series_key(self.name.removesuffix("_total"), self.name, list(self.labels), values, self.help_text),)


@dataclass(frozen=True, slots=True)
class _Buckets:
    """pairs: for each bucket, the keys of its count and of the sum. every: all keys of the series."""

    pairs: tuple[tuple[str, str], ...]
    every: tuple[str, ...]


class Histogram(_Metric[_Buckets]):
    """buckets: upper bounds, ascending; one more takes the rest."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, labels: tuple[str, ...] = (), *, buckets: tuple[float, ...]) -> None:
        super().__init__(name, help_text, labels)
        self.buckets = buckets

    def observe(self, amount: float, *labels: str) -> None:
        book = _book
        if book is not None:
            keys = self._key(labels)
            book.add("histogram", keys.pairs[bisect_left(self.buckets, amount)], (1.0, amount), keys.every)

    def observe_all(self, amounts: Sequence[float], *labels: str) -> None:
        """As `observe` with each, at the cost of a few."""
        book = _book
        if book is None:
            return
        found = [bisect_left(self.buckets, amount) for amount in amounts]
        keys = self._key(labels)
        for bucket in set(found):
            its = [amount for amount, place in zip(amounts, found, strict=True) if place == bucket]
            book.add("histogram", keys.pairs[bucket], (float(len(its)), sum(its)), keys.every)

    def _make_key(self, values: list[str]) -> _Buckets:
        total = series_key(self.name, f"{self.name}_sum", list(self.labels), values, self.help_text)
        counts = [
            series_key(self.name, f"{self.name}_bucket", [*self.labels, "le"], [*values, le], self.help_text)
            for le in (*(str(float(bound)) for bound in self.buckets), "+Inf")
        ]
        return _Buckets(tuple((count, total) for count in counts), (total, *counts))


class Gauge(_Metric[str]):
    """A state of each process, summed over those that live."""

    kind = "gauge_livesum"

    def set(self, value: float, *labels: str) -> None:
        book = _book
        if book is not None:
            try:
                book.put(self.kind, self._key(labels), value)
            except OSError as e:  # the first gauge makes the file; a full disk must not end what was being done
                log.warning("metrics_not_kept", error=type(e).__name__)

    def _make_key(self, values: list[str]) -> str:
        return series_key(self.name, self.name, list(self.labels), values, self.help_text)


class Sampler(threading.Thread):
    """Calls `sample` every few seconds until stopped: for states that no event tells."""

    def __init__(self, sample: Callable[[], None], every_s: float = 5.0) -> None:
        super().__init__(name="sampler", daemon=True)
        self._sample = sample
        self._every_s = every_s
        self._stopping = threading.Event()

    def run(self) -> None:
        self._sample()
        while not self._stopping.wait(self._every_s):
            self._sample()

    def stop(self) -> None:
        self._stopping.set()


def pool_stats(process: str, stats: dict[str, int]) -> None:
    """A database pool as psycopg_pool tells of it."""
    for state, key in (("open", "pool_size"), ("idle", "pool_available")):
        POOL_CONNECTIONS.set(stats.get(key, 0), process, state)
    POOL_WAITING.set(stats.get("requests_waiting", 0), process)
    POOL_ERRORS.set(stats.get("requests_errors", 0), process)


# ------------------------------------------------------------------ the way in
WEBHOOKS = Counter("webhooks_total", "Webhooks answered, accepted (200) and refused.", ("platform", "status"))
JOURNAL_APPEND = Histogram(
    "journal_append_seconds", "From a checked request until the journal has it.", buckets=WEBHOOK_S
)
REFUSING = Gauge("gateway_refusing_bool", "Gateways that refuse everything (503): the journal is nearly full, or old.")
STREAMS = Gauge("open_event_streams", "Event streams of web pages and agents that gateways hold open.")
STREAMS_ALLOWED = Gauge("allowed_event_streams", "As many as those gateways would hold (WIDGET_STREAMS_MAX).")
BATCHES = Counter("batches_total", "Batches of journal entries stored.")
BATCH_SIZE = Histogram("batch_size_requests", "Requests in a stored batch.", buckets=REQUESTS)
EVENTS = Counter("events_total", "Inbound events by how they ended.", ("kind", "outcome", "reason"))
REPEATS = Counter("repeated_requests_total", "Requests read again after a crash, without effect.")

WEBHOOK = Histogram("webhook_seconds", "Time of a webhook from its head to its answer.", ("platform",),
                    buckets=WEBHOOK_S)  # fmt: skip
HTTP = Histogram(
    "http_request_seconds", "Time until the answer to any other request begins.", ("handler", "status"),
    buckets=WEBHOOK_S,
)  # fmt: skip

# ------------------------------------------------------------------ turns and models
TURNS = Counter("turns_total", "Turns by how an attempt to answer ended and the step of the ladder.", ("end", "step"))
STEPS = Counter("answers_total", "Answers by the step of the ladder that held and why.", ("step", "reason"))
ATTENTION = Counter("attention_total", "Answers that asked for a person to look, by why.", ("reason",))
OVERLOAD_STEPS = Counter(
    "overload_steps_total", "Companies that an overload moved down, or its end up, to this step.", ("direction", "step")
)
STAGE = Histogram("turn_stage_seconds", "Time of an answered turn, by stage.", ("stage",), buckets=STAGE_S)
MODEL_ATTEMPTS = Counter("model_attempts_total", "Calls of models.", ("provider", "model", "outcome"))
MODEL_ATTEMPT = Histogram("model_attempt_seconds", "Time of a call.", ("provider", "model"), buckets=STAGE_S)
TOKENS = Counter("model_tokens_total", "Tokens read (in) and written (out).", ("provider", "model", "direction"))
COST = Counter("model_cost_currency_total", "What answers' calls cost, in the currency of the prices.")
UNPRICED = Counter("model_unpriced_answers_total", "Answers by a model that has no price.")
BREAKER_CHANGES = Counter("breaker_changes_total", "Breakers that changed to this state.", ("breaker", "state"))
BREAKERS_OPEN = Gauge("breaker_open_processes", "Processes in which the breaker is open.", ("breaker",))

CACHE = Counter(
    "cache_lookups_total", "Look-ups of caches by where the value was: near (this process), far (Redis), nowhere.",
    ("cache", "where"),
)  # fmt: skip
CACHE_BACKOFFS = Counter("cache_backoffs_total", "Times that a cache left Redis alone because it was away.")
RECALL = Histogram(
    "knowledge_recall_ratio", "Share of the exact ten nearest that the index finds, an audit of one company each.",
    buckets=SHARE,
)  # fmt: skip
KNOWLEDGE_RANKED = Counter(
    "knowledge_ranked_total", "Questions by the space that ranked them; how: active, fallback, words (no space).",
    ("space", "how"),
)  # fmt: skip
RECALL_LOW = Counter("knowledge_recall_low_total", "Audits that found less than 0.95.")

# ------------------------------------------------------------------ the way out
SENDS = Counter("sends_total", "Requests to send APIs by what became of them.", ("platform", "status", "meaning"))
SEND = Histogram("send_seconds", "Time of a request to a send API.", ("platform",), buckets=STAGE_S)
POSTPONED = Counter("parts_postponed_total", "Parts put off without an attempt.", ("platform", "meaning"))
GIVEN_UP = Counter("parts_given_up_total", "Parts that will not be sent.", ("platform", "meaning"))
FAILED_LATER = Counter(
    "sends_failed_later_total", "Parts that a platform had taken and then did not deliver.", ("platform", "meaning")
)
CHANNEL_ALERTS = Counter(
    "channel_alerts_total", "Channels that a person should look after.", ("platform", "alert", "meaning")
)
UNRECORDED = Counter("sends_unrecorded_total", "Sends taken for uncertain because nobody recorded their result.")

# ------------------------------------------------------------------ the house
MEDIA = Counter("media_total", "Attempts to fetch an attachment by how they ended.", ("platform", "outcome", "reason"))
TASKS = Counter("tasks_total", "Celery tasks run.", ("task", "outcome"))
TASK = Histogram("task_seconds", "Runtime of a Celery task.", ("task",), buckets=STAGE_S)
# `scheduled`, because Prometheus has a label `job` of its own and would rename ours.
JOB_RUNS = Counter("job_runs_total", "Runs of scheduled jobs.", ("scheduled", "outcome"))
JOB = Histogram("job_seconds", "Time of a run of a scheduled job.", ("scheduled",), buckets=JOB_S)
JOB_ROWS = Counter("job_rows_total", "Rows that scheduled jobs moved, dropped or corrected.", ("scheduled",))
PIECES = Counter(
    "pieces_total", "Turns and parts that wake-ups led to, by how the work on them ended.", ("station", "outcome")
)
WAKEUPS = Counter("wakeups_total", "Wake-ups that the broker took.", ("task",))
WAKEUPS_COALESCED = Counter(
    "wakeups_coalesced_total", "Wake-ups that one on its way to the broker stood for.", ("task",)
)
WAKEUPS_LOST = Counter("wakeups_lost_total", "Wake-ups that the broker did not take.", ("task",))
SWEPT = Counter("swept_total", "Overdue work found by the sweeper.", ("station", "how"))
BACKGROUND_THREAD_ERRORS = Counter(
    "background_thread_errors_total", "Rounds of a background thread that failed.", ("thread",)
)
WORKERS_STALLED = Counter(
    "workers_stalled_total", "Workers that ended themselves because they took no wake-up.", ("process",)
)
LEASES_LOST = Counter("leases_lost_total", "Leases lost while an answer was being made.")
SQL = Histogram("sql_seconds", "Time of a statement by the name in its comment.", ("statement",), buckets=SQL_S)
SQL_FAILED = Counter("sql_failed_total", "Statements that ended in an error.", ("statement", "sqlstate"))
LEASES_RECLAIMED = Counter("leases_reclaimed_total", "Leases of killed processes that others gave back.", ("kind",))
POOL_CONNECTIONS = Gauge("database_pool_connections", "Connections of database pools.", ("process", "state"))
POOL_WAITING = Gauge("database_pool_waiting_requests", "Callers waiting for a connection now.", ("process",))
POOL_ERRORS = Gauge("database_pool_failed_requests", "Callers that got no connection, since start.", ("process",))

ALL: tuple[Counter | Histogram | Gauge, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Counter | Histogram | Gauge)
)

__all__ = [
    "ALL", "Counter", "Gauge", "Histogram", "Sampler", "close", "configure", "counted", "exposition", "pool_stats",
]  # fmt: skip
