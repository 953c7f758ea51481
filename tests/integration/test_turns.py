"""Turns in the store: when a burst is answered, who holds it, and what a newer message does to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.embedded import Database
from shared.store.answers import turns
from shared.store.answers.turns import Claim
from tests.factories import Bot, make_bot
from tests.integration.claims import claim_turn
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    """With the quiet window of production: 0.8 s, at most 5 s."""
    station = Station(database, redis_url, QUIET_WINDOW_S=0.8, QUIET_WINDOW_MAX_S=5.0)
    yield station
    station.close()


def _due_in_s(station: Station) -> float:
    [(seconds,)] = station.rows("SELECT extract(epoch FROM due_at - now())::float8 FROM turns ORDER BY id LIMIT 1")
    return float(seconds)


def _claim(station: Station, after_company: int = 0) -> Claim | None:
    with station.r.db.transaction() as conn:
        return claim_turn(conn, after_company)


def _claim_now(station: Station) -> Claim:
    station.time_passes()
    claim = _claim(station)
    assert claim is not None
    return claim


def _turns(station: Station) -> list[tuple[str, int, int]]:
    return [tuple(row) for row in station.rows("SELECT state, first_seq, last_seq FROM turns ORDER BY id")]


# ------------------------------------------------------------------ the quiet window


def test_a_message_is_answered_after_the_quiet_window(station: Station, bot: Bot) -> None:
    station.receive(bot, "hello")

    assert 0.3 < _due_in_s(station) <= 0.8
    assert _claim(station) is None


def test_each_further_message_begins_the_quiet_window_again(station: Station, bot: Bot) -> None:
    station.receive(bot, "hello")
    station.execute("UPDATE turns SET due_at = now()")

    station.receive(bot, "and another thing")

    assert 0.3 < _due_in_s(station) <= 0.8
    assert _turns(station) == [("waiting", 1, 2)]


def test_a_customer_who_keeps_writing_is_answered_at_the_latest_after_the_longest_window(
    station: Station, bot: Bot
) -> None:
    station.receive(bot, "hello")
    station.execute("UPDATE turns SET first_at = now() - interval '4.7 seconds'")
    station.receive(bot, "and")
    assert _due_in_s(station) <= 0.3
    station.execute("UPDATE turns SET first_at = now() - interval '9 seconds'")

    station.receive(bot, "another thing")

    assert _due_in_s(station) <= 0
    assert _turns(station) == [("waiting", 1, 3)]


# ------------------------------------------------------------------ calling an answer back


def test_a_newer_message_calls_an_answer_back_twice_and_then_stands_behind_it(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    for number in range(2):
        _claim_now(station)
        station.receive(bot, f"again {number}")
        assert [state for state, _, _ in _turns(station)] == ["waiting"]
    _claim_now(station)

    station.receive(bot, "once more")

    assert _turns(station) == [("answering", 1, 3), ("waiting", 4, 4)]
    assert station.rows("SELECT cancels FROM turns ORDER BY id") == [(2,), (0,)]


def test_fifteen_seconds_after_the_first_message_nothing_is_called_back_any_more(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    _claim_now(station)
    station.execute("UPDATE turns SET first_at = now() - interval '15 seconds'")

    station.receive(bot, "two")

    assert _turns(station) == [("answering", 1, 1), ("waiting", 2, 2)]


def test_an_answer_that_was_called_back_is_due_at_the_latest_at_the_end_of_the_cancel_window(
    database: Database, redis_url: str
) -> None:
    """The quiet window would be thirty seconds more, and the cancel window's end comes in ten."""
    station = Station(database, redis_url, QUIET_WINDOW_S=30.0, QUIET_WINDOW_MAX_S=40.0)
    try:
        bot = make_bot(database.admin_url)
        station.receive(bot, "one")
        _claim_now(station)
        station.execute("UPDATE turns SET first_at = now() - interval '5 seconds'")

        station.receive(bot, "two")

        assert _turns(station) == [("waiting", 1, 2)]
        assert _due_in_s(station) <= 10
    finally:
        station.close()


