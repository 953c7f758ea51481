"""A customer gets a person: what is said to them, what the bot does then, and what ends it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared import faults
from shared.store.answers import receipts
from shared.triage import texts
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tests.factories import Bot, make_bot
from tests.integration.handing_over import PERSON, bot_and_status, in_the_list, replies, say, set_policy
from tests.integration.station import Station

UNKNOWN = "Quantum chromodynamics?"
HANDED_OVER = texts.default("person", "en")
HERE = texts.default("replies_here", "en")


@pytest.fixture
def bot(station: Station, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Bot:
    monkeypatch.setenv("REDIS_URL", redis_url)  # a conversation's return wakes up delivery
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


# ------------------------------------------------------------------ a person is wished for


@pytest.mark.parametrize(
    ("said", "language"),
    [(PERSON, "en"), ("Kann ich mit einem Menschen reden?", "de"), ("转人工", "ja")],
)
def test_who_wishes_for_a_person_is_handed_over_at_once(station: Station, bot: Bot, said: str, language: str) -> None:
    language = "zh" if said == "转人工" else language
    assert say(station, bot, said) == [Result.ANSWERED]

    between = "" if language == "zh" else " "
    assert replies(station) == [between.join(texts.default(name, language) for name in ("person", "replies_here"))]
    assert bot_and_status(station) == (False, "handed_over", "wants_person")
    listed = in_the_list(station, bot)
    assert (listed.attention, listed.bot_off_reason) == ("wants_person", "wants_person")
    assert listed.returns_at is not None
    assert listed.bot_off_at is not None
    assert timedelta(hours=11, minutes=59) < listed.returns_at - listed.bot_off_at <= timedelta(hours=12, minutes=1)
    with station.r.db.transaction(bot.company_id) as conn:
        [receipt] = receipts.of_conversation(conn, bot.company_id, station.conversation())
    assert [receipt[name] for name in ("step", "reason", "bot", "state")] == [
        "handover", "wants_person", "hands_over", "handed_over",
    ]  # fmt: skip
    assert say(station, bot, "When does the shop open?") == [Result.NOTHING_DUE]


def test_what_is_asked_once_the_bot_has_left_is_the_person_s(station: Station, bot: Bot) -> None:
    station.receive(bot, UNKNOWN)
    set_policy(station, on_miss="at_once")
    station.answer()
    station.receive(bot, "When does the shop open?")

    assert station.answer() is Result.NOTHING_DUE
    assert len(replies(station)) == 1


@pytest.mark.parametrize(
    ("now", "when"),
    [
        (datetime(2026, 11, 27, 10, 0, tzinfo=UTC), HERE),
        (datetime(2026, 11, 28, 10, 0, tzinfo=UTC), "They will reply on Monday at 9:00."),
        (datetime(2026, 11, 29, 23, 30, tzinfo=UTC), "They will reply today at 9:00."),  # past midnight in Berlin
    ],
)
def test_outside_the_team_s_hours_the_customer_is_told_when_they_begin(
    station: Station, bot: Bot, now: datetime, when: str
) -> None:
    set_policy(station, hours="Mon-Fri 09:00-17:00", time_zone="Europe/Berlin")
    station.r.clock.now = lambda: now  # type: ignore[method-assign]
    station.receive(bot, PERSON)

    station.answer()

    assert replies(station) == [f"{HANDED_OVER} {when}"]


def test_a_company_s_own_words_stand_in_the_language_that_they_are_for(station: Station, bot: Bot) -> None:
    own = '{"person": {"de": "{name} holt {company}.", "*": "One moment."}, "replies_here": {"*": "Soon."}}'
    set_policy(station, texts=own, name="Robin")
    say(station, bot, "Kann ich mit einem Menschen reden?")
    [(company,)] = station.rows("SELECT name FROM companies")
    station.receive(bot, PERSON, chat=6)
    station.answer()

    assert replies(station) == [f"Robin holt {company}. Soon.", "One moment. Soon."]


# ------------------------------------------------------------------ nothing relevant is known


@pytest.mark.parametrize("yes", ["yes", "Yes please!", "ok", "👍", "sure", "ja", "gern",
                                 "go ahead", "yes, please connect me",
                                 "Yes. My name is Ada, order 555", "Ja, verbinden Sie mich bitte"])  # fmt: skip
def test_a_yes_to_the_offer_of_a_person_hands_over(station: Station, bot: Bot, yes: str) -> None:
    say(station, bot, UNKNOWN)
    assert bot_and_status(station) == (True, "open", None)
    assert in_the_list(station, bot).attention == "nothing_relevant"

    assert say(station, bot, yes) == [Result.ANSWERED]

    assert bot_and_status(station) == (False, "handed_over", "offer_accepted")
    assert station.model.asked == []


@pytest.mark.parametrize(("said", "attention"), [("yes", "offer_accepted"), (PERSON, "wants_person")])
def test_a_wish_that_is_only_told_stands_before_the_miss_that_called_a_person(
    station: Station, bot: Bot, said: str, attention: str
) -> None:
    set_policy(station, on_wish="tell")
    say(station, bot, UNKNOWN, said, UNKNOWN)

    assert bot_and_status(station) == (True, "open", None)
    assert in_the_list(station, bot).attention == attention


@pytest.mark.parametrize("no", ["no", "no thanks", "When does the shop open?", "…", "thanks anyway",
                                "yes, but do you deliver to Norway?"])  # fmt: skip
def test_what_is_no_yes_keeps_the_bot(station: Station, bot: Bot, no: str) -> None:
    say(station, bot, UNKNOWN, no)

    assert bot_and_status(station)[:2] == (True, "open")


def test_a_yes_long_after_the_offer_hands_nothing_over(station: Station, bot: Bot) -> None:
    say(station, bot, UNKNOWN, "When does the shop open?", "yes")

    assert bot_and_status(station) == (True, "open", None)


def test_a_company_that_wants_it_so_hands_over_at_the_first_miss(station: Station, bot: Bot) -> None:
    set_policy(station, on_miss="at_once")
    say(station, bot, UNKNOWN)

    assert replies(station) == [f"{texts.default('missed', 'en')} {HERE}"]
    assert bot_and_status(station) == (False, "handed_over", "nothing_relevant")


def test_a_company_that_wants_it_so_hands_over_after_some_misses_in_a_row(station: Station, bot: Bot) -> None:
    set_policy(station, on_miss="after_misses", misses_max=2)
    say(station, bot, UNKNOWN)
    assert bot_and_status(station) == (True, "open", None)

    say(station, bot, UNKNOWN)

    assert bot_and_status(station) == (False, "handed_over", "misses")


def test_an_answer_between_two_misses_begins_the_count_anew(station: Station, bot: Bot) -> None:
    set_policy(station, on_miss="after_misses", misses_max=2)
    say(station, bot, UNKNOWN, "When does the shop open?")
    station.execute("UPDATE chunks SET text = 'gone'")
    station.execute("DELETE FROM documents")
    say(station, bot, UNKNOWN)

    assert station.rows("SELECT step FROM receipts ORDER BY turn_id") == [("unknown",), ("full",), ("unknown",)]
    assert bot_and_status(station) == (True, "open", None)


def test_a_worker_that_fails_before_the_handover_is_stored_has_neither_moved_nor_told(
    station: Station, bot: Bot, tmp_path: Path
) -> None:
    station.receive(bot, PERSON)
    faults.configure("reply.before_commit=raise", tmp_path)
    try:
        assert station.answer() is Result.RETRY
    finally:
        faults.configure("", None)
    assert (bot_and_status(station), replies(station)) == ((True, "open", None), [])

    station.time_passes()
    assert station.answer() is Result.ANSWERED
    assert (bot_and_status(station)[0], len(replies(station))) == (False, 1)


def test_a_wish_that_comes_twice_hands_over_once(station: Station, bot: Bot) -> None:
    from tests.factories import update

    body = update(PERSON, chat=5)
    for _ in range(2):
        station.inbox.journal(bot, body)
        station.inbox.drain_all()
        station.answer()

    assert len(replies(station)) == 1


def test_an_agent_who_takes_over_while_the_handover_is_being_written_has_it(station: Station, bot: Bot) -> None:
    station.receive(bot, UNKNOWN)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=False)
    station.answer()

    assert (bot_and_status(station), replies(station)) == ((False, "handed_over", "agent"), [])


# ------------------------------------------------------------------ closed


def test_a_closed_conversation_is_the_bot_s_and_opens_with_the_customer_s_next_message(
    station: Station, bot: Bot
) -> None:
    say(station, bot, PERSON)
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=True, closed=True)
    assert bot_and_status(station) == (True, "closed", None)

    assert say(station, bot, "When does the shop open?") == [Result.ANSWERED]

    assert bot_and_status(station) == (True, "open", None)
    assert replies(station)[1:] == ["We open at nine [1]."]  # nobody needs to be told: a person was there
