"""A turn that is no question: courtesies, remarks, names before a question."""

from __future__ import annotations

import itertools

import pytest

from shared.store.answers import receipts
from shared.store.inbox import conversation_list
from shared.triage import texts
from tasks.answers import manners
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tests.factories import Bot, make_bot
from tests.integration.said_and_answered import bot_and_attention, bot_said, say, steps
from tests.integration.station import Station


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


@pytest.mark.parametrize(
    ("said", "step", "name", "language"),
    [
        ("Hello!", "courtesy", "greeting", "en"),
        ("¡Hola!", "courtesy", "greeting", "es"),
        ("Vielen Dank!", "courtesy", "thanks", "de"),
        ("До свидания", "courtesy", "goodbye", "ru"),
        ("/start", "welcome", "welcome", "en"),
        ("/start promo-77", "welcome", "welcome", "en"),
        ("Get Started", "welcome", "welcome", "en"),
        ("GET_STARTED", "welcome", "welcome", "en"),
    ],
)
def test_a_courtesy_is_returned_without_search_or_model(
    station: Station, bot: Bot, said: str, step: str, name: texts.Name, language: str
) -> None:
    assert say(station, bot, said) == [Result.ANSWERED]

    assert bot_said(station) == [texts.default(name, language)]
    assert [step for step, _ in steps(station)] == [step]
    assert bot_and_attention(station) == (True, None)
    assert station.model.asked == []
    assert station.rows("SELECT ms ? 'search' FROM receipts") == [(False,)]


@pytest.mark.parametrize(
    ("said", "step", "reason", "name", "attention"),
    [
        ("no thanks", "courtesy", "decline", "decline", None), ("yes", "notice", "unclear", "clarify", None),
        ("sorry", "notice", "unclear", "clarify", None), ("1", "notice", "unclear", "clarify", None),
        ("?", "notice", "unclear", "clarify", None), ("are you a bot?", "notice", "about", "about", None),
        ("help me", "notice", "unclear", "clarify", None), ("/help", "notice", "help", "help", None),
        ("ok?", "notice", "unclear", "clarify", None), ("/settings", "notice", "help", "help", None),
    ],
)  # fmt: skip
def test_a_remark_or_a_wish_for_help_gets_its_text_and_calls_nobody(
    station: Station, bot: Bot, said: str, step: str, reason: str, name: texts.Name, attention: str | None
) -> None:
    assert say(station, bot, said) == [Result.ANSWERED]

    [(company,)] = station.rows("SELECT name FROM companies")
    assert bot_said(station) == [texts.filled(texts.default(name, "en"), company=str(company), name="Assistant")]
    assert steps(station) == [(step, reason)]
    assert bot_and_attention(station) == (True, attention)
    assert station.model.asked == []


def test_where_a_wish_is_only_told_it_goes_before_a_question_and_is_told_in_other_words_again(
    station: Station, bot: Bot
) -> None:
    station.execute("UPDATE assistants SET on_wish = 'tell'")
    station.receive(bot, "When does the shop open?", "I want to talk to a human")
    station.answer()
    say(station, bot, "human please")

    assert bot_said(station) == [texts.default("asked", "en"), texts.default("asked_again", "en")]
    assert say(station, bot, "When does the shop open?") == [Result.ANSWERED]
    assert bot_and_attention(station) == (True, "wants_person")


def test_a_no_after_english_questions_is_answered_in_english_and_quotes_nothing_again(
    station: Station, bot: Bot
) -> None:
    station.r.router = None
    say(station, bot, "When does the shop open?", "no", "no thanks")

    assert [step for step, _ in steps(station)] == ["passages", "courtesy", "silence"]
    assert bot_said(station)[1:] == [texts.default("decline", "en")]
    assert bot_and_attention(station) == (True, None)


