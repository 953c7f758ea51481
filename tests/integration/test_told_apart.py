"""What the rules cannot tell a model may, in the one call that answers: never to silence, never against the words."""

from __future__ import annotations

import pytest

from shared.triage import texts
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration.station import Station

RULE = "write nothing but [person]"


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def _say(station: Station, bot: Bot, *said: str) -> list[Result]:
    results = []
    for text in said:
        station.receive(bot, text)
        results.append(station.answer())
    return results


def _steps(station: Station) -> list[tuple[str, str]]:
    return station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")


@pytest.mark.parametrize(
    ("said", "model", "name"),
    [
        ("thanks bro ur a legend", "[thanks]", "thanks"), ("heyyy there matey", "[greeting]", "greeting"),
        ("ok super duper", "[ok]", "decline"), ("bye bye sweetheart", "[goodbye]", "goodbye"),
    ],
)  # fmt: skip
def test_a_courtesy_in_words_that_no_table_has_is_returned(
    station: Station, bot: Bot, said: str, model: str, name: texts.Name
) -> None:
    station.model.text = model

    assert _say(station, bot, said) == [Result.ANSWERED]

    assert station.rows("SELECT text FROM messages WHERE role = 'bot'") == [(texts.default(name, "en"),)]
    assert station.rows("SELECT bot_enabled, attention FROM conversations") == [(True, None)]
    assert len(station.model.asked) == 1
    assert RULE in station.model.asked[0][0]["content"]


def test_a_wish_for_a_person_in_words_that_no_table_has_hands_over_by_the_policy(station: Station, bot: Bot) -> None:
    station.model.text = "[person]"

    _say(station, bot, "gimme a living breathing soul pls")

    assert _steps(station) == [("handover", "wants_person")]
    assert station.rows("SELECT bot_enabled FROM conversations") == [(False,)]


@pytest.mark.parametrize("model", ["[ok]", "[thanks]", "[greeting]", "[goodbye]"])
def test_what_the_words_do_not_bear_out_is_never_met_with_silence(station: Station, bot: Bot, model: str) -> None:
    """A document may hold words that make a model say so of everything."""
    station.model.text = model

    assert _say(station, bot, "parcel broken into pieces", "parcel broken into pieces") == [Result.ANSWERED] * 2

    assert _steps(station) == [("notice", "unclear")] * 2
    assert len(set(station.rows("SELECT text FROM messages WHERE role = 'bot'"))) == 2


def test_the_same_courtesy_in_a_row_is_no_silence_either(station: Station, bot: Bot) -> None:
    station.model.text = "[thanks]"
    assert _say(station, bot, "thanks bro ur a legend", "thanks bro ur a hero") == [Result.ANSWERED] * 2
    assert _steps(station) == [("courtesy", "thanks"), ("notice", "unclear")]


@pytest.mark.parametrize("model", ["[ok]", "[person]", "[thanks]"])
@pytest.mark.parametrize("said", ["When does the shop open?", "how do I stop my subscription", "my parcel never came"])
def test_of_a_question_no_model_says_that_it_is_none(station: Station, bot: Bot, said: str, model: str) -> None:
    station.model.text = model

    _say(station, bot, said)

    [(step, _)] = _steps(station)
    assert step == "unknown"
    assert station.rows("SELECT bot_enabled FROM conversations") == [(True,)]
    assert not any(RULE in lines[0]["content"] for lines in station.model.asked)


@pytest.mark.parametrize("status", [200, 500])
def test_where_nothing_comes_of_it_nothing_is_known_as_without_a_model(station: Station, bot: Bot, status: int) -> None:
    station.model.text, station.model.status = "I do not know.", status

    _say(station, bot, "quantum chromodynamics")

    assert _steps(station) == [("unknown", "nothing_relevant")]
    assert station.rows("SELECT attention FROM conversations") == [("nothing_relevant",)]


def test_without_a_model_it_is_a_question_as_ever(station: Station, bot: Bot) -> None:
    station.r.router = None
    _say(station, bot, "thanks bro ur a legend")
    assert _steps(station) == [("unknown", "nothing_relevant")]
