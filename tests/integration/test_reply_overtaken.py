"""What happens to an answer while it is written: newer messages, people, other workers."""

from __future__ import annotations

import threading

import pytest

from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.answered import replies, take_over, turn_states
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


# ------------------------------------------------------------------ what happens meanwhile


def test_a_newer_message_during_the_answer_gets_one_reply_for_both(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")

    def meanwhile() -> None:
        station.receive(bot, "I mean on Sundays")
        station.leases.renew()

    station.model.meanwhile.append(meanwhile)

    assert station.answer() is Result.CANCELLED
    assert replies(station) == []
    assert station.answer() is Result.ANSWERED

    assert len(replies(station)) == 1
    assert "When does the shop open?" in station.model.questions()[1]
    assert "I mean on Sundays" in station.model.questions()[1]
    assert turn_states(station) == ["answered"]


def test_an_answer_that_was_overtaken_is_fenced_off_even_if_nobody_called_it_off(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.model.meanwhile.append(lambda: station.receive(bot, "I mean on Sundays"))  # no renewal learns of it

    assert station.answer() is Result.CANCELLED

    assert replies(station) == []
    assert station.answer() is Result.ANSWERED
    assert len(replies(station)) == 1


def test_after_two_cancels_the_third_answer_stands_and_the_next_message_gets_its_own(
    station: Station, bot: Bot
) -> None:
    station.receive(bot, "When does the shop open?")
    for number in range(3):
        station.model.meanwhile.append(lambda n=number: station.receive(bot, f"and the shop, addition {n}"))  # type: ignore[misc]

    results = [station.answer() for _ in range(4)]

    assert results == [Result.CANCELLED, Result.CANCELLED, Result.ANSWERED, Result.ANSWERED]
    assert len(replies(station)) == 2
    assert "addition 1" in station.model.questions()[2]
    assert "addition 2" not in station.model.questions()[2]
    assert station.model.questions()[3].endswith("and the shop, addition 2")


def test_a_second_turn_sees_the_answer_to_the_first(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.execute("UPDATE turns SET first_at = now() - interval '20 seconds'")  # too late to call it back
    station.model.meanwhile.append(lambda: station.receive(bot, "And does the shop open on Sundays?"))
    station.answer()

    station.answer()

    assert [line["content"] for line in station.model.asked[1][1:]] == [
        "When does the shop open?",
        "We open at nine.",
        "And does the shop open on Sundays?",
    ]


def test_the_reply_to_a_second_turn_waits_for_the_first(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.execute("UPDATE turns SET first_at = now() - interval '20 seconds'")
    second: list[Result] = []

    def meanwhile() -> None:
        station.receive(bot, "And does the shop open on Sundays?")
        second.append(station.answer())  # another thread of the fleet looks for work

    station.model.meanwhile.append(meanwhile)

    assert station.answer() is Result.ANSWERED
    assert second == [Result.NOTHING_DUE]
    assert station.answer() is Result.ANSWERED
    assert station.rows("SELECT turn_id FROM outbound ORDER BY id") == station.rows("SELECT id FROM turns ORDER BY id")


def test_a_person_who_takes_over_during_the_answer_is_not_spoken_over(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.model.meanwhile.append(lambda: take_over(station, bot))

    assert station.answer() is Result.CANCELLED

    assert replies(station) == []
    assert turn_states(station) == ["cancelled"]
    assert station.answer() is Result.NOTHING_DUE


def test_a_conversation_taken_over_between_storing_and_claiming_gets_no_reply(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.execute("UPDATE conversations SET bot_enabled = false")

    assert station.answer() is Result.CANCELLED

    assert turn_states(station) == ["cancelled"]
    assert station.model.asked == []


def test_a_lease_lost_to_another_worker_gives_one_reply(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    other: list[Result] = []

    def meanwhile() -> None:
        station.time_passes()  # the lease ends, nobody renewed it
        other.append(station.answer())

    station.model.meanwhile.append(meanwhile)

    assert station.answer() is Result.CANCELLED
    assert other == [Result.ANSWERED]
    assert len(replies(station)) == 1


def test_an_answer_whose_turn_another_thread_of_the_process_has_now_is_cancelled_at_the_next_renewal(
    station: Station, bot: Bot
) -> None:
    station.receive(bot, "When does the shop open?")
    leases_of_the_process = station.leases
    lost: list[bool] = []
    other_is_done = threading.Event()

    def first() -> None:
        station.receive(bot, "I mean on Sundays")  # calls the answer back
        station.answer()  # another thread takes the turn, during which …
        other_is_done.set()

    def second() -> None:
        held_before = set(leases_of_the_process._held)
        leases_of_the_process.renew()  # … the process renews
        lost.extend(sorted(lease.lost.is_set() for lease in held_before))

    station.model.meanwhile.extend((first, second))

    assert station.answer() is Result.CANCELLED

    assert other_is_done.wait(20)  # it answers on while this one is cancelled
    assert lost == [False, True]
    assert len(replies(station)) == 1


def test_a_renewed_lease_is_not_claimed_by_anybody_else(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    other: list[Result] = []

    def meanwhile() -> None:
        station.time_passes()
        station.leases.renew()
        other.append(station.answer())

    station.model.meanwhile.append(meanwhile)

    assert station.answer() is Result.ANSWERED
    assert other == [Result.NOTHING_DUE]


def test_a_process_that_stops_gives_its_turn_back_uncounted(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.model.meanwhile.append(station.leases.cancel)

    assert station.answer() is Result.CANCELLED
    assert station.rows("SELECT state, attempts, due_at <= clock_timestamp() FROM turns") == [("answering", 0, True)]
    assert station.answer() is Result.NOTHING_DUE  # it takes no new work

    station.leases = station.new_leases()
    assert station.answer() is Result.ANSWERED
    assert len(replies(station)) == 1
