"""Counters, histograms and gauges, which each domain declares in its `metrics.py`.

Names end in their unit; labels are words of ours and names from the settings, never ids.

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
    """Return the metric's values over all processes of this machine, by its labels' values in the order of the labels'
    names; empty where none keeps numbers. Raises OSError."""
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


__all__ = [
    "Counter", "Gauge", "Histogram", "Sampler", "close", "configure", "counted", "exposition",
]  # fmt: skip