@pytest.mark.parametrize("said", ["?", "What?", "7"])
def test_what_is_said_to_an_answer_is_asked_in_its_context_and_calls_nobody(
    station: Station, bot: Bot, said: str
) -> None:
    say(station, bot, "When does the shop open?", said)
    assert steps(station) == [("full", "model")] * 2

    station.model.text = "I do not know."
    say(station, bot, said, said)
    station.model.status = 401
    say(station, bot, "When does the shop open?", said)

    assert steps(station)[2:] == [
        ("notice", "unclear"), ("notice", "unclear"), ("passages", "model_unavailable"), ("notice", "unclear"),
    ]  # fmt: skip
    assert bot_said(station)[2:4] == [texts.default(name, "en") for name in ("clarify", "rephrase")]
    assert bot_and_attention(station) == (True, None)


def test_the_sender_s_code_is_kept_and_a_language_without_texts_gets_the_company_s(station: Station, bot: Bot) -> None:
    station.execute("UPDATE assistants SET language = 'fr'")
    say(station, bot, "Hej")  # from a device in English

    assert station.rows("SELECT language FROM conversations") == [("en",)]
    assert bot_said(station) == [texts.default("greeting", "fr")]


def test_a_language_without_texts_gets_the_company_s_own_words_in_its_language(station: Station, bot: Bot) -> None:
    station.execute("""UPDATE assistants SET language = 'de', texts = '{"thanks": {"de": "Bis bald!"}}'""")
    say(station, bot, "Tack så mycket!")

    assert bot_said(station) == ["Bis bald!"]


@pytest.mark.parametrize("said", ["ok", "👍", "\u200b\u200d\u200b", "🙂🙂", "..."])
def test_what_wants_no_answer_gets_none_and_the_next_question_is_answered(
    station: Station, bot: Bot, said: str
) -> None:
    assert say(station, bot, said) == [Result.NO_REPLY]

    assert bot_said(station) == []
    assert station.rows("SELECT state FROM turns") == [("no_reply",)]
    assert steps(station) == [("silence", "acknowledgement")]
    assert bot_and_attention(station) == (True, None)
    assert say(station, bot, "When does the shop open?") == [Result.ANSWERED]


def test_a_second_courtesy_in_a_row_is_not_answered_and_one_after_an_answer_is(station: Station, bot: Bot) -> None:
    assert say(station, bot, "Hello", "hello") == [Result.ANSWERED, Result.NO_REPLY]
    assert say(station, bot, "When does the shop open?", "Thank you!") == [Result.ANSWERED] * 2

    assert [reason for _, reason in steps(station)] == ["greeting", "courtesy_again", "model", "thanks"]


def test_a_greeting_the_next_day_is_answered_again(station: Station, bot: Bot) -> None:
    say(station, bot, "Hello")
    station.execute("UPDATE conversations SET bot_step_at = bot_step_at - interval '1 day'")

    assert say(station, bot, "Hello") == [Result.ANSWERED]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Robin, do you sell gift cards?", "do you sell gift cards?"), ("Hi Robin, when?", "when?"),
        ("Hello! Robin: when do you open?", "when do you open?"), ("When do you open, Robin?", "When do you open?"),
        ("Thanks! And can I return it?", "And can I return it?"), ("who is Robin", "who is Robin"),
        ("good morning coffee price", "good morning coffee price"), ("Is it 5, or 6?", "Is it 5, or 6?"),
        ("Robin", "Robin"), ("Hallo,\nwann öffnet ihr", "wann öffnet ihr"),
    ],
)  # fmt: skip
def test_names_and_greetings_before_a_question_are_not_searched_for(said: str, asked: str) -> None:
    assert manners.asking(said, ("Robin",)) == asked


def test_the_name_after_a_greeting_spoils_no_search(station: Station, bot: Bot) -> None:
    station.execute("UPDATE assistants SET name = 'Schuhbert'")
    say(station, bot, "Hi", "Schuhbert, when does the shop open?")

    assert [step for step, _ in steps(station)] == ["courtesy", "full"]


