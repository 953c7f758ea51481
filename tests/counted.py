"""What was counted while a test ran: a book that keeps counters' sums and gauges in memory."""

from __future__ import annotations

from collections import Counter as Sums
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from shared.telemetry import metrics
from shared.telemetry.metrics import Counter, Gauge


class Book:
    def __init__(self) -> None:
        self._sums: Sums[str] = Sums()

    def add(self, kind: str, keys: Sequence[str], values: Sequence[float], beside: Iterable[str] = ()) -> None:
        for key, value in zip(keys, values, strict=True):
            self._sums[key] += value  # type: ignore[assignment]

    def put(self, kind: str, key: str, value: float) -> None:
        self._sums[key] = value  # type: ignore[assignment]

    def of(self, metric: Counter | Gauge, *labels: str) -> float:
        key = metric._key(labels)
        return self._sums[key if isinstance(key, str) else key[0]]


@contextmanager
def counted() -> Iterator[Book]:
    """Everything that is counted meanwhile goes into this book alone."""
    with pytest.MonkeyPatch.context() as patch:
        book = Book()
        patch.setattr(metrics, "_book", book)
        yield book
