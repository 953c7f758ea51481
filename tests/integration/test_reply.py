"""A turn gets one answer: by which fallback step, and what happens when it fails."""

from __future__ import annotations

import threading

import psycopg
import pytest

from shared.errors import DatabaseUnavailable
from shared.store.answers import turns
from shared.triage import texts
from tasks.answers.compose import ATTEMPTS_MAX
from tasks.answers.reply import QUESTION_LINES_MAX, Result
from tasks.inbox import takeover
from tests.factories import Bot, make_bot
from tests.integration.answered import replies, take_over, turn_states
from tests.integration.claims import claim_turn
from tests.integration.station import Station
from tests.services import Services


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def steps(station: Station) -> list[tuple[str, str]]:
    """(fallback step, reason) of every reply, in order."""
    return [(step, reason) for step, reason in station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")]


# ------------------------------------------------------------------ fallback steps


def test_a_question_gets_a_model_s_answer_with_its_receipt(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")

    assert station.answer() is Result.ANSWERED

    assert replies(station) == ["We open at nine [1]."]
    assert steps(station) == [("full", "model")]
    assert station.rows("SELECT jsonb_array_length(citations), tokens_in, tokens_out FROM receipts") == [(1, 20, 5)]
    assert station.rows("SELECT state, text, part FROM outbound") == [("queued", "We open at nine [1].", 1)]
    assert station.rows("SELECT message_count, last_message_role, customer_seq - read_seq FROM conversations") == [
        (2, "bot", 1)
    ]
    assert station.answer() is Result.NOTHING_DUE


def test_a_customer_is_shown_that_an_answer_is_written_only_if_it_takes_long(
    station: Station, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.answers.generate.TYPING_AFTER_S", 60.0)
    station.receive(bot, "When does the shop open?")
    station.answer()
    assert not station.telegram.typing.is_set()

    monkeypatch.setattr("tasks.answers.generate.TYPING_AFTER_S", 0.01)
    shown: list[bool] = []
    station.model.meanwhile.append(lambda: shown.append(station.telegram.typing.wait(10)))
    station.receive(bot, "When does the shop open?", chat=6)

    assert station.answer() is Result.ANSWERED
    assert shown == [True]


def test_an_answer_that_cites_nothing_is_not_sent_and_a_person_is_offered(station: Station, bot: Bot) -> None:
    station.model.text = "I am sure that it is nine."
    station.receive(bot, "When does the shop open?")

    station.answer()

    assert steps(station) == [("unknown", "uncited")]
    assert replies(station) == [texts.default("unknown", "en")]
    assert station.rows("SELECT bot_enabled, status, attention FROM conversations") == [(True, "open", "uncited")]
    assert turn_states(station) == ["answered"]


def test_a_question_about_nothing_we_know_is_told_so_without_asking_a_model(station: Station, bot: Bot) -> None:
    station.receive(bot, "Quantum chromodynamics?")

    station.answer()

    assert steps(station) == [("unknown", "nothing_relevant")]
    assert station.model.asked == []


@pytest.mark.parametrize(("after", "step"), [(QUESTION_LINES_MAX - 1, "full"), (QUESTION_LINES_MAX, "unknown")])
def test_of_a_long_burst_the_last_lines_are_asked(station: Station, bot: Bot, after: int, step: str) -> None:
    station.receive(bot, "When does the shop open?", *["Quantum chromodynamics?"] * after)

    station.answer()

    assert [found for found, _ in steps(station)] == [step]
    if station.model.asked:
        assert "When does the shop open?" in station.model.questions()[-1]


def test_after_a_question_that_nobody_can_answer_the_next_one_is_answered(station: Station, bot: Bot) -> None:
    station.receive(bot, "Quantum chromodynamics?")
    station.answer()
    station.receive(bot, "When does the shop open?")

    assert station.answer() is Result.ANSWERED
    assert steps(station) == [("unknown", "nothing_relevant"), ("full", "model")]


def test_once_a_person_took_over_the_bot_is_silent_until_the_conversation_is_given_back(
    station: Station, bot: Bot
) -> None:
    station.receive(bot, "Quantum chromodynamics?")
    station.answer()
    take_over(station, bot)
    station.receive(bot, "When does the shop open?")
    assert station.answer() is Result.NOTHING_DUE

    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=True)
    station.receive(bot, "And when does the shop open tomorrow?")

    assert station.answer() is Result.ANSWERED
    assert steps(station)[-1] == ("full", "model")


def test_a_model_that_is_down_leaves_quoted_passages(station: Station, bot: Bot) -> None:
    station.model.status = 401  # no retry can help
    station.receive(bot, "When does the shop open?")

    station.answer()

    [(step, _)] = steps(station)
    assert step == "passages"
    assert replies(station)[0].startswith(texts.default("model_away", "en"))
    assert "The shop opens at nine in the morning." in replies(station)[0]
    assert station.rows("SELECT attempts->0->>'outcome' FROM receipts") == [("llm_credentials",)]


def test_without_a_model_passages_are_quoted(station: Station, bot: Bot) -> None:
    station.r.router = None
    station.receive(bot, "When does the shop open?")

    station.answer()

    assert steps(station) == [("passages", "no_model")]
    assert replies(station)[0].startswith(texts.default("found", "en"))


def test_nothing_but_a_picture_gets_a_notice_and_leaves_the_bot_on(station: Station, bot: Bot) -> None:
    station.receive(bot, None)

    station.answer()

    assert steps(station) == [("notice", "no_text")]
    assert station.rows("SELECT bot_enabled FROM conversations") == [(True,)]


# ------------------------------------------------------------------ failing


def test_a_failed_attempt_puts_the_turn_back_for_later_with_its_error(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.execute("ALTER TABLE receipts ADD CONSTRAINT broken CHECK (false)")

    assert station.answer() is Result.RETRY

    assert station.rows("SELECT state, attempts, error FROM turns") == [("answering", 1, "CheckViolation(23514)")]
    assert replies(station) == []
    station.execute("ALTER TABLE receipts DROP CONSTRAINT broken")
    station.time_passes()
    assert station.answer() is Result.ANSWERED
    assert station.rows("SELECT error FROM turns") == [(None,)]


def test_a_turn_whose_connections_were_cut_is_due_again_long_before_its_lease_ends(
    station: Station, bot: Bot, services: Services
) -> None:
    station.receive(bot, "When does the shop open?")

    def cut() -> None:
        """All that the worker has, while the model writes."""
        pool = station.r.db._pool
        for conn in [pool.getconn() for _ in range(3)]:
            pool.putconn(conn)
        with psycopg.connect(services.postgres.superuser_url) as superuser:
            ended = superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
                (station.inbox.server.name, "switchboard_app"),
            ).fetchall()
        assert len(ended) >= 3

    station.model.meanwhile.append(cut)

    assert station.answer() is Result.RETRY

    assert station.rows("SELECT state, attempts, error, due_at < now() + interval '3 s' FROM turns") == [
        ("answering", 1, "DatabaseUnavailable", True)
    ]
    station.time_passes()
    assert station.answer() is Result.ANSWERED
    assert len(replies(station)) == 1


def test_a_turn_that_keeps_failing_is_told_to_a_person(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.execute("ALTER TABLE receipts ADD CONSTRAINT broken CHECK (step = 'handover')")
    for _ in range(ATTEMPTS_MAX):
        assert station.answer() is Result.RETRY
        station.time_passes()

    assert station.answer() is Result.ANSWERED

    assert steps(station) == [("handover", "failed_attempts")]
    assert station.rows("SELECT bot_enabled, attention FROM conversations") == [(True, "failed_attempts")]
    assert turn_states(station) == ["handed_over"]


def test_an_answer_is_written_also_where_no_key_opens_the_channel_s_credentials(station: Station, bot: Bot) -> None:
    station.execute("UPDATE channels SET credentials = 'sealed with a key that is gone'")
    station.receive(bot, "When does the shop open?")

    assert station.answer() is Result.ANSWERED

    assert steps(station) == [("full", "model")]


def test_a_message_that_comes_while_a_turn_waits_for_its_retry_is_answered_with_it(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    station.execute("ALTER TABLE receipts ADD CONSTRAINT broken CHECK (false)")
    station.answer()
    station.execute("ALTER TABLE receipts DROP CONSTRAINT broken")

    station.receive(bot, "I mean on Sundays")

    assert station.answer() is Result.ANSWERED
    assert turn_states(station) == ["answered"]
    assert "I mean on Sundays" in station.model.questions()[-1]


def test_messages_that_call_an_answer_back_do_not_use_up_its_attempts(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    for _ in range(2):
        station.model.meanwhile.append(lambda: station.receive(bot, "I mean on Sundays"))
        station.answer()

    assert station.rows("SELECT attempts FROM turns") == [(0,)]


def test_with_the_database_down_nothing_is_claimed_and_the_caller_hears_it(station: Station, bot: Bot) -> None:
    station.r.db.close()

    with pytest.raises(DatabaseUnavailable):
        station.answer()


def test_threads_of_one_worker_answer_every_conversation_once(station: Station, bot: Bot) -> None:
    for chat in range(20):
        station.receive(bot, "When does the shop open?", chat=chat)
    results: list[Result] = []

    def work() -> None:
        while (result := station.answer()) is not Result.NOTHING_DUE:
            results.append(result)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert results == [Result.ANSWERED] * 20
    assert station.rows("SELECT count(*), count(DISTINCT conversation_id) FROM outbound") == [(20, 20)]


def test_a_reply_cannot_be_stored_twice_for_one_turn(station: Station, bot: Bot) -> None:
    station.receive(bot, "When does the shop open?")
    with station.r.db.transaction() as conn:
        claim = claim_turn(conn)
        assert claim is not None
    with station.r.db.transaction(bot.company_id) as conn:
        first, second = (turns.finish(conn, claim, "answered") for _ in range(2))

    assert (first, second) == (True, False)
