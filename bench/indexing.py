"""What the local model costs: a question on one core, a search that is remembered, ten thousand chunks indexed beside
the bare encoder.

`python -m bench indexing [--scale 0.1]`; three minutes on two quiet cores. Questions and texts are those of
bench.corpora, a text no longer than a paragraph. Indexing runs as the worker
does it, in as many threads as the fleet gives it: claims, texts from PostgreSQL, vectors into it, with fsync. The bare
encoder is the tokenizer and ONNX Runtime in as many threads, with nothing else, on texts sorted by length.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from bench import corpora
from bench.corpora import Text
from shared.cache.two_level import TwoLevel
from shared.embedded import Database, DataFolder, Postgres, Valkey
from shared.knowledge import e5, search
from shared.knowledge.asking import Question
from shared.knowledge.e5 import LocalE5
from shared.knowledge.remembered import RESULTS_ENTRIES, RESULTS_TTL_S, VECTORS_ENTRIES, VECTORS_TTL_S, Results
from shared.resources import Resources, open_resources
from shared.store.db.migrate import migrate
from shared.store.tenants import companies
from tasks.knowledge import index
from tests.factories import settings_for

CHUNKS, OF_A_DOCUMENT = 10_000, 50
CHARS = 200
BARE = 0.1
"""The share of them that the bare encoder is given, before and after."""
THREADS = 2
QUESTIONS = 200
DEADLINE_S = 10.0


def report(scale: float = 1.0) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as folder:
        texts = corpora.texts()
        asked = [text.question for text in random.Random(3).sample(texts, QUESTIONS)]
        yield f"load {os.getloadavg()[0]:.1f}; {_asked(asked)}"
        with Postgres(folder) as server, Valkey(folder) as valkey:
            database = server.create_database("indexing")
            migrate(database.admin_url)
            r = open_resources(settings_for(database, valkey.database_url(1)), name="bench")
            try:
                yield from _indexed(r, database, _chunks(texts, int(CHUNKS * scale)))
                yield from _remembered(r, asked)
            finally:
                r.close()
        folder.discard()


def _chunks(texts: Sequence[Text], count: int) -> list[str]:
    """So many, no two alike."""
    return [f"{texts[n % len(texts)].passage[:CHARS]} ({n})" for n in range(count)]


def _asked(questions: Sequence[str]) -> str:
    """A question at a time, on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        embedder = LocalE5(threads=1)
        took = [_ms(lambda text=text: embedder.embed([text])) for text in questions]  # type: ignore[misc]
    finally:
        os.sched_setaffinity(0, cores)
    return f"a question embedded on one core: p50 {statistics.median(took):.1f} ms, p95 {_p95(took):.1f} ms"


def _indexed(r: Resources, database: Database, texts: Sequence[str]) -> Iterator[str]:
    count = len(texts)
    tokens = _add(r, database, texts)
    sample = texts[:: round(1 / BARE)]
    before = _bare(sample)
    began = time.perf_counter()
    _each_thread(lambda: _work(r))
    took = time.perf_counter() - began
    after = _bare(sample)
    bare = (before + after) / 2
    yield (
        f"{count} chunks, {tokens} tokens, indexed in {took:.0f} s: {count / took:.0f} chunks and {tokens / took:.0f}"
        f" tokens a second, {100 * tokens / took / bare:.0f} % of the bare encoder's {bare:.0f}"
        f" ({before:.0f} before, {after:.0f} after)"
    )


def _add(r: Resources, database: Database, texts: Sequence[str]) -> int:
    """Store them as documents whose paragraphs are chunks; how many tokens their chunks have."""
    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        company_id = companies.ensure(owner, "bench").id
    for first in range(0, len(texts), OF_A_DOCUMENT):
        with r.db.transaction(company_id) as conn:
            # Headings, so that each stays a chunk of its own.
            body = "\n\n".join(f"# Part {n}\n{text}" for n, text in enumerate(texts[first : first + OF_A_DOCUMENT]))
            search.add(conn, company_id, source=f"page {first}", title=f"Page {first}", text=body)
    with r.db.transaction(company_id) as conn:
        rows: list[Any] = conn.execute("SELECT title, text FROM chunks WHERE company_id = %s", (company_id,)).fetchall()
    return _tokens([f"{title}\n{text}" for title, text in rows])


def _tokens(texts: Sequence[str]) -> int:
    """As the model takes them: with those that mark beginning and end, and the prefix."""
    vocabulary, _ = e5._model()
    return sum(min(len(vocabulary.ids(e5.PASSAGE + text)) + 2, e5.TOKENS_MAX) for text in texts)


def _work(r: Resources) -> None:
    cursor = 0
    while True:
        result, cursor = index.index_next_document(r, cursor)
        if result is index.Result.NOTHING_DUE and cursor == 0:
            return


def _bare(texts: Sequence[str]) -> float:
    """Tokens a second."""
    encoder, ordered = LocalE5(threads=THREADS), sorted(texts, key=len)
    batches = [ordered[at : at + e5.BATCH] for at in range(0, len(ordered), e5.BATCH)]
    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(lambda batch: encoder.embed(batch, passages=True), batches):
            pass
    took = time.perf_counter() - began
    return _tokens(texts) / took


def _each_thread(work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _remembered(r: Resources, questions: Sequence[str]) -> Iterator[str]:
    """Searches with their embedding: made, from this process' memory, from Redis as another process finds it."""
    [company_id] = _companies(r)
    made = [_ms(lambda q=q: _search(r, company_id, q)) for q in questions]  # type: ignore[misc]
    near = [_ms(lambda q=q: _search(r, company_id, q)) for q in questions]  # type: ignore[misc]
    r.vectors = TwoLevel(r.cache, r.clock, ttl_s=VECTORS_TTL_S, entries=VECTORS_ENTRIES)
    r.results = Results(TwoLevel(r.cache, r.clock, ttl_s=RESULTS_TTL_S, entries=RESULTS_ENTRIES))
    far = [_ms(lambda q=q: _search(r, company_id, q)) for q in questions]  # type: ignore[misc]
    for name, took in (("made", made), ("from memory", near), ("from Redis", far)):
        yield f"a search with its embedding, {name}: p50 {statistics.median(took):.2f} ms, p95 {_p95(took):.2f} ms"


def _companies(r: Resources) -> list[int]:
    with r.db.transaction() as conn:
        return companies.ids(conn)


def _search(r: Resources, company_id: int, question: str) -> None:
    _, found = r.ask(Question(company_id, [question], 8), lambda known: r.understand([question], deadline_s=DEADLINE_S))
    assert len(found) == 8


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]
