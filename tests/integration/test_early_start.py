"""Answers that are begun while the quiet window still runs: stored when it has passed, one a burst, and paid for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.embedded import Database
from shared.errors import Cancelled
from shared.store.answers import turns
from tasks.answers.leases import Lease
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.answered import replies, take_over, turn_states
from tests.integration.claims import claim_turn
from tests.integration.station import Station

QUESTION = "When does the shop open?"
LONG_S = 30.0
"""A quiet window that only ends where a test ends it."""


@pytest.fixture
def long(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(
        database, redis_url, QUIET_WINDOW_S=LONG_S, QUIET_WINDOW_MAX_S=60.0, COMPLETE_QUIET_S=LONG_S, REPLY_THREADS=1
    )
    yield station
    station.close()


class Waits:
    """Stands in for waiting: remembers for how long, and what had been asked and stored by then."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.seconds: list[float] = []
        self.asked: list[int] = []
        self.stored: list[int] = []

    def wait(self, lease: Lease, seconds: float) -> None:
        if seconds > 0:
            self.seconds.append(seconds)
            self.asked.append(len(self.station.model.asked))
            self.stored.append(len(replies(self.station)))
        if lease.lost.is_set():
            raise Cancelled


@pytest.fixture
def waits(long: Station, monkeypatch: pytest.MonkeyPatch) -> Waits:
    waits = Waits(long)

    def wait(lease: Lease, seconds: float) -> None:
        waits.wait(lease, seconds)

    monkeypatch.setattr(Lease, "wait", wait)
    return waits


