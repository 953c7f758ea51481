"""Sends of which nobody knows whether they arrived are not repeated; attempts that may not be recorded are undone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NoReturn

import psycopg
import pytest

from shared.embedded import Database, Postgres
from shared.errors import DatabaseUnavailable
from shared.store.db import migrate, pool
from shared.store.db.pool import Conn
from shared.store.delivery import outbound, send_results
from tasks.delivery import deliver, recording, sending
from tasks.delivery.deliver import Result, Taken
from tasks.dispatch import ClaimCapacity
from tests.factories import Bot, make_bot
from tests.integration.claims import claim_part
from tests.integration.delivered_parts import parts, refused, states
from tests.integration.station import DROPS, LEAVES_OPEN, Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, SEND_DEADLINE_S=0.3, RECORD_DEADLINE_S=30.0)
    yield station
    station.close()


# ------------------------------------------------------------------ nobody knows


@pytest.mark.parametrize("fault", [LEAVES_OPEN, DROPS])
def test_a_send_without_an_answer_has_an_unknown_outcome_and_is_not_repeated(
    station: Station, bot: Bot, fault: str
) -> None:
    station.telegram.script.append(fault)
    station.queue(bot, "one", "two")

    assert station.deliver().result is Result.UNSENT

    assert states(station) == ["unknown_outcome", "queued"]
    station.time_passes()
    assert station.deliver().result is Result.NOTHING_DUE  # it holds up its conversation
    assert station.telegram.texts == ["one"]


def test_a_part_of_unknown_outcome_lets_the_others_pass_after_a_while(station: Station, bot: Bot) -> None:
    station.telegram.script.append(DROPS)
    station.queue(bot, "one", "two")
    station.deliver()
    station.execute("UPDATE outbound SET unknown_since = now() - interval '61 seconds' WHERE state = 'unknown_outcome'")

    station.time_passes()
    assert station.deliver().result is Result.SENT

    assert states(station) == ["unknown_outcome", "sent"]
    assert station.telegram.texts == ["one", "two"]


@pytest.mark.parametrize(("sent", "state", "texts"), [(True, "sent", ["one"]), (False, "sent", ["one", "one"])])
def test_a_person_settles_a_part_of_unknown_outcome(
    station: Station, bot: Bot, sent: bool, state: str, texts: list[str]
) -> None:
    station.telegram.script.append(DROPS)
    station.queue(bot, "one")
    station.deliver()
    with psycopg.connect(station.inbox.server.admin_url) as owner:
        [unknown] = send_results.list_unknown_outcomes(owner)
        assert unknown.meaning == "connection_lost"
        assert send_results.settle(owner, unknown.company_id, unknown.id, sent=sent)
        assert not send_results.settle(owner, unknown.company_id, unknown.id, sent=sent)

    station.deliver_all()

    assert states(station) == [state]
    assert station.telegram.texts == texts


def test_a_send_whose_result_nobody_recorded_gets_an_unknown_outcome_and_a_late_record_settles_it(
    station: Station, bot: Bot
) -> None:
    station.queue(bot, "one")
    seen: list[object] = []

    def meanwhile() -> None:
        seen.append(recording.expire_unrecorded(station.r))  # not yet
        station.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
        seen.append(recording.expire_unrecorded(station.r))
        seen.extend(parts(station))

    station.telegram.meanwhile = meanwhile

    assert station.deliver().result is Result.SENT

    assert seen == [0, 1, ("unknown_outcome", "not_recorded")]
    assert parts(station) == [("sent", "sent")]
    assert station.rows("SELECT unknown_since, platform_message_id FROM outbound") == [(None, "1001")]


def test_a_record_that_comes_after_a_person_has_settled_changes_nothing(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")

    def meanwhile() -> None:
        station.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
        recording.expire_unrecorded(station.r)
        with psycopg.connect(station.inbox.server.admin_url) as owner:
            [unknown] = send_results.list_unknown_outcomes(owner)
            send_results.settle(owner, unknown.company_id, unknown.id, sent=True)

    station.telegram.meanwhile = meanwhile
    station.telegram.script.append(refused(500, "Internal Server Error"))

    assert station.deliver().result is Result.UNSENT

    assert parts(station) == [("sent", "settled_by_person")]


def test_a_worker_that_dies_before_sending_holds_the_part_only_for_its_lease(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    with station.r.db.transaction() as conn:
        claim_part(conn)
    assert station.deliver().result is Result.NOTHING_DUE

    station.deliver_all()

    assert station.telegram.texts == ["one"]


def test_a_result_that_the_database_could_not_take_is_recorded_when_it_is_back(
    make_postgres: Callable[..., Postgres], redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it was away: after the deadline others may take the outcome for unknown, and only this process knows
    better."""
    server = make_postgres(fsync=True)  # without it the last commits would go with the server
    database = server.database("switchboard")
    migrate.migrate(database.admin_url)
    station = Station(database, redis_url, SEND_DEADLINE_S=0.3, RECORD_DEADLINE_S=0.4, DATABASE_POOL_TIMEOUT_S=0.2)
    station.queue(make_bot(database.admin_url), "one")
    refused = 0

    def outage() -> None:
        """Its sessions first: killed alone, the server leaves them for a moment, and one of them would still record."""
        with psycopg.connect(server.superuser_url, autocommit=True) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'switchboard'"
            )
        server.kill()

    def sleep(seconds: float) -> None:
        """The process waits before it tries again: the server comes back when that was long after the deadline."""
        nonlocal refused
        refused += 1
        if refused == 4:
            server.start()
            with psycopg.connect(database.admin_url) as owner:  # as another process' sweeper would
                owner.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
                assert len(send_results.expire_sending(owner)) == 1
        time.sleep(seconds)

    monkeypatch.setattr(recording, "RETRY_S", 0.2)
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
    station.telegram.meanwhile = outage
    try:
        assert station.deliver().result is Result.SENT

        assert parts(station) == [("sent", "sent")]
        assert station.telegram.asked == 1
        assert refused >= 4
    finally:
        station.close()


