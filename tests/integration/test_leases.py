"""Leases on real rows: kept while the work goes on, and whoever lost one is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from shared.clock import FixedClock
from shared.embedded import Database
from shared.errors import Cancelled
from shared.store.answers.turns import Claim
from tasks.answers.leases import Lease, Leases
from tests.factories import Bot, Inbox, make_bot, update
from tests.integration.claims import claim_turn
from tests.integration.gateway_client import cut_off
from tests.services import Services

LEASE_S = 10.0


@pytest.fixture
def inbox(database: Database, redis_url: str) -> Iterator[Inbox]:
    inbox = Inbox(database, redis_url, QUIET_WINDOW_S=0)
    yield inbox
    inbox.close()


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.fixture
def leases(inbox: Inbox, clock: FixedClock) -> Leases:
    """Renewed by hand: its thread is not started."""
    return Leases(inbox.db, clock, lease_s=LEASE_S)


def _write(inbox: Inbox, bot: Bot, chat: int) -> None:
    inbox.journal(bot, update("hello", chat=chat))
    inbox.drain_all()


def _claim(inbox: Inbox, bot: Bot, chat: int = 5) -> Claim:
    _write(inbox, bot, chat)
    with inbox.db.transaction() as conn:
        claim = claim_turn(conn, lease_s=LEASE_S)
    assert claim is not None
    return claim


def _lease_ends(inbox: Inbox) -> datetime:
    [(ends,)] = inbox.rows("SELECT due_at FROM turns WHERE state = 'answering'")
    assert isinstance(ends, datetime)
    return ends


def test_a_held_lease_is_renewed_and_a_released_one_is_not(inbox: Inbox, bot: Bot, leases: Leases) -> None:
    claim = _claim(inbox, bot)
    first = _lease_ends(inbox)

    with leases.hold(claim) as lease:
        leases.renew()
        renewed = _lease_ends(inbox)
    leases.renew()

    assert first < renewed == _lease_ends(inbox)
    assert not lease.lost.is_set()


def test_a_newer_message_cancels_the_answer_in_the_making_and_no_other(inbox: Inbox, bot: Bot, leases: Leases) -> None:
    cancelled: list[str] = []
    with leases.hold(_claim(inbox, bot, 5)) as superseded, leases.hold(_claim(inbox, bot, 6)) as other:
        superseded.guard(lambda: cancelled.append("superseded"))
        other.guard(lambda: cancelled.append("other"))
        _write(inbox, bot, 5)

        leases.renew()
        leases.renew()  # told once

        assert cancelled == ["superseded"]
        assert (superseded.lost.is_set(), other.lost.is_set()) == (True, False)
        with pytest.raises(Cancelled):
            superseded.guard(None)


def test_a_person_who_takes_over_cancels_the_answer(inbox: Inbox, bot: Bot, leases: Leases) -> None:
    with leases.hold(_claim(inbox, bot)) as lease:
        inbox.rows("UPDATE turns SET state = 'cancelled', epoch = epoch + 1 RETURNING 1")
        leases.renew()
        assert lease.lost.is_set()


def test_while_the_database_is_away_a_lease_counts_for_as_long_as_it_was_given(
    services: Services, inbox: Inbox, bot: Bot, leases: Leases, clock: FixedClock
) -> None:
    with leases.hold(_claim(inbox, bot)) as lease:
        with cut_off(services, inbox.server):
            clock.advance(LEASE_S - 1)
            leases.renew()
            assert not lease.lost.is_set()
            clock.advance(2)
            leases.renew()
        assert lease.lost.is_set()


def test_an_outage_shorter_than_the_lease_costs_no_answer(
    services: Services, inbox: Inbox, bot: Bot, leases: Leases, clock: FixedClock
) -> None:
    with leases.hold(_claim(inbox, bot)) as lease:
        for _ in range(3):  # longer together than a lease
            with cut_off(services, inbox.server):
                clock.advance(LEASE_S / 2)
                leases.renew()
            leases.renew()
        assert not lease.lost.is_set()


def test_a_process_that_stops_calls_everything_off_and_begins_nothing(inbox: Inbox, bot: Bot, leases: Leases) -> None:
    cancelled = threading.Event()
    with leases.hold(_claim(inbox, bot, 5)) as lease:
        lease.guard(cancelled.set)
        leases.cancel()
        assert cancelled.is_set()
    assert leases.stopping
    with leases.hold(_claim(inbox, bot, 6)) as late, pytest.raises(Cancelled):
        late.guard(None)


def test_work_begun_on_a_lost_lease_is_cancelled_at_once() -> None:
    lease = Lease(Claim(1, 1, 1), 0.0)
    lease.lose()
    cancelled = threading.Event()

    with pytest.raises(Cancelled):
        lease.guard(cancelled.set)

    assert cancelled.is_set()


def test_the_thread_learns_by_itself_that_a_lease_is_lost(inbox: Inbox, bot: Bot, leases: Leases) -> None:
    leases.start()
    try:
        with leases.hold(_claim(inbox, bot)) as lease:
            _write(inbox, bot, 5)
            assert lease.lost.wait(10)
    finally:
        leases.stop()


def test_a_database_that_refuses_does_not_end_the_renewing(inbox: Inbox, bot: Bot, leases: Leases) -> None:
    """A grant lost in a migration: the thread must be there when it is given back."""
    with leases.hold(_claim(inbox, bot)) as lease, psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        conn.execute("REVOKE EXECUTE ON FUNCTION renew_turns FROM switchboard_app")
        leases.renew()
        assert not lease.lost.is_set()

        conn.execute("GRANT EXECUTE ON FUNCTION renew_turns TO switchboard_app")
        _write(inbox, bot, 5)
        leases.renew()
        assert lease.lost.is_set()
