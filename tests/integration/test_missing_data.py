"""What there is no data of is said so: a code that no document has, and the customer's own order."""

from __future__ import annotations

import pytest

from shared.triage import texts
from tasks.answers.handover import FIRST_SENTENCE
from tests.factories import Bot, make_bot
from tests.integration.station import Station

OFFER = "Would you like me to hand you over to a colleague? Just answer yes, or ask me something else."
UNKNOWN = texts.default("unknown", "en")
OWN = texts.default("own_case", "en")


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot, "The drill AX-3306-B costs 99 EUR. A spare battery BX-200-A costs 20 EUR.")
    station.learn(
        bot,
        "Your order number stands in the mail. An order takes two days, and your parcel has a tracking link.",
    )
    return bot


def _steps(station: Station) -> list[tuple[str, str]]:
    return [(step, reason) for step, reason in station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")]


def _said(station: Station) -> str:
    return str(station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY id DESC LIMIT 1")[0][0])


def _ask(station: Station, bot: Bot, *said: str) -> str:
    station.receive(bot, *said)
    station.answer()
    return _said(station)


def test_a_code_that_is_not_there_is_told_and_a_person_offered(station: Station, bot: Bot) -> None:
    assert _ask(station, bot, "How much is AX-9999-Z?") == f"We do not list AX-9999-Z.\n{OFFER}"
    assert _steps(station) == [("unknown", "not_listed")]
    assert station.model.asked == []
    assert station.rows("SELECT bot_enabled, attention FROM conversations") == [(True, "not_listed")]


@pytest.mark.parametrize("language", sorted(texts.LANGUAGES))
def test_an_offer_without_that_nothing_is_known_is_left_in_every_language(language: str) -> None:
    for name in ("unknown", "unknown_again", "unknown_still"):
        whole = texts.default(name, language)
        left = FIRST_SENTENCE.sub("", whole, count=1)
        assert whole.endswith(left)
        assert len(whole) - 5 > len(left) > 5


def test_a_number_in_the_sentence_behind_is_the_askers_order(station: Station, bot: Bot) -> None:
    said = _ask(station, bot, "Where's my order? It's #10023841 and I'm really annoyed")
    assert said == f"{OWN}\n{OFFER}"
    assert _steps(station) == [("unknown", "own_case")]


def test_a_number_in_the_message_behind_is_the_askers_order(station: Station, bot: Bot) -> None:
    assert "We do not list" not in _ask(station, bot, "Where's my order?", "It's #10023841")


def test_a_code_that_is_not_there_beside_one_that_is_does_not_hide_it(station: Station, bot: Bot) -> None:
    station.model.text = "The AX-3306-B costs 99 EUR [1]."
    said = _ask(station, bot, "What is cheaper, ax 3306 b or AX-9999-Z?")
    assert said == "We do not list AX-9999-Z.\nThe AX-3306-B costs 99 EUR [1]."
    assert _steps(station) == [("full", "not_listed")]
    assert "nothing under AX-9999-Z" in str(station.model.asked[-1])


def test_the_words_for_it_are_the_companys_own_and_the_customers_language(station: Station, bot: Bot) -> None:
    assert _ask(station, bot, "Was kostet der Bohrer AX-9999-Z?").startswith("AX-9999-Z führen wir nicht.\n")
    station.inbox.owner.run(
        'UPDATE assistants SET texts = \'{"not_listed": {"*": "No {codes} at {company}."}}\' WHERE company_id = %s',
        (bot.company_id,),
    )
    assert _ask(station, bot, "Was kostet der Bohrer E157?").startswith("No E157 at ")
    station.inbox.owner.run(
        'UPDATE assistants SET texts = \'{"not_listed": {"*": "We are sorry."}}\' WHERE company_id = %s',
        (bot.company_id,),
    )
    assert _ask(station, bot, "Was kostet der Bohrer AX-9999-Z?").startswith("AX-9999-Z: We are sorry.")


def test_an_order_that_is_named_by_its_number_is_answered_by_no_policy(station: Station, bot: Bot) -> None:
    assert _ask(station, bot, "Where is my order 10023841?") == f"{OWN}\n{OFFER}"
    assert _steps(station) == [("unknown", "own_case")]
    assert station.model.asked == []


def test_a_customers_order_without_a_model_is_not_answered_from_a_policy_alone(station: Station, bot: Bot) -> None:
    station.r.router = None
    said = _ask(station, bot, "Where is my parcel, when does the order arrive?")
    assert said.startswith(f"{OWN}\n{texts.default('found', 'en')}")
    assert "tracking link" in said
    assert said.endswith(f"\n\n{UNKNOWN}")
    assert _steps(station) == [("unknown", "own_case")]


def test_how_something_is_done_is_a_question_like_others(station: Station, bot: Bot) -> None:
    station.model.text = "In the confirmation mail [1]."
    assert _ask(station, bot, "Where can I see my order number?") == "In the confirmation mail [1]."
    assert _steps(station) == [("full", "model")]


def test_a_policy_to_hand_over_at_once_does_so_with_the_reason(station: Station, bot: Bot) -> None:
    station.inbox.owner.run("UPDATE assistants SET on_miss = 'at_once' WHERE company_id = %s", (bot.company_id,))
    assert _ask(station, bot, "Where is my order 10023841?").startswith(f"{OWN}\n{texts.default('person', 'en')}")
    assert _steps(station) == [("handover", "own_case")]


def test_nothing_counts_as_missing_while_documents_wait_for_their_identifiers(station: Station, bot: Bot) -> None:
    station.inbox.owner.run("UPDATE documents SET identified = NULL WHERE company_id = %s", (bot.company_id,))
    assert "AX-9999-Z" not in _ask(station, bot, "How much is AX-9999-Z?")
    assert _steps(station) != [("unknown", "not_listed")]
