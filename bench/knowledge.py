"""How fast a search is, and how much of what is nearest it finds, by the size of the company.

`python -m bench knowledge` (a million chunks and a tenth of them; `--scale 0.1` for a tenth of both), or
`python -m bench.knowledge --data FOLDER CHUNKS…`, which keeps the databases in the folder for the next time; with
`--fill S` it only goes on filling them, for so many seconds. Companies from ten chunks to half of all, with texts and
vectors as bench.corpora makes them, in one PostgreSQL; asked through the product's own search as the application role.
Each question is asked once before it is measured. Embedding is not in it. A million chunks take half an hour to load
and 8 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import corpora, filled
from bench.corpora import Asked
from bench.filled import NotYet
from shared.embedded import Database as Server
from shared.embedded import DataFolder, Postgres
from shared.knowledge import search
from shared.knowledge.e5 import BASELINE, DIMENSION, MODEL
from shared.knowledge.search import Meaning
from shared.store.db.pool import Conn, Database
from shared.store.knowledge import embeddings

TOTALS = (100_000, 1_000_000)
QUESTIONS = 200
WANTED = 10
SERVER = {"shared_buffers": "4GB", "effective_cache_size": "12GB", "max_wal_size": "8GB"}
"""A million chunks with their indexes are 8 GB; docs/operations.md says what to give a server."""

HEAD = (
    "| chunks of the company | p50 | p95 | CPU | words alone p95 | meaning alone p95 | recall@10"
    " | of questions about something else | too few |"
)


def report(scale: float = 1.0) -> Iterator[str]:
    yield from measure([int(total * scale) for total in TOTALS], None)


def measure(totals: Sequence[int], data: Path | None) -> Iterator[str]:
    """data: where the databases stay; None: nowhere."""
    with _server(data) as (server, folder):
        pool = corpora.pool(folder / "pool.npy")
        yield f"{len(pool.passages)} passages, turned; {_settings()}; load {os.getloadavg()[0]:.1f}"
        for total in totals:
            database, state = filled.fill(server, folder, pool, total)
            graphs = ", ".join(f"{state.sizes[company]}: {took:.0f} s" for company, took in state.graph_s.items())
            yield (
                f"\n{state.total} chunks in {len(state.sizes)} companies: loaded in {state.load_s:.0f} s, words indexed"
                f" in {state.words_s:.0f} s; graphs of {graphs}"
            )
            yield HEAD
            yield "|---" * (HEAD.count("|") - 1) + "|"
            with _opened(database) as app:
                for company_id, size in state.of_each_size():
                    asked = corpora.asked(pool, company_id, size, QUESTIONS)
                    yield _measured(
                        app, company_id, size, asked, _exactly(app, company_id, asked, _exact(folder, total))
                    )
        yield f"load {os.getloadavg()[0]:.1f}"


def fill(totals: Sequence[int], data: Path, within_s: float) -> Iterator[str]:
    """Fill the databases for so long, and look up what an exact search finds there; measure nothing."""
    ends_s = time.monotonic() + within_s
    with _server(data) as (server, folder):
        pool = corpora.pool(folder / "pool.npy")
        for total in totals:
            try:
                database, state = filled.fill(server, folder, pool, total, within_s=ends_s - time.monotonic())
            except NotYet:
                yield f"{total}: not yet"
                return
            with _opened(database) as app:
                for company_id, size in state.of_each_size():
                    _exactly(app, company_id, corpora.asked(pool, company_id, size, QUESTIONS), _exact(folder, total))
            yield f"{total}: whole"


def _settings() -> str:
    return ", ".join(f"{name} {value}" for name, value in SERVER.items())


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


@contextmanager
def _opened(database: Server) -> Iterator[Database]:
    app = Database(database.url, max_size=1, timeout_s=5.0)
    app.open()
    try:
        yield app
    finally:
        app.close()


def _exact(folder: Path, total: int) -> Path:
    return folder / f"{total}-exact.json"


def _exactly(app: Database, company_id: int, asked: Sequence[Asked], kept: Path) -> list[float]:
    """Of each question the score of the exact tenth. kept: exact searches of half a million chunks take minutes."""
    known: dict[str, list[float]] = json.loads(kept.read_text()) if kept.exists() else {}
    if str(company_id) not in known:
        with app.transaction(company_id) as conn:
            model_id = _model(conn)
        known[str(company_id)] = [_tenth(app, company_id, model_id, one.vector) for one in asked]
        kept.write_text(json.dumps(known))
    return known[str(company_id)]


def _tenth(app: Database, company_id: int, model_id: int, vector: list[float]) -> float:
    with app.transaction(company_id) as conn:
        return embeddings.nearest(conn, company_id, model_id, vector, WANTED, exact=True)[-1].score


def _model(conn: Conn) -> int:
    found = embeddings.find_model(conn, MODEL, DIMENSION)
    assert found is not None
    return found


def _measured(app: Database, company_id: int, size: int, asked: Sequence[Asked], tenth: Sequence[float]) -> str:
    with app.transaction(company_id) as conn:
        model_id = _model(conn)
        server = psutil.Process(conn.info.backend_pid)
    for one in asked:
        _searched(app, company_id, one.text, one.vector)
    cpu_s = -_cpu_s(server)
    whole = [_searched(app, company_id, one.text, one.vector) for one in asked]
    cpu_ms = 1000 * (cpu_s + _cpu_s(server)) / len(asked)
    by_words = [_searched(app, company_id, one.text, None)[0] for one in asked]
    near = [_nearest(app, company_id, model_id, one.vector, score) for one, score in zip(asked, tenth, strict=True)]
    times = [ms for ms, _ in whole]
    figures = (statistics.median(times), _p95(times), cpu_ms, _p95(by_words), _p95([ms for ms, _, _ in near]))
    recalls = [found / min(WANTED, size) for _, found, _ in near]
    others = [recall for recall, one in zip(recalls, asked, strict=True) if not one.own]
    few = sum(found < min(WANTED, size) for _, found in whole) + sum(found < min(WANTED, size) for _, _, found in near)
    shares = f"{statistics.mean(recalls):.3f} | {statistics.mean(others):.3f}"
    return " | ".join([f"| {size}", *(f"{ms:.1f} ms" for ms in figures), shares, f"{few} |"])


def _searched(app: Database, company_id: int, words: str, vector: list[float] | None) -> tuple[float, int]:
    """How long, in ms, and how many passages."""
    meaning = None if vector is None else Meaning(MODEL, vector, 1.0, BASELINE)
    began = time.perf_counter()
    with app.transaction(company_id) as conn:
        passages = search.search(conn, company_id, words, WANTED, meaning)
    return 1000 * (time.perf_counter() - began), len(passages)


def _nearest(
    app: Database, company_id: int, model_id: int, vector: list[float], furthest: float
) -> tuple[float, int, int]:
    """By meaning alone: how long, in ms; how many of the exact ten are there; how many at all."""
    with app.transaction(company_id) as conn:
        began = time.perf_counter()
        near = embeddings.nearest(conn, company_id, model_id, vector, WANTED)
        ms = 1000 * (time.perf_counter() - began)
    # By distance: of two chunks that are equally near either will do.
    return ms, min(WANTED, sum(passage.score >= furthest - 1e-6 for passage in near)), len(near)


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
    parser.add_argument(
        "--fill", type=float, metavar="S", help="with --data: fill them for so long, and measure nothing"
    )
    given = parser.parse_args()
    if given.fill is not None and given.data is None:
        parser.error("--fill needs --data: what is filled is thrown away otherwise")
    lines = measure(given.totals, given.data) if given.fill is None else fill(given.totals, given.data, given.fill)
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
