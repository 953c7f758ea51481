"""Computes questions that wait for the embedder at the same time as one batch."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from shared.errors import ModelUnavailable
from shared.knowledge.embed import Embedder, Vector

BATCH = 8
"""A question alone costs 4 ms and each of eight together less than 2: most of it is reading the model's weights."""


class GatheredEmbedder:
    """An embedder for use by many threads, which computes in this process.

    A question that comes while a thread is free is computed at once, alone. Those that come while all are busy form the
    next batch. at_once: number of batches at the same time. Threads are started with the first question, so after any
    fork.
    """

    def __init__(self, embedder: Embedder, *, at_once: int | None = None) -> None:
        self._embedder = embedder
        self._at_once = at_once or os.cpu_count() or 1
        self._waiting: deque[tuple[str, Future[Vector]]] = deque()
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0

    @property
    def model(self) -> str:
        return self._embedder.model

    @property
    def baseline(self) -> float:
        return self._embedder.baseline

    def prepare(self) -> None:
        self._embedder.prepare()

    def trust(self, text: str) -> float:
        return self._embedder.trust(text)

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Vector]:
        """Embed texts like the wrapped embedder. Raises ModelUnavailable if the deadline passes before a text's turn
        comes. Passages wait for no others."""
        if passages or len(texts) >= BATCH:
            return self._embedder.embed(texts, deadline_s=deadline_s, passages=passages)
        asked = [(text, Future[Vector]()) for text in texts]
        with self._changed:
            self._waiting.extend(asked)
            if self._idle == 0 and self._threads < self._at_once:
                self._threads += 1
                threading.Thread(target=self._run, name="embedder", daemon=True).start()
            self._changed.notify()
        try:
            return [future.result(deadline_s) for _, future in asked]
        except TimeoutError as e:
            for _, future in asked:
                future.cancel()
            raise ModelUnavailable("embedder busy") from e

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._waiting)
                self._idle -= 1
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
            self._compute([one for one in batch if one[1].set_running_or_notify_cancel()])

    def _compute(self, batch: Sequence[tuple[str, Future[Vector]]]) -> None:
        if not batch:
            return
        try:
            vectors = self._embedder.embed([text for text, _ in batch], deadline_s=0.0)
            answers = list(zip(batch, vectors, strict=True))
        except Exception as e:  # noqa: BLE001  it belongs to whoever asked
            for _, future in batch:
                future.set_exception(e)
            return
        for (_, future), vector in answers:
            future.set_result(vector)