def bot_of(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def turn(station: Station) -> tuple[object, ...]:
    """(state, cancels, attempts, whether it may be claimed early, its last message)"""
    [found] = station.rows("SELECT state, cancels, attempts, early, last_seq FROM turns ORDER BY id DESC LIMIT 1")
    return tuple(found)


def quiet_is_over(station: Station) -> None:
    station.execute("UPDATE turns SET due_at = now() WHERE state = 'waiting'")


def window_s(station: Station) -> float:
    [(seconds,)] = station.rows("SELECT extract(epoch FROM due_at - created_at)::float8 FROM turns")
    return float(seconds)


def test_the_model_is_asked_within_the_window_and_the_answer_stored_after_it(long: Station, waits: Waits) -> None:
    long.receive(bot_of(long), QUESTION)

    assert long.answer() is Result.ANSWERED

    assert [LONG_S / 2 < seconds <= LONG_S for seconds in waits.seconds] == [True]
    assert (waits.asked, waits.stored) == ([1], [0])
    assert replies(long) == ["We open at nine [1]."]
    [(waited_ms,)] = long.rows("SELECT (ms ->> 'quiet')::int FROM receipts")
    assert LONG_S * 500 < waited_ms <= LONG_S * 1000


def test_a_window_that_ends_is_waited_for(database: Database, redis_url: str) -> None:
    station = Station(
        database, redis_url, QUIET_WINDOW_S=0.6, QUIET_WINDOW_MAX_S=5.0, COMPLETE_QUIET_S=0.5, REPLY_THREADS=1
    )
    try:
        station.receive(bot_of(station), QUESTION)
        assert station.answer() is Result.ANSWERED
        assert station.rows("SELECT finished_at >= coalesce(quiet_until, due_at - interval '1 h') FROM turns") == [
            (True,)
        ]
    finally:
        station.close()


def test_five_messages_during_a_draft_get_one_reply_and_count_no_cancel(long: Station) -> None:
    bot = bot_of(long)
    long.receive(bot, QUESTION)
    more = ["I mean on Sundays", "and in summer", "in the north", "at night", "if at all"]

    def meanwhile() -> None:
        long.receive(bot, *more)
        long.leases.renew()

    long.model.meanwhile.append(meanwhile)
    assert long.answer() is Result.CANCELLED
    assert turn(long) == ("waiting", 0, 0, False, 6)
    assert long.answer() is Result.NOTHING_DUE, "a burst is drafted once"

    quiet_is_over(long)
    assert long.answer() is Result.ANSWERED
    assert len(replies(long)) == 1
    assert len(long.model.asked) == 2
    assert all(text in long.model.questions()[1] for text in more)
    assert turn(long) == ("answered", 0, 1, False, 6)


def test_a_message_that_comes_while_the_finished_draft_waits_is_part_of_the_burst(
    long: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = bot_of(long)
    long.receive(bot, QUESTION)
    wait = Lease.wait
    waited_s: list[float] = []

    def overtaken(lease: Lease, seconds: float) -> None:
        if seconds > 0 and not waited_s:
            waited_s.append(seconds)
            long.receive(bot, "I mean on Sundays")
            long.leases.renew()
        wait(lease, seconds)

    monkeypatch.setattr(Lease, "wait", overtaken)
    assert long.answer() is Result.CANCELLED
    assert len(long.model.asked) == 1
    assert waited_s[0] > LONG_S / 2
    assert replies(long) == []
    quiet_is_over(long)
    assert long.answer() is Result.ANSWERED
    assert len(replies(long)) == 1
    assert turn(long)[:3] == ("answered", 0, 1)


def test_after_the_window_a_message_cancels_as_ever(long: Station) -> None:
    bot = bot_of(long)
    long.receive(bot, QUESTION)

    def meanwhile() -> None:
        long.execute("UPDATE turns SET quiet_until = now() - interval '1 ms'")
        long.receive(bot, "I mean on Sundays")
        long.leases.renew()

    long.model.meanwhile.append(meanwhile)
    assert long.answer() is Result.CANCELLED
    assert turn(long)[:2] == ("waiting", 1)


@pytest.mark.parametrize(
    ("said", "early"),
    [
        (QUESTION, True),
        ("I want to send a parcel back to you", True),
        ("hello", False),
        ("thank you!", False),
        (None, False),
    ],
)
def test_only_questions_are_begun_early(long: Station, said: str | None, early: bool) -> None:
    long.receive(bot_of(long), said)
    found = turn(long) if long.rows("SELECT 1 FROM turns") else ("", 0, 0, False, 0)
    assert found[3] is early


def test_a_question_that_reads_complete_has_a_short_window(database: Database, redis_url: str) -> None:
    station = Station(database, redis_url, QUIET_WINDOW_S=20.0, QUIET_WINDOW_MAX_S=30.0, COMPLETE_QUIET_S=2.0)
    try:
        bot = bot_of(station)
        station.receive(bot, QUESTION)
        assert window_s(station) <= 2.1
        station.execute("DELETE FROM turns")
        station.receive(bot, "I want to send a parcel back to you", chat=6)
        assert window_s(station) > 10
    finally:
        station.close()


def test_who_writes_in_bursts_is_waited_for(long: Station) -> None:
    bot = bot_of(long)
    for number in range(3):
        long.receive(bot, f"When does shop {number} open", "on Sundays I mean")
        quiet_is_over(long)
        assert long.answer() is Result.ANSWERED
    assert long.rows("SELECT turn_history, writes_in_bursts(turn_history) FROM contacts") == [(0b1111, True)]

    long.receive(bot, QUESTION)

    assert turn(long)[3] is False
    assert long.answer() is Result.NOTHING_DUE


@pytest.mark.parametrize(
    ("history", "in_bursts"),
    [(0b1, False), (0b10, False), (0b11, True), (0b1001, True), (0b10000010000, False), (0b10010010000, False),
     (0b10010010001, True), (0b11111111111, True), (0b1000_0000_011, False)],
)  # fmt: skip
def test_three_of_ten_turns_make_a_habit(long: Station, history: int, in_bursts: bool) -> None:
    assert long.rows("SELECT writes_in_bursts(%s)", history) == [(in_bursts,)]


def test_the_last_ten_turns_count(long: Station) -> None:
    bot = bot_of(long)
    long.receive(bot, "hello there")
    long.execute("UPDATE contacts SET turn_history = 2047")
    quiet_is_over(long)
    long.answer()
    assert long.rows("SELECT turn_history FROM contacts") == [(0b11111111110,)]
    for number in range(9):
        long.receive(bot, f"When does shop {number} open?")
        quiet_is_over(long)
        assert long.answer() is Result.ANSWERED
    assert long.rows("SELECT turn_history FROM contacts") == [(1024,)]


def test_half_of_the_threads_are_kept_for_what_is_due(database: Database, redis_url: str) -> None:
    station = Station(database, redis_url, QUIET_WINDOW_S=LONG_S, QUIET_WINDOW_MAX_S=60.0, REPLY_THREADS=4)
    try:
        station.receive(bot_of(station), QUESTION)
        assert station.answer() is Result.NOTHING_DUE, "one slot of four is free"
    finally:
        station.close()


def test_it_can_be_switched_off(database: Database, redis_url: str) -> None:
    station = Station(
        database, redis_url, QUIET_WINDOW_S=LONG_S, QUIET_WINDOW_MAX_S=60.0, REPLY_THREADS=1, EARLY_START=False
    )
    try:
        station.receive(bot_of(station), QUESTION)
        assert turn(station)[3] is False
        assert window_s(station) > LONG_S / 2
        assert station.answer() is Result.NOTHING_DUE
    finally:
        station.close()


def test_near_the_budget_the_model_is_asked_after_the_window(long: Station, waits: Waits) -> None:
    bot = bot_of(long)
    long.execute("UPDATE companies SET daily_token_budget = 1000")
    long.execute(
        "INSERT INTO usage_daily (company_id, day, calls, tokens_in, tokens_out)"
        " SELECT id, (now() AT TIME ZONE 'UTC')::date, 1, 900, 0 FROM companies"
    )
    long.receive(bot, QUESTION)
    assert long.answer() is Result.ANSWERED
    assert waits.asked[0] == 0


def test_a_person_who_takes_over_during_a_draft_ends_it(long: Station) -> None:
    bot = bot_of(long)
    long.receive(bot, QUESTION)

    def meanwhile() -> None:
        take_over(long, bot)
        long.leases.renew()

    long.model.meanwhile.append(meanwhile)
    assert long.answer() is Result.CANCELLED
    assert turn_states(long) == ["cancelled"]
    assert replies(long) == []


def test_a_process_that_dies_while_drafting_leaves_the_turn_to_others(long: Station, waits: Waits) -> None:
    bot = bot_of(long)
    long.receive(bot, QUESTION)
    with long.r.db.transaction() as conn:
        claim = claim_turn(conn, early=True)
    assert claim is not None
    with long.r.db.transaction(claim.company_id) as conn:
        assert turns.reclaim(conn, [claim]) == 1

    assert long.answer() is Result.ANSWERED
    assert waits.stored == [0], "the other one waits for the same end"
    assert len(replies(long)) == 1


def test_a_turn_behind_an_open_one_is_not_begun_early(long: Station) -> None:
    bot = bot_of(long)
    long.receive(bot, QUESTION)
    with long.r.db.transaction() as conn:
        assert claim_turn(conn, early=True) is not None
    long.execute(
        "UPDATE turns SET quiet_until = now() - interval '1 s', first_at = now() - interval '1 hour',"
        " due_at = now() + interval '1 hour'"
    )
    long.receive(bot, "And when does the shop close?")
    assert turn_states(long) == ["answering", "waiting"]
    with long.r.db.transaction() as conn:
        assert claim_turn(conn, early=True) is None


@pytest.mark.timeout(30)
def test_waiting_for_quiet_ends_with_the_lease() -> None:
    lease = Lease(turns.Claim(1, 1, 1), 0.0)
    lease.lose()
    with pytest.raises(Cancelled):
        lease.wait(3_600)
