"""When a queue will be empty, by what waited in it minutes ago; event streams and caches as operators see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.cache.metrics import CACHE
from shared.embedded import Database
from shared.live.metrics import STREAMS, STREAMS_ALLOWED
from shared.store.operations import queue_depths
from shared.store.operations.queue_depths import Noted
from shared.telemetry import metrics
from tasks.operations import health
from tasks.operations.health import CheckContext, clearing
from tests.factories import make_bot, settings_for
from tests.integration.station import Station


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Path]:
    metrics.configure(tmp_path)
    yield tmp_path
    metrics.close()


@pytest.mark.parametrize(
    ("depth", "before", "seconds"),
    [
        (0, None, 0.0),
        (0, Noted(50, 60.0), 0.0),
        (10, None, None),
        (10, Noted(10, 60.0), None),  # stands still
        (30, Noted(10, 60.0), None),  # grows
        (100, Noted(400, 300.0), 100.0),  # one a second
        (1, Noted(2, 0.0), None),
    ],
)
def test_a_queue_is_empty_when_what_is_left_has_gone_at_the_pace_of_the_last_minutes(
    depth: int, before: Noted | None, seconds: float | None
) -> None:
    assert clearing.clear_s(depth, before) == seconds


def _looked(station: Station) -> dict[str, health.Examined]:
    with station.r.db.connection() as conn:
        journal = station.inbox.client
        return health.examine(CheckContext(station.r.settings, datetime.now(UTC), conn, journal, journal, journal))


def test_what_waits_is_noted_and_shows_when_every_queue_will_be_empty(station: Station, database: Database) -> None:
    bot = make_bot(database.admin_url)
    for n in range(4):
        station.receive(bot, "hello", chat=n + 1)
    station.execute("UPDATE turns SET due_at = now() - interval '90 seconds'")
    station.inbox.client.rpush("sb:celery:reply", *(f"wake-up {n}" for n in range(6)))

    noted = clearing.note(station.r)
    station.execute("UPDATE queue_depths SET noted_at = noted_at - interval '100 seconds'")
    station.execute("DELETE FROM turns WHERE id = (SELECT min(id) FROM turns)")
    station.inbox.client.lpop("sb:celery:reply", 4)
    found = _looked(station)

    assert (noted["turns"], noted["parts"], noted["journal"], noted["wakeups.reply"]) == (4, 0, 0, 6)
    assert {"index", "media", "imports"} <= set(noted)
    queues, rows, journal = (found[name].data for name in ("queues", "rows", "journal"))
    assert queues is not None
    assert rows is not None
    assert journal is not None
    assert queues["reply"]["wakeups"] == 2
    assert queues["reply"]["clear_s"] == pytest.approx(50, abs=5)  # four of six went in 100 s
    assert rows["overdue_turns"] == 3
    assert rows["overdue_turns_clear_s"] == pytest.approx(300, abs=20)
    assert rows["overdue_turns_before"]["waited"] == 4
    assert (rows["overdue_parts_clear_s"], journal["clear_s"]) == (0, 0)


def test_notes_are_kept_for_a_quarter_of_an_hour_and_the_oldest_of_five_minutes_counts(station: Station) -> None:
    def note(depth: int, ago_s: int) -> None:
        with station.r.db.transaction() as conn:
            queue_depths.note(conn, {"a": depth})
        station.execute(
            "UPDATE queue_depths SET noted_at = noted_at - make_interval(secs => %s)"
            " WHERE noted_at = (SELECT max(noted_at) FROM queue_depths)",
            ago_s,
        )

    for depth, ago_s in ((1, 1000), (2, 400), (3, 290), (4, 100)):
        note(depth, ago_s)

    with station.r.db.transaction() as conn:
        found = queue_depths.lately(conn)
    assert found["a"].depth == 3
    assert found["a"].age_s == pytest.approx(290, abs=20)
    assert station.rows("SELECT depth FROM queue_depths ORDER BY noted_at") == [(2,), (3,), (4,)]


def test_who_notes_twice_at_once_notes_once(station: Station) -> None:
    with station.r.db.transaction() as conn:
        queue_depths.note(conn, {"a": 1, "b": 2})
        queue_depths.note(conn, {"a": 3})

    assert station.rows("SELECT queue, depth FROM queue_depths ORDER BY 1") == [("a", 1), ("b", 2)]


def test_while_redis_is_away_nothing_is_noted_and_the_rest_is_still_shown(
    database: Database, redis_url: str, station: Station
) -> None:
    with station.r.db.connection() as conn:
        found = health.examine(
            CheckContext(settings_for(database, redis_url), datetime.now(UTC), conn, None, None, None)
        )
    assert found["queues"].data is None
    assert found["rows"].data is not None


def test_event_streams_near_their_bound_are_a_problem_and_caches_tell_their_share(
    database: Database, redis_url: str, counting: Path
) -> None:
    settings = settings_for(database, redis_url, METRICS_DIR=counting)

    def look() -> dict[str, health.Examined]:
        checks = {name: health.CHECKS[name] for name in ("sockets", "caches")}
        return health.examine(CheckContext(settings, datetime.now(UTC), None, None, None, None), checks)

    assert look()["sockets"].error is not None, "no gateway has told of any"

    STREAMS_ALLOWED.set(100)
    STREAMS.set(89)
    for where in ("near", "near", "far", "nowhere"):
        CACHE.inc("results", where)
    found = look()
    assert found["sockets"].data == {"event_streams": 89, "allowed": 100}
    assert found["sockets"].problems == ()
    assert found["caches"].data == {
        "caches": {"results": {"near": 2, "far": 1, "nowhere": 1, "hit_share": 0.75}}, "rests": 0,
    }  # fmt: skip

    STREAMS.set(90)
    [full] = look()["sockets"].problems
    assert full.key == "full"
    assert "90 of 100" in full.words