def test_a_process_that_is_to_stop_tries_no_longer_than_the_deadline(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    [taken] = deliver.take_due(station.r, 0, ClaimCapacity(1)).pieces
    now_s = iter([0.0, 0.0, 0.0, 29.0, 31.0])
    waited: list[float] = []
    monkeypatch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: next(now_s), sleep=waited.append))
    monkeypatch.setattr(sending, "time", SimpleNamespace(monotonic=time.monotonic))
    station.r.stopping.set()
    monkeypatch.setattr(station.r, "db", Away())

    assert deliver.deliver(station.r, taken).result is Result.UNSENT

    assert len(waited) == 3
    assert states(station) == ["sending"]
    assert station.telegram.asked == 1


# ------------------------------------------------------------------ a commit whose answer is lost


class Away:
    def transaction(self, *_: int) -> NoReturn:
        raise DatabaseUnavailable("away", retry_after_s=1.0)


class LosesAnAnswer:
    """The database, whose connection breaks during the next commit: before or after it is done."""

    def __init__(self, db: pool.Database, *, committed: bool) -> None:
        self._db, self._committed, self._broken = db, committed, False

    @contextmanager
    def transaction(self, *companies: int) -> Iterator[Conn]:
        breaks, self._broken = not self._broken, True
        with self._db.transaction(*companies) as conn:
            yield conn
            if breaks and not self._committed:
                raise psycopg.OperationalError("the connection was lost before the commit")
        if breaks:
            raise DatabaseUnavailable("the connection was lost after the commit", retry_after_s=1.0)


def _take_in_doubt(station: Station, monkeypatch: pytest.MonkeyPatch, *, committed: bool) -> Taken:
    real = station.r.db
    monkeypatch.setattr(station.r.limiter, "take", lambda rates: 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(station.r, "db", LosesAnAnswer(real, committed=committed))
        [taken] = deliver.take_due(station.r, 0, ClaimCapacity(5)).pieces
    return taken


def test_a_part_whose_begin_was_committed_unheard_never_left_and_goes_out_once(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    taken = _take_in_doubt(station, monkeypatch, committed=True)
    assert states(station) == ["sending"]

    delivered = deliver.deliver(station.r, taken)

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, 0.0)
    assert (parts(station), station.telegram.asked) == ([("queued", "never_left")], 0)
    assert station.deliver().result is Result.SENT
    assert station.telegram.texts == ["one"]
    assert station.rows("SELECT attempt, status, meaning FROM delivery_attempts ORDER BY 1") == [
        (1, "retry", "never_left"), (2, "sent", "sent"),
    ]  # fmt: skip


def test_a_part_in_doubt_that_was_taken_for_one_of_unknown_outcome_meanwhile_is_not(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    taken = _take_in_doubt(station, monkeypatch, committed=True)
    station.execute("UPDATE outbound SET due_at = now() - interval '1 second' WHERE state = 'sending'")
    assert recording.expire_unrecorded(station.r) == 1

    assert deliver.deliver(station.r, taken).result is Result.POSTPONED

    assert parts(station) == [("queued", "never_left")]
    assert station.rows("SELECT unknown_since FROM outbound") == [(None,)]


def test_a_part_whose_begin_was_not_committed_is_another_processs(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its claim has our epoch, and its attempt our number."""
    station.queue(bot, "one")
    in_doubt = _take_in_doubt(station, monkeypatch, committed=False)
    assert states(station) == ["queued"]
    [other] = deliver.take_due(station.r, 0, ClaimCapacity(5)).pieces
    assert states(station) == ["sending"]

    assert deliver.deliver(station.r, in_doubt).result is Result.UNSENT

    assert states(station) == ["sending"]
    assert deliver.deliver(station.r, other).result is Result.SENT
    assert station.telegram.texts == ["one"]


def test_a_part_begun_by_itself_may_be_in_doubt_too(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    station.queue(bot, "one")
    with station.r.db.transaction() as conn:
        [claim] = outbound.claim_several(conn, 0, limit=1, lease_s=10, unblock_s=60)
    monkeypatch.setattr(station.r, "db", LosesAnAnswer(station.r.db, committed=True))

    assert deliver.deliver(station.r, deliver.Taken(claim, None)).result is Result.POSTPONED

    assert (parts(station), station.telegram.asked) == ([("queued", "never_left")], 0)
