"""Partitions by day: made ahead, nothing refused for want of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta

import psycopg
import pytest

from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.operations import partitions
from shared.store.operations.partitions import DAYS_AHEAD, PARTITIONED

TODAY = date(2031, 5, 6)


@pytest.fixture
def owner(database: Database) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


def _add_raw(conn: Conn, day: date, entry: str = "1-0") -> None:
    conn.execute(
        "INSERT INTO webhook_raw (day, stream, entry_id, platform, app_id, received_at, size, body)"
        " VALUES (%s, 's', %s, 'telegram', 1, now(), 0, '')",
        (day, entry),
    )


def _where(conn: Conn) -> dict[str, int]:
    rows = conn.execute("SELECT tableoid::regclass::text, count(*) FROM webhook_raw GROUP BY 1").fetchall()
    return {str(name): int(str(count)) for name, count in rows}


def test_partitions_of_the_coming_week_are_made_once(owner: Conn) -> None:
    made = partitions.make_partitions(owner, TODAY)

    assert made == len(PARTITIONED) * (DAYS_AHEAD + 2)
    assert partitions.make_partitions(owner, TODAY) == 0
    assert partitions.make_partitions(owner, TODAY + timedelta(days=1)) == len(PARTITIONED)


def test_a_row_lands_in_its_day_and_one_of_a_far_day_in_the_default(owner: Conn) -> None:
    partitions.make_partitions(owner, TODAY)

    for day in (TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=DAYS_AHEAD), date(2099, 1, 1)):
        _add_raw(owner, day)

    assert _where(owner) == {
        "webhook_raw_20310505": 1,
        "webhook_raw_20310506": 1,
        "webhook_raw_20310513": 1,
        "webhook_raw_default": 1,
    }


def test_rows_that_came_before_their_partition_move_into_it(owner: Conn) -> None:
    _add_raw(owner, TODAY, "1-0")
    _add_raw(owner, TODAY, "2-0")
    _add_raw(owner, date(2099, 1, 1))

    partitions.make_partitions(owner, TODAY)

    assert _where(owner) == {"webhook_raw_20310506": 2, "webhook_raw_default": 1}


def test_a_partition_is_made_while_rows_of_its_day_are_being_written(owner: Conn, database: Database) -> None:
    with psycopg.connect(database.url) as writer:
        _add_raw(writer, TODAY)  # not committed: it holds the default partition
        with pytest.raises(psycopg.errors.LockNotAvailable):
            partitions.make_partitions(owner, TODAY)
        writer.commit()

    assert partitions.make_partitions(owner, TODAY) > 0
    assert _where(owner) == {"webhook_raw_20310506": 1}


def test_two_makers_at_once_make_each_partition_once(database: Database) -> None:
    made: list[int] = []
    at_once = threading.Barrier(2)

    def run() -> None:
        with psycopg.connect(database.admin_url, autocommit=True) as conn:
            at_once.wait(10)
            made.append(partitions.make_partitions(conn, TODAY))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sum(made) == len(PARTITIONED) * (DAYS_AHEAD + 2)
    assert len(made) == 2
