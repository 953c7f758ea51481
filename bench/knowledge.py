"""How fast a search is, and how much of what is nearest it finds, by the size of the company.

`python -m bench knowledge` (a million chunks and a tenth of them; `--scale 0.1` for a tenth of both), or
`python -m bench.knowledge --data FOLDER CHUNKS…`, which keeps the databases in the folder for the next time. Companies
from ten chunks to half of all, with texts and vectors as bench.corpora makes them, in one PostgreSQL; asked through the
product's own search as the application role, real questions of which three in ten are about the company's subjects.
Embedding is not in it. A million chunks take half an hour to load and 8 GB.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import corpora, filled
from bench.filled import Filled
from shared.embedded import Database as Server
from shared.embedded import DataFolder, Postgres
from shared.knowledge import search
from shared.knowledge.minilm import BASELINE, MODEL
from shared.knowledge.search import Meaning
from shared.store import embeddings
from shared.store.pool import Database

TOTALS = (100_000, 1_000_000)
QUESTIONS = 200
WANTED = 10
WARMING = 20
SERVER = {"shared_buffers": "2GB", "max_wal_size": "8GB"}
"""A million chunks with their indexes are 8 GB; docs/operations.md says what to give a server."""

HEAD = "| chunks of the company | p50 | p95 | CPU | words alone p95 | meaning alone p95 | recall@10 | too few |"

Asked = tuple[str, list[float]]


def report(scale: float = 1.0) -> Iterator[str]:
    yield from measure([int(total * scale) for total in TOTALS], None)


def measure(totals: Sequence[int], data: Path | None) -> Iterator[str]:
    """data: where the databases stay; None: nowhere."""
    with _server(data) as (server, folder):
        pool = corpora.pool(folder / "pool.npy", random.Random(7))
        made = "the sentences of ../shared/eval" if pool.real else "made-up sentences"
        yield (
            f"{len(pool.sentences)} sentences ({made}); a chunk's vector and the model's own: cosine"
            f" {corpora.faithful(pool, random.Random(5)):.2f}; shared_buffers {SERVER['shared_buffers']}"
        )
        for total in totals:
            database, state = filled.fill(server, folder, pool, total)
            yield (
                f"\n{state.total} chunks in {len(state.sizes)} companies: loaded in {state.load_s:.0f} s, indexed in"
                f" {state.index_s:.0f} s"
            )
            yield HEAD
            yield "|---" * (HEAD.count("|") - 1) + "|"
            yield from _by_size(database, state, pool.questions[:QUESTIONS])


@contextmanager
def _server(data: Path | None) -> Iterator[tuple[Postgres, Path]]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        with DataFolder(data) as opened, Postgres(opened, fsync=False, extra=SERVER) as server:
            yield server, data
        return
    with tempfile.TemporaryDirectory() as made, DataFolder(Path(made)) as opened:
        with Postgres(opened, fsync=False, extra=SERVER) as server:
            yield server, opened.path
        opened.discard()


def _by_size(database: Server, state: Filled, asked: Sequence[Asked]) -> Iterator[str]:
    app = Database(database.url, max_size=1, timeout_s=5.0)
    app.open()
    try:
        seen: set[int] = set()
        for company_id, size in sorted(state.sizes.items(), key=lambda item: item[1]):
            if size not in seen:
                seen.add(size)
                yield _measured(app, company_id, size, asked)
    finally:
        app.close()


def _measured(app: Database, company_id: int, size: int, asked: Sequence[Asked]) -> str:
    with app.transaction(company_id) as conn:
        space_id = embeddings.find_space(conn, MODEL, len(asked[0][1]))
        server = psutil.Process(conn.info.backend_pid)
    assert space_id is not None
    for words, vector in asked[:WARMING]:
        _searched(app, company_id, words, vector)
    cpu_s = -_cpu_s(server)
    whole = [_searched(app, company_id, words, vector) for words, vector in asked]
    cpu_ms = 1000 * (cpu_s + _cpu_s(server)) / len(asked)
    by_words = [_searched(app, company_id, words, None)[0] for words, _ in asked]
    near = [_nearest(app, company_id, space_id, vector) for _, vector in asked]
    times = [ms for ms, _ in whole]
    figures = (statistics.median(times), _p95(times), cpu_ms, _p95(by_words), _p95([ms for ms, _, _ in near]))
    recall = statistics.mean(share for _, share, _ in near)
    few = sum(found < min(WANTED, size) for _, found in whole) + sum(found < min(WANTED, size) for _, _, found in near)
    return " | ".join([f"| {size}", *(f"{ms:.1f} ms" for ms in figures), f"{recall:.3f}", f"{few} |"])


def _searched(app: Database, company_id: int, words: str, vector: list[float] | None) -> tuple[float, int]:
    """How long, in ms, and how many passages."""
    meaning = None if vector is None else Meaning(MODEL, vector, 1.0, BASELINE)
    began = time.perf_counter()
    with app.transaction(company_id) as conn:
        passages = search.search(conn, company_id, words, WANTED, meaning)
    return 1000 * (time.perf_counter() - began), len(passages)


def _nearest(app: Database, company_id: int, space_id: int, vector: list[float]) -> tuple[float, float, int]:
    """By meaning alone: how long, in ms; the share of the exact ten that is there; how many."""
    with app.transaction(company_id) as conn:
        began = time.perf_counter()
        near = embeddings.nearest(conn, company_id, space_id, vector, WANTED)
        ms = 1000 * (time.perf_counter() - began)
        exact = embeddings.nearest(conn, company_id, space_id, vector, WANTED, exact=True)
    # By distance: of two chunks that are equally near either will do.
    furthest = exact[-1].score - 1e-6
    return ms, min(1.0, sum(passage.score >= furthest for passage in near) / len(exact)), len(near)


def _cpu_s(server: psutil.Process) -> float:
    """What the connection's server process and we have used."""
    used = server.cpu_times()
    return float(used.user + used.system) + time.process_time()


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.knowledge", description="A search by the size of the company."
    )
    parser.add_argument("totals", nargs="*", type=int, default=list(TOTALS), metavar="CHUNKS")
    parser.add_argument("--data", type=Path, help="a folder that keeps the databases for the next time")
    given = parser.parse_args()
    for line in measure(given.totals, given.data):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
