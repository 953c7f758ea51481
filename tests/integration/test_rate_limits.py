"""The table of rate limits: defaults, a company's own, and who sees a change when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import psycopg
import pytest

from shared.cache.invalidation import Invalidations
from shared.clock import FixedClock, SystemClock
from shared.embedded import Database as Server
from shared.resilience.refusals import Refusals
from shared.store.db.pool import Conn, Database
from shared.store.db.redis import connect
from shared.store.tenants import limit_table, rate_limits
from shared.store.tenants.limit_table import LimitTable
from shared.store.tenants.rate_limits import DEFAULTS, PURPOSES, Bounds
from tests.factories import Bot, make_bot
from tests.integration.command_line import Run, misused, nothing_done

SEEN_WITHIN_S = 10.0


@pytest.fixture
def bot(database: Server) -> Bot:
    return make_bot(database.admin_url, "Acme")


@pytest.fixture
def owner(database: Server) -> Iterator[Conn]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


class Process:
    """What a process has that asks for limits. seen: set when it was told of a change."""

    def __init__(self, server: Server, redis_url: str, closing: ExitStack) -> None:
        self.clock = FixedClock(datetime(2030, 1, 1, tzinfo=UTC))
        self.db = Database(server.url, max_size=1, timeout_s=2)
        self.db.open()
        closing.callback(self.db.close)
        self.invalidations = Invalidations(connect(redis_url))
        closing.callback(self.invalidations.close)
        self.table = LimitTable(self.db, self.clock, self.invalidations)
        self.seen = threading.Event()
        self.invalidations.on(rate_limits.TOPIC, lambda topic: self.seen.set() if topic else None)
        assert self.invalidations.wait_connected(SEEN_WITHIN_S)


@pytest.fixture
def process(database: Server, redis_url: str) -> Iterator[Callable[[], Process]]:
    with ExitStack() as closing:
        yield lambda: Process(database, redis_url, closing)


def test_the_migration_s_rows_are_the_built_in_defaults(owner: Conn) -> None:
    found = {one.purpose: one.bounds for one in rate_limits.everything(owner) if one.company_id is None}
    assert found == DEFAULTS
    assert set(found) == set(PURPOSES) == set(rate_limits.ABOUT)


def test_no_purpose_is_a_kind_of_the_daily_limits(owner: Conn) -> None:
    kinds = {str(kind) for (kind,) in owner.execute("SELECT kind FROM daily_limits").fetchall()}
    assert not kinds & set(PURPOSES)


def test_a_company_s_row_stands_in_place_of_the_default(
    process: Callable[[], Process], database: Server, owner: Conn, bot: Bot
) -> None:
    other = make_bot(database.admin_url)
    rate_limits.set_bounds(owner, "expensive", bot.company_id, Bounds(per_hour=7))

    table = process().table

    assert table.of(bot.company_id, "expensive") == Bounds(per_hour=7)
    assert table.of(bot.company_id, "answers") == DEFAULTS["answers"]
    assert table.of(other.company_id, "expensive") == DEFAULTS["expensive"]


def test_the_application_writes_its_company_s_rows_and_no_default(database: Server, bot: Bot) -> None:
    db = Database(database.url, max_size=1, timeout_s=2)
    db.open()
    try:
        with db.transaction(bot.company_id) as conn:
            rate_limits.set_bounds(conn, "answers", bot.company_id, Bounds(per_hour=5))
        for company in (None, make_bot(database.admin_url).company_id):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction(bot.company_id) as conn:
                rate_limits.set_bounds(conn, "answers", company, Bounds(per_hour=6))
        with db.transaction(bot.company_id) as conn:
            assert rate_limits.bounds_of(conn, bot.company_id)["answers"] == Bounds(per_hour=5)
    finally:
        db.close()


def test_a_change_by_hand_is_seen_by_every_process_at_once(process: Callable[[], Process], run: Run, bot: Bot) -> None:
    processes = [process(), process()]
    assert [one.table.of(bot.company_id, "answers").per_hour for one in processes] == [60, 60]

    assert run("limit", "set", "answers", "--company", "Acme", "--per-hour", "5").out == "answers  Acme: 5 an hour\n"

    assert all(one.seen.wait(SEEN_WITHIN_S) for one in processes)
    assert [one.table.of(bot.company_id, "answers").per_hour for one in processes] == [5, 5]


def test_without_being_told_a_change_is_seen_after_ten_minutes(
    process: Callable[[], Process], owner: Conn, bot: Bot
) -> None:
    one = process()
    one.table.of(bot.company_id, "answers")
    rate_limits.set_bounds(owner, "answers", bot.company_id, Bounds(per_hour=5))

    one.clock.advance(limit_table.TTL_S - 1)
    assert one.table.of(bot.company_id, "answers").per_hour == 60
    one.clock.advance(1)
    assert one.table.of(bot.company_id, "answers").per_hour == 5


def test_while_the_database_gives_nothing_what_was_known_last_holds(
    process: Callable[[], Process], owner: Conn, bot: Bot
) -> None:
    one = process()
    rate_limits.set_bounds(owner, "answers", bot.company_id, Bounds(per_hour=5))
    assert one.table.of(bot.company_id, "answers").per_hour == 5
    owner.execute("REVOKE SELECT ON rate_limits FROM switchboard_app")  # it refuses as it would if it was away
    one.clock.advance(limit_table.TTL_S)

    assert one.table.of(bot.company_id, "answers").per_hour == 5
    assert one.table.of(2**40, "answers") == DEFAULTS["answers"]  # never asked for before

    owner.execute("GRANT SELECT ON rate_limits TO switchboard_app")
    rate_limits.set_bounds(owner, "answers", bot.company_id, Bounds(per_hour=8))
    one.clock.advance(limit_table.AWAY_S)
    assert one.table.of(bot.company_id, "answers").per_hour == 8


def test_limits_are_set_and_reset_by_hand(run: Run, bot: Bot) -> None:
    assert run("limit", "set", "expensive", "--per-hour", "none", "--at-once", "9").out == (
        "expensive  everybody: 10 a minute, 9 at once\n"
    )
    shown = {(one["purpose"], one["company_id"]): one for one in run("limit", "list", "--json").json["rate_limits"]}
    assert (shown["expensive", None]["per_hour"], shown["expensive", None]["at_once"]) == (None, 9)
    assert run("limit", "set", "expensive", "--company", "Acme", "--at-once", "2").code == 0
    assert f"company {bot.company_id}: 10 a minute, 2 at once" in run("limit", "list").out
    assert "address  10 in 10 seconds" in run("limit", "list").out

    assert run("limit", "reset", "expensive").out == "expensive  everybody: now 10 a minute, 100 an hour, 5 at once\n"
    assert run("limit", "reset", "expensive", "--company", "Acme").code == 0
    nothing_done(run("limit", "reset", "expensive"), "already")
    nothing_done(run("limit", "reset", "expensive", "--company", "Acme"), "no limit of its own")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["answers"], ["--per-hour N"]),
        (["answers", "--per-company", "5"], ["--per-hour N"]),
        (["media_fetches", "--per-hour", "5"], ["--per-company N"]),
        (["answers", "--per-hour", "0"], ["1 to 1,000,000"]),
        (["answers", "--per-hour", "1001"], ["1 to 1,000"]),
        (["answers", "--per-minute", "5"], ["by the hour alone"]),
        (["expensive", "--at-once", "10001"], ["1 to 10,000"]),
    ],
)
def test_what_is_no_limit_is_refused_and_said(run: Run, options: list[str], words: list[str]) -> None:
    misused(run("limit", "set", *options), *words)


def test_who_was_refused_most_is_shown_by_hand(run: Run, redis_url: str, bot: Bot) -> None:
    assert run("limit", "abuse").out == "nobody was refused in the last day\n"
    refusals = Refusals(connect(redis_url), SystemClock())
    for _ in range(3):
        refusals.refused("answers", "contact", bot.company_id, "17")
    refusals.refused("address", "stranger", bot.company_id + 1, "203.0.113.7")
    refusals.write()

    first, second = run("limit", "abuse").lines

    assert first == f"answers  contact 17 of company {bot.company_id}: 3 in the last day"
    assert second.startswith("address  address ")
    assert "203.0.113.7" not in second
    assert run("limit", "abuse", "--company", "Acme").lines == [first]
    assert run("limit", "abuse", "--address", "203.0.113.7").lines == [second]
    assert run("limit", "abuse", "--address", "203.0.113.8").out == "nobody was refused in the last day\n"
    assert run("limit", "abuse", "--limit", "1", "--json").json["refused"] == [
        {"purpose": "answers", "asker": "contact", "company_id": bot.company_id, "who": "17", "refused": 3}
    ]
    misused(run("limit", "abuse", "--address", "nonsense"), "203.0.113.7")