def test_a_start_with_a_question_behind_it_gets_the_question_answered(station: Station, bot: Bot) -> None:
    station.receive(bot, "/start ref_1", "When does the shop open?")

    assert station.answer() is Result.ANSWERED
    assert station.answer() is Result.NOTHING_DUE

    assert steps(station) == [("full", "model")]
    assert station.model.questions() == ["When does the shop open?"]
    assert station.rows("SELECT referral FROM conversations") == [("ref_1",)]


def test_who_asks_three_things_that_nobody_knows_reads_three_texts_and_keeps_the_bot(
    station: Station, bot: Bot
) -> None:
    say(station, bot, *(["Quantum chromodynamics?"] * 5), "When does the shop open?")

    told = bot_said(station)
    assert told[:4] == [
        texts.default(name, "en") for name in ("unknown", "unknown_again", "unknown_still", "unknown_again")
    ]
    assert all(one != other for one, other in itertools.pairwise(told))
    assert station.rows("SELECT misses FROM conversations") == [(0,)]  # what was answered begins the count anew
    assert bot_and_attention(station) == (True, "nothing_relevant")


def test_nothing_is_known_is_said_in_the_customer_s_language_or_in_the_company_s_words(
    station: Station, bot: Bot
) -> None:
    say(station, bot, "Wer hat die Quantenchromodynamik erfunden?")
    station.execute("""UPDATE assistants SET texts = '{"unknown_again": {"*": "No idea."}}'""")
    say(station, bot, "Und wer die Thermodynamik?", "Und die Aerodynamik?")

    assert bot_said(station) == [texts.default("unknown", "de"), "No idea.", "No idea."]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_conversation_waits_for_a_person_until_one_takes_it_or_gives_it_back(
    station: Station, bot: Bot, enabled: bool
) -> None:
    say(station, bot, "Quantum chromodynamics?")
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        assert (listed.attention, listed.attention_since is not None) == ("nothing_relevant", True)

        takeover.set_bot(conn, bot.company_id, listed.id, enabled=enabled)

        found = conversation_list.one(conn, bot.company_id, listed.id)
    assert found is not None
    assert (found.attention, found.attention_since) == (None, None)


def test_an_agent_s_answer_clears_what_waited(station: Station, bot: Bot) -> None:
    say(station, bot, "Quantum chromodynamics?")
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.write(conn, station.r.platforms, bot.company_id, station.conversation(), "I shall look it up.")

    assert bot_and_attention(station) == (False, None)


def test_a_model_s_courtesy_without_a_source_is_sent_to_who_was_courteous(station: Station, bot: Bot) -> None:
    station.model.text = "You're welcome! Let me know if you have any other questions."
    say(station, bot, "thank you, the shop opens for me in heaven, dear")

    assert steps(station) == [("courtesy", "model")]
    assert bot_said(station) == [station.model.text]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("thanks, when does the shop open?", "You're welcome!"),
        ("when does the shop open", "You're welcome!"),
        ("hi, tell me when the shop opens", "Sure, no problem."),
        ("hi, tell me when the shop opens", "You're welcome! It opens at nine."),
        ("hi, tell me when the shop opens", "Morning."),
    ],
)
def test_a_claim_without_a_source_never_passes_for_a_courtesy(
    station: Station, bot: Bot, asked: str, said: str
) -> None:
    station.model.text = said
    say(station, bot, asked)

    assert steps(station) == [("unknown", "uncited")]
    assert said not in bot_said(station)
    assert bot_and_attention(station) == (True, "uncited")


def test_a_turn_without_a_reply_stands_among_a_conversation_s_receipts(station: Station, bot: Bot) -> None:
    say(station, bot, "ok")
    with station.r.db.transaction(bot.company_id) as conn:
        [found] = receipts.of_conversation(conn, bot.company_id, station.conversation())

    assert (found["step"], found["state"], found["answer"]) == ("silence", "no_reply", None)
