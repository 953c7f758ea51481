"""Conversations that are more than questions: the bot stays on, a person gets to know, no text comes twice in a row."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.model import Me
from shared.store.answers import receipts, replies
from shared.store.db.vault import Vault
from shared.store.inbound import journal
from shared.store.inbox import conversation_list
from shared.store.tenants import companies
from shared.triage import texts
from tasks.answers import manners
from tasks.answers.reply import Result
from tasks.inbox import takeover
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, make_bot
from tests.integration.station import Station

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "channels"


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def _steps(station: Station) -> list[tuple[str, str]]:
    return [(step, reason) for step, reason in station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")]


def _replies(station: Station) -> list[str]:
    return [text for (text,) in station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY id")]


def _say(station: Station, bot: Bot, *said: str) -> list[Result]:
    results = []
    for text in said:
        station.receive(bot, text)
        results.append(station.answer())
    return results


def _of(station: Station) -> tuple[bool, str | None]:
    [(enabled, attention)] = station.rows("SELECT bot_enabled, attention FROM conversations")
    return enabled, attention


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
    assert _say(station, bot, said) == [Result.ANSWERED]

    assert _replies(station) == [texts.default(name, language)]
    assert [step for step, _ in _steps(station)] == [step]
    assert _of(station) == (True, None)
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
    assert _say(station, bot, said) == [Result.ANSWERED]

    [(company,)] = station.rows("SELECT name FROM companies")
    assert _replies(station) == [texts.filled(texts.default(name, "en"), company=str(company), name="Assistant")]
    assert _steps(station) == [(step, reason)]
    assert _of(station) == (True, attention)
    assert station.model.asked == []


def test_where_a_wish_is_only_told_it_goes_before_a_question_and_is_told_in_other_words_again(
    station: Station, bot: Bot
) -> None:
    station.execute("UPDATE assistants SET on_wish = 'tell'")
    station.receive(bot, "When does the shop open?", "I want to talk to a human")
    station.answer()
    _say(station, bot, "human please")

    assert _replies(station) == [texts.default("asked", "en"), texts.default("asked_again", "en")]
    assert _say(station, bot, "When does the shop open?") == [Result.ANSWERED]
    assert _of(station) == (True, "wants_person")


def test_a_no_after_english_questions_is_answered_in_english_and_quotes_nothing_again(
    station: Station, bot: Bot
) -> None:
    station.r.router = None
    _say(station, bot, "When does the shop open?", "no", "no thanks")

    assert [step for step, _ in _steps(station)] == ["passages", "courtesy", "silence"]
    assert _replies(station)[1:] == [texts.default("decline", "en")]
    assert _of(station) == (True, None)


@pytest.mark.parametrize("said", ["?", "What?", "7"])
def test_what_is_said_to_an_answer_is_asked_in_its_context_and_calls_nobody(
    station: Station, bot: Bot, said: str
) -> None:
    _say(station, bot, "When does the shop open?", said)
    assert _steps(station) == [("full", "model")] * 2

    station.model.text = "I do not know."
    _say(station, bot, said, said)
    station.model.status = 401
    _say(station, bot, "When does the shop open?", said)

    assert _steps(station)[2:] == [
        ("notice", "unclear"), ("notice", "unclear"), ("passages", "model_unavailable"), ("notice", "unclear"),
    ]  # fmt: skip
    assert _replies(station)[2:4] == [texts.default(name, "en") for name in ("clarify", "rephrase")]
    assert _of(station) == (True, None)


def test_the_sender_s_code_is_kept_and_a_language_without_texts_gets_the_company_s(station: Station, bot: Bot) -> None:
    station.execute("UPDATE assistants SET language = 'fr'")
    _say(station, bot, "Hej")  # from a device in English

    assert station.rows("SELECT language FROM conversations") == [("en",)]
    assert _replies(station) == [texts.default("greeting", "fr")]


def test_a_language_without_texts_gets_the_company_s_own_words_in_its_language(station: Station, bot: Bot) -> None:
    station.execute("""UPDATE assistants SET language = 'de', texts = '{"thanks": {"de": "Bis bald!"}}'""")
    _say(station, bot, "Tack så mycket!")

    assert _replies(station) == ["Bis bald!"]


@pytest.mark.parametrize("said", ["ok", "👍", "\u200b\u200d\u200b", "🙂🙂", "..."])
def test_what_wants_no_answer_gets_none_and_the_next_question_is_answered(
    station: Station, bot: Bot, said: str
) -> None:
    assert _say(station, bot, said) == [Result.NO_REPLY]

    assert _replies(station) == []
    assert station.rows("SELECT state FROM turns") == [("no_reply",)]
    assert _steps(station) == [("silence", "acknowledgement")]
    assert _of(station) == (True, None)
    assert _say(station, bot, "When does the shop open?") == [Result.ANSWERED]


def test_a_second_courtesy_in_a_row_is_not_answered_and_one_after_an_answer_is(station: Station, bot: Bot) -> None:
    assert _say(station, bot, "Hello", "hello") == [Result.ANSWERED, Result.NO_REPLY]
    assert _say(station, bot, "When does the shop open?", "Thank you!") == [Result.ANSWERED] * 2

    assert [reason for _, reason in _steps(station)] == ["greeting", "courtesy_again", "model", "thanks"]


def test_a_greeting_the_next_day_is_answered_again(station: Station, bot: Bot) -> None:
    _say(station, bot, "Hello")
    station.execute("UPDATE conversations SET bot_step_at = bot_step_at - interval '1 day'")

    assert _say(station, bot, "Hello") == [Result.ANSWERED]


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
    _say(station, bot, "Hi", "Schuhbert, when does the shop open?")

    assert [step for step, _ in _steps(station)] == ["courtesy", "full"]


def test_a_start_with_a_question_behind_it_gets_the_question_answered(station: Station, bot: Bot) -> None:
    station.receive(bot, "/start ref_1", "When does the shop open?")

    assert station.answer() is Result.ANSWERED
    assert station.answer() is Result.NOTHING_DUE

    assert _steps(station) == [("full", "model")]
    assert station.model.questions() == ["When does the shop open?"]
    assert station.rows("SELECT referral FROM conversations") == [("ref_1",)]


def test_who_asks_three_things_that_nobody_knows_reads_three_texts_and_keeps_the_bot(
    station: Station, bot: Bot
) -> None:
    _say(station, bot, *(["Quantum chromodynamics?"] * 5), "When does the shop open?")

    told = _replies(station)
    assert told[:4] == [
        texts.default(name, "en") for name in ("unknown", "unknown_again", "unknown_still", "unknown_again")
    ]
    assert all(one != other for one, other in itertools.pairwise(told))
    assert station.rows("SELECT misses FROM conversations") == [(0,)]  # what was answered begins the count anew
    assert _of(station) == (True, "nothing_relevant")


def test_nothing_is_known_is_said_in_the_customer_s_language_or_in_the_company_s_words(
    station: Station, bot: Bot
) -> None:
    _say(station, bot, "Wer hat die Quantenchromodynamik erfunden?")
    station.execute("""UPDATE assistants SET texts = '{"unknown_again": {"*": "No idea."}}'""")
    _say(station, bot, "Und wer die Thermodynamik?", "Und die Aerodynamik?")

    assert _replies(station) == [texts.default("unknown", "de"), "No idea.", "No idea."]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_conversation_waits_for_a_person_until_one_takes_it_or_gives_it_back(
    station: Station, bot: Bot, enabled: bool
) -> None:
    _say(station, bot, "Quantum chromodynamics?")
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        assert (listed.attention, listed.attention_since is not None) == ("nothing_relevant", True)

        takeover.set_bot(conn, bot.company_id, listed.id, enabled=enabled)

        found = conversation_list.one(conn, bot.company_id, listed.id)
    assert found is not None
    assert (found.attention, found.attention_since) == (None, None)


def test_an_agent_s_answer_clears_what_waited(station: Station, bot: Bot) -> None:
    _say(station, bot, "Quantum chromodynamics?")
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.write(conn, station.r.platforms, bot.company_id, station.conversation(), "I shall look it up.")

    assert _of(station) == (False, None)


def test_a_model_s_courtesy_without_a_source_is_sent_to_who_was_courteous(station: Station, bot: Bot) -> None:
    station.model.text = "You're welcome! Let me know if you have any other questions."
    _say(station, bot, "thank you, the shop opens for me in heaven, dear")

    assert _steps(station) == [("courtesy", "model")]
    assert _replies(station) == [station.model.text]


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
    _say(station, bot, asked)

    assert _steps(station) == [("unknown", "uncited")]
    assert said not in _replies(station)
    assert _of(station) == (True, "uncited")


def test_a_turn_without_a_reply_stands_among_a_conversation_s_receipts(station: Station, bot: Bot) -> None:
    _say(station, bot, "ok")
    with station.r.db.transaction(bot.company_id) as conn:
        [found] = receipts.of_conversation(conn, bot.company_id, station.conversation())

    assert (found["step"], found["state"], found["answer"]) == ("silence", "no_reply", None)


@pytest.mark.parametrize("said", ["Hello", "Quantum chromodynamics?", "When does the shop open?"])
def test_a_machine_that_sends_the_bot_s_words_back_gets_no_answer(station: Station, bot: Bot, said: str) -> None:
    _say(station, bot, said)
    [reply] = _replies(station)
    enabled, attention = _of(station)

    assert _say(station, bot, reply, reply) == [Result.NO_REPLY] * 2

    assert _steps(station)[1:] == [("silence", "echo")] * 2
    assert _of(station) == (enabled, attention)
    assert _replies(station) == [reply]


def test_who_asks_ten_things_in_two_minutes_is_answered_ten_times(station: Station, bot: Bot) -> None:
    asked = [f"When does the shop open in week {week}?" for week in range(10)]

    assert _say(station, bot, *asked) == [Result.ANSWERED] * 10


def test_answers_that_come_too_fast_stop_for_a_while_and_a_person_is_told(station: Station, bot: Bot) -> None:
    limit = station.r.settings.answers.conversation_answers_max
    asked = [f"When does the shop open in week {week}?" for week in range(limit + 3)]

    assert _say(station, bot, *asked) == [Result.ANSWERED] * limit + [Result.NO_REPLY] * 3
    assert _steps(station)[limit:] == [("silence", "loop")] * 3
    assert _of(station) == (True, "loop")
    assert len(station.model.asked) == limit

    _pass(station, manners.SILENT_S - replies.ANSWER_EVERY_S)
    assert _say(station, bot, "And now?") == [Result.NO_REPLY]
    _pass(station, 2 * replies.ANSWER_EVERY_S)
    assert _say(station, bot, *asked[:10]) == [Result.ANSWERED] * 10


def test_a_machine_that_answers_slower_than_once_a_minute_comes_to_an_end_within_the_day(
    station: Station, bot: Bot
) -> None:
    _say(station, bot, "When does the shop open?")
    many = replies.DAY_ANSWERS_MAX - 1
    station.execute(
        f"UPDATE conversations SET answers_until = now(),"
        f" day_answers_until = day_answers_until + interval '{many * replies.DAY_ANSWER_EVERY_S} s'"
    )

    assert _say(station, bot, "And now?") == [Result.NO_REPLY]

    assert _steps(station)[1:] == [("silence", "loop")]
    assert _of(station) == (True, "loop")
    station.execute("UPDATE conversations SET silent_until = NULL, day_answers_until = now() + interval '20 hours'")
    assert _say(station, bot, "And now?") == [Result.ANSWERED]


def test_a_person_who_gives_the_conversation_back_ends_the_silence(station: Station, bot: Bot) -> None:
    asked = [f"When does the shop open in week {week}?" for week in range(14)]
    assert _say(station, bot, *asked)[-1] is Result.NO_REPLY
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=True)

    assert _of(station) == (True, None)
    assert _say(station, bot, *asked[:12]) == [Result.ANSWERED] * 12


def _pass(station: Station, seconds: float) -> None:
    station.execute(
        f"UPDATE conversations SET answers_until = answers_until - interval '{seconds} s',"
        f" silent_until = silent_until - interval '{seconds} s'"
    )


@pytest.mark.skipif(not CASES.is_dir(), reason="the recorded webhooks are not here")
@pytest.mark.parametrize(
    ("files", "steps"),
    [
        (["03-tg-start.json", "03-tg-start-then-question.json"], ["welcome", "unknown"]),
        (["17-tg-5601.json"], ["courtesy"]),
        (["17-tg-5602.json"], ["silence"]),
        (["28-tg-thanks-after-answer.json"], ["unknown", "courtesy"]),
    ],
)
def test_recorded_webhooks_get_a_courtesy_or_silence_and_leave_the_bot_on(
    station: Station, bot: Bot, files: list[str], steps: list[str]
) -> None:
    for name in files:
        read = json.loads((CASES / name).read_text(encoding="utf-8"))
        for body in read if isinstance(read, list) else [read]:
            station.inbox.journal(bot, body)
            station.inbox.drain_all()
            station.answer()

    assert [step for step, _ in _steps(station)] == steps
    assert station.rows("SELECT bot_enabled, referral FROM conversations") == [
        (True, "promo-77" if "start" in files[0] else None)
    ]


def test_a_start_link_s_parameter_is_the_conversation_s_referral(station: Station, bot: Bot) -> None:
    assert _say(station, bot, "/start@shop_bot spring_sale") == [Result.ANSWERED]

    assert station.rows("SELECT referral, bot_enabled FROM conversations") == [("spring_sale", True)]


# ------------------------------------------------------------------ Get started, on Messenger

GET_STARTED: dict[str, Any] = {
    "object": "page",
    "entry": [
        {
            "id": "700900",
            "time": 1_795_824_402_016,
            "messaging": [
                {
                    "sender": {"id": "88001"},
                    "recipient": {"id": "700900"},
                    "timestamp": 1_795_824_402_016,
                    "postback": {"mid": "m_1", "title": "Get Started", "payload": "GET_STARTED"},
                }
            ],
        }
    ],
}


def _press(station: Station, *bodies: dict[str, Any]) -> list[Result]:
    """Messenger's requests to a page that is connected now; returns how each went."""
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        made = onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform="messenger", slug="fb",
            company_id=companies.ensure(conn, "Shop").id,
            webhook_secrets=["s"], credentials={"token": "t"}, me=Me("700900", "shop", "A1"),
        )  # fmt: skip
    results = []
    for body in bodies:
        stream = journal.stream_of(journal.shard_of(made.app_id, "", station.inbox.settings.journal.shards))
        fields = journal.fields("messenger", made.app_id, 1_795_824_402_016, json.dumps(body).encode())
        station.inbox.reader.append(stream, fields)
        station.inbox.drain_all()
        results.append(station.answer())
    return results


def test_who_presses_get_started_is_welcomed_once_and_keeps_the_bot(station: Station) -> None:
    assert _press(station, GET_STARTED, GET_STARTED) == [Result.ANSWERED, Result.NOTHING_DUE]

    assert _steps(station) == [("welcome", "start")]
    assert _replies(station) == [texts.default("welcome", "en")]
    assert _of(station) == (True, None)


@pytest.mark.skipif(not CASES.is_dir(), reason="the recorded webhooks are not here")
def test_a_recorded_get_started_is_welcomed(station: Station) -> None:
    assert _press(station, json.loads((CASES / "31-fb-get-started.json").read_text("utf-8"))) == [Result.ANSWERED]

    assert _steps(station) == [("welcome", "start")]
    assert _of(station) == (True, None)
