"""A killed process' turns and parts are given back by whoever lives on: at once, and fenced by the epoch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from shared.embedded import Database
from shared.resilience.lease_records import LeaseRecords
from shared.store.answers import turns
from shared.store.db.pool import Conn
from shared.store.delivery import outbound, send_results
from tasks.answers import reply
from tasks.delivery import deliver, lease_reclaim, recording
from tasks.delivery.lease_reclaim import Reclaimed
from tasks.dispatch import ClaimCapacity
from tests.factories import Bot
from tests.integration.station import Station

LONG_S = 3600.0
"""Nothing here waits for a lease or a deadline."""


@pytest.fixture
def station(database: Database, redis_url: str, tmp_path: Path) -> Iterator[Station]:
    station = Station(database, redis_url, LEASE_S=LONG_S, RECORD_DEADLINE_S=LONG_S, METRICS_DIR=tmp_path)
    station.r.lease_records = LeaseRecords(station.r.settings.lease_folder)
    yield station
    station.close()


def _dies(station: Station) -> None:
    """Its lock is free and what it held stands in its file; somebody else works on."""
    station.r.lease_records.close()
    station.r.lease_records = LeaseRecords(station.r.settings.lease_folder)


def _taken(station: Station) -> turns.Claim:
    [taken] = reply.take_due(station.r, station.leases, 0, ClaimCapacity(5)).pieces
    return taken.lease.claim


def test_a_dead_replier_s_turn_is_answered_at_once_and_its_own_answer_refused(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.receive(bot, "When does the shop open?")
    lost = _taken(station)
    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed()  # it lives
    _dies(station)

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(1, 0, {"any"})
    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed()  # twice is once

    assert station.answer() is reply.Result.ANSWERED
    with station.r.db.transaction(bot.company_id) as conn:
        assert not turns.finish(conn, lost, "answered")
    assert station.rows("SELECT attempts FROM turns") == [(2,)]  # it may have been the turn that killed it


def test_a_turn_that_waits_for_its_retry_is_not_hurried(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    claim = _taken(station)
    with station.r.db.transaction(bot.company_id) as conn:
        turns.retry(conn, claim, delay_s=60, error="ModelUnavailable")
    _dies(station)

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 0, {"any"})
    assert station.answer() is reply.Result.NOTHING_DUE


def test_what_was_done_before_it_died_stays_done(station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.receive(bot, "When does the shop open?")
    assert station.answer() is reply.Result.ANSWERED
    assert station.deliver().result is deliver.Result.SENT
    _dies(station)

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed()
    assert station.rows("SELECT state FROM turns") == [("answered",)]
    assert station.rows("SELECT state FROM outbound") == [("sent",)]


def test_a_part_that_was_leaving_has_an_unknown_outcome_at_once_and_what_is_recorded_later_settles_it(
    station: Station, bot: Bot
) -> None:
    station.queue(bot, "one")
    [taken] = deliver.take_due(station.r, 0, ClaimCapacity(5)).pieces
    begun = taken.settled
    assert isinstance(begun, recording.Begun)
    _dies(station)

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 1, {"any"})

    assert station.rows("SELECT state, meaning FROM outbound") == [("unknown_outcome", "not_recorded")]
    assert station.deliver().result is deliver.Result.NOTHING_DUE  # and never sent again
    with station.r.db.transaction(bot.company_id) as conn:
        number = begun.attempt.number
        late = send_results.record(conn, begun.claim, number, deliver.DELIVERED_HERE, delay_s=0, duration_ms=0)
    assert late is not None
    assert station.rows("SELECT state FROM outbound") == [("sent",)]


def test_a_part_that_was_claimed_and_had_not_begun_to_leave_is_sent_at_once(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    with station.r.db.transaction() as conn:
        [claim] = outbound.claim_several(conn, 0, limit=5, lease_s=LONG_S, unblock_s=60)
    station.r.lease_records.note([deliver._piece(claim)])
    assert station.deliver().result is deliver.Result.NOTHING_DUE
    _dies(station)

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 1, {"any"})
    assert station.deliver().result is deliver.Result.SENT


def test_a_turn_that_the_dead_process_last_statement_still_holds_is_asked_for_again(station: Station, bot: Bot) -> None:
    """The server may hold the rows of a killed client for a moment longer: until then its lease stands."""
    station.receive(bot, "first", chat=5)
    station.receive(bot, "second", chat=6)
    assert len(reply.take_due(station.r, station.leases, 0, ClaimCapacity(5)).pieces) == 2
    _dies(station)

    with psycopg.connect(station.inbox.server.admin_url) as conn:
        conn.execute("SELECT 1 FROM turns WHERE id = (SELECT min(id) FROM turns) FOR UPDATE")
        assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(1, 0, {"any"})
        assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 0, {"any"})
        conn.rollback()
        assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(1, 0, {"any"})

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed()


@pytest.mark.parametrize("leaving", [False, True], ids=["claimed", "leaving"])
def test_a_part_that_the_dead_process_last_statement_still_holds_is_asked_for_again(
    station: Station, bot: Bot, leaving: bool
) -> None:
    station.queue(bot, "one")
    if leaving:
        assert deliver.take_due(station.r, 0, ClaimCapacity(5)).pieces
    else:
        with station.r.db.transaction() as conn:
            claims = outbound.claim_several(conn, 0, limit=5, lease_s=LONG_S, unblock_s=60)
        station.r.lease_records.note(map(deliver._piece, claims))
    _dies(station)

    with psycopg.connect(station.inbox.server.admin_url) as conn:
        conn.execute("SELECT 1 FROM outbound FOR UPDATE")
        assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 0, {"any"})
        conn.rollback()
        assert lease_reclaim.reclaim_dead(station.r, lambda name: False) == Reclaimed(0, 1, set())

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 0, {"any"})
    assert station.rows("SELECT state FROM outbound") == [("unknown_outcome" if leaving else "queued",)]


def test_the_death_of_a_station_whose_secrets_one_does_not_hold_is_left_for_others_to_see(
    station: Station, bot: Bot
) -> None:
    """Intake opens no credentials: standing in for a sender it would find every channel's sealed."""
    station.receive(bot, "When does the shop open?")
    lost = _taken(station)
    _dies(station)

    given = lease_reclaim.reclaim_dead(station.r, lambda name: False)
    assert (given.turns, given.stations) == (1, set())  # what it held is due at once all the same
    assert lease_reclaim.reclaim_dead(station.r, lambda name: False) == Reclaimed()

    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed(0, 0, {"any"})
    assert lease_reclaim.reclaim_dead(station.r) == Reclaimed()
    with station.r.db.transaction(bot.company_id) as conn:
        assert not turns.finish(conn, lost, "answered")


def test_what_is_claimed_is_recorded_before_the_commit_and_forgotten_where_that_fails(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, a process would leave a lease that only the database knows of, for all of its time."""
    station.receive(bot, "When does the shop open?")
    station.queue(bot, "one")
    records = station.r.lease_records
    transaction = station.r.db.transaction
    at_commit: list[set[str]] = []

    @contextmanager
    def breaks(*companies: int) -> Iterator[Conn]:
        with transaction(*companies) as conn:
            yield conn
            at_commit.append({record.kind for record in records._places})
            raise psycopg.errors.RaiseException

    with monkeypatch.context() as patch:
        patch.setattr(station.r.db, "transaction", breaks)
        with pytest.raises(psycopg.errors.RaiseException):
            reply.take_due(station.r, station.leases, 0, ClaimCapacity(5))
        with pytest.raises(psycopg.errors.RaiseException):
            deliver.take_due(station.r, 0, ClaimCapacity(5))

    assert at_commit[0] == at_commit[1] == {"turn"}  # together with others, then one by one
    assert at_commit[2] == {"part"}
    assert not records._places
    assert len(reply.take_due(station.r, station.leases, 0, ClaimCapacity(5)).pieces) == 1