def test_messages_behind_an_answer_extend_the_turn_that_waits_there(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    _claim_now(station)
    station.execute("UPDATE turns SET first_at = now() - interval '20 seconds'")
    station.receive(bot, "two", "three")
    station.execute("UPDATE turns SET first_at = now() WHERE state = 'answering'")  # as after a clock set back

    station.receive(bot, "four")

    assert _turns(station) == [("answering", 1, 1), ("waiting", 2, 4)]


# ------------------------------------------------------------------ who holds it


def test_a_turn_behind_another_is_claimed_only_when_that_one_has_ended(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    first = _claim_now(station)
    station.execute("UPDATE turns SET first_at = now() - interval '20 seconds'")
    station.receive(bot, "two")
    station.execute("UPDATE turns SET due_at = now() WHERE state = 'waiting'")
    assert _claim(station) is None

    with station.r.db.transaction(bot.company_id) as conn:
        turns.finish(conn, first, "answered")

    second = _claim(station)
    assert second is not None
    assert second.turn_id > first.turn_id


def test_an_abandoned_lease_is_claimed_again_under_a_new_epoch_and_the_old_holder_can_do_nothing(
    station: Station, bot: Bot
) -> None:
    station.receive(bot, "one")
    old = _claim_now(station)
    new = _claim_now(station)

    assert (new.turn_id, new.epoch > old.epoch) == (old.turn_id, True)
    with station.r.db.transaction(bot.company_id) as conn:
        assert turns.load(conn, old) is None
        assert turns.renew(conn, [old, new], lease_s=10) == {new}
        assert not turns.retry(conn, old, delay_s=0, error="x")
        assert turns.return_unused(conn, [old]) == 0
        assert not turns.finish(conn, old, "answered")
        assert turns.finish(conn, new, "answered")


def test_a_lease_whose_row_is_just_locked_counts_as_held(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    claim = _claim_now(station)
    with station.r.db.transaction(bot.company_id) as storing:
        storing.execute("SELECT 1 FROM turns FOR UPDATE")

        with station.r.db.transaction() as conn:
            assert turns.renew(conn, [claim], lease_s=10) == {claim}


def test_companies_take_turns_however_much_one_of_them_has_waiting(station: Station, bot: Bot) -> None:
    others = [make_bot(station.inbox.server.admin_url) for _ in range(2)]
    for chat in range(5):
        station.receive(bot, "hello", chat=chat)
    for other in others:
        station.receive(other, "hello")
    station.time_passes()

    served, cursor = [], 0
    for _ in range(5):
        claim = _claim(station, cursor)
        assert claim is not None
        cursor = claim.company_id
        served.append(cursor)

    companies = [bot.company_id, *(other.company_id for other in others)]
    assert served == [*companies, bot.company_id, bot.company_id]


def test_within_a_company_the_longest_overdue_is_claimed_first(station: Station, bot: Bot) -> None:
    for chat in (1, 2, 3):
        station.receive(bot, "hello", chat=chat)
    station.execute(
        "UPDATE turns SET due_at = now() - CASE conversation_id WHEN 2 THEN interval '9 s' ELSE interval '1 s' END"
    )

    claim = _claim(station)

    assert claim is not None
    assert station.rows("SELECT chat FROM conversations c JOIN turns t ON t.conversation_id = c.id AND t.id = %s",
                        claim.turn_id) == [("2",)]  # fmt: skip


def test_a_turn_put_back_is_due_when_it_was_told_and_not_before(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    claim = _claim_now(station)

    with station.r.db.transaction(bot.company_id) as conn:
        assert turns.retry(conn, claim, delay_s=30, error="ModelUnavailable")

    assert 25 < _due_in_s(station) <= 30
    assert _claim(station) is None
    assert station.rows("SELECT error, attempts FROM turns") == [("ModelUnavailable", 1)]


def test_a_person_who_takes_over_ends_all_open_turns_of_the_conversation(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    claim = _claim_now(station)
    station.execute("UPDATE turns SET first_at = now() - interval '20 seconds'")
    station.receive(bot, "two")
    station.receive(bot, "hello", chat=6)

    with station.r.db.transaction(bot.company_id) as conn:
        assert turns.cancel_open(conn, bot.company_id, station.conversation()) == 2
        assert not turns.finish(conn, claim, "answered")

    assert [state for state, _, _ in _turns(station)] == ["cancelled", "cancelled", "waiting"]


def test_a_message_during_the_wait_for_a_retry_counts_no_attempt_back(station: Station, bot: Bot) -> None:
    station.receive(bot, "one")
    claim = _claim_now(station)
    with station.r.db.transaction(bot.company_id) as conn:
        assert turns.retry(conn, claim, delay_s=30, error="ModelUnavailable")

    station.receive(bot, "two")

    assert _turns(station) == [("waiting", 1, 2)]
    assert station.rows("SELECT attempts FROM turns") == [(1,)]
