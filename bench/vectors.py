"""A thousand vectors stored and a thousand searches, their vectors as text and by pgvector's types; by turns."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import psycopg

from shared.store.db.pool import Database
from shared.store.db.vectors import halfvec
from tests.services import running_services

DIMENSION, NUMBER, TURNS, BATCH = 384, 1_000, 9, 64
TEXT = "[" + ",".join(["%.6g"] * DIMENSION) + "]"
SETTING = (
    f"CREATE TABLE bench_vectors (id int GENERATED ALWAYS AS IDENTITY, embedding halfvec({DIMENSION}))",
    "GRANT SELECT, INSERT ON bench_vectors TO switchboard_app",
)
INSERT_TEXT = "INSERT INTO bench_vectors (embedding) SELECT v::halfvec FROM unnest(%s::text[]) v"
INSERT_TYPED = "INSERT INTO bench_vectors (embedding) SELECT v FROM unnest(%b::halfvec[]) v"
SEARCH = "SELECT id FROM bench_vectors ORDER BY (embedding <=> %s::halfvec) + 0 LIMIT 8"
HEAD = "| 1,000 of 384 dimensions | text, ms | typed, ms | ratio | client's CPU, text and typed, ms |"


def report() -> list[str]:
    generator = random.Random(1)
    vectors = [_vector(generator) for _ in range(NUMBER)]
    with (
        running_services() as services,
        services.migrated_database() as database,
        psycopg.connect(database.admin_url, autocommit=True) as owner,
    ):
        for statement in SETTING:
            owner.execute(statement.encode())
        db = Database(database.url, max_size=1, timeout_s=5)
        db.open()
        with db.connection() as conn:

            def stored(query: bytes, form: Callable[[list[float]], Any]) -> None:
                owner.execute("TRUNCATE bench_vectors")
                for at in range(0, NUMBER, BATCH):
                    conn.execute(query, ([form(vector) for vector in vectors[at : at + BATCH]],))

            def searched(form: Callable[[list[float]], Any]) -> None:
                for vector in vectors:
                    conn.execute(SEARCH, (form(vector),)).fetchall()

            def text(vector: list[float]) -> str:
                return TEXT % tuple(vector)

            def typed(vector: list[float]) -> Any:
                return halfvec(conn, vector)

            lines = [HEAD, "|---|---|---|---|---|"]
            lines.append(
                _line(
                    f"stored, {BATCH} a statement",
                    lambda: stored(INSERT_TEXT.encode(), text),
                    lambda: stored(INSERT_TYPED.encode(), typed),
                )
            )
            owner.execute("DELETE FROM bench_vectors WHERE id % 20 <> 0")
            owner.execute("VACUUM ANALYZE bench_vectors")
            lines.append(_line("searched, exact among 50", lambda: searched(text), lambda: searched(typed)))
        db.close()
    return lines


def _vector(generator: random.Random) -> list[float]:
    found = [generator.gauss(0, 1) for _ in range(DIMENSION)]
    length = sum(value * value for value in found) ** 0.5
    return [value / length for value in found]


def _line(name: str, text: Callable[[], None], typed: Callable[[], None]) -> str:
    turns = [(_timed(text), _timed(typed)) for _ in range(TURNS)]
    wall = [statistics.median(turn[side][0] for turn in turns) for side in (0, 1)]
    cpu = [statistics.median(turn[side][1] for turn in turns) for side in (0, 1)]
    ratio = statistics.median(one[0] / other[0] for one, other in turns)
    return f"| {name} | {wall[0]:.0f} | {wall[1]:.0f} | {ratio:.1f} | {cpu[0]:.0f}, {cpu[1]:.0f} |"


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)
