"""What a customer writes in one go is shown and read in the platform's order, however it arrives, and what they take
back is not unread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.embedded import Database
from shared.store.inbox import company_totals, conversation_list, conversations, message_pages
from tasks.answers.reply import Result
from tests.factories import Bot, make_bot
from tests.integration import accounts
from tests.integration.station import Station
from tests.scripted import event, message, receive, speak


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    speak(station.inbox)
    yield station
    station.close()


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


def _shown(station: Station, bot: Bot) -> list[str | None]:
    return [one.text for one in _page(station, bot)]


def _page(station: Station, bot: Bot, after: int = 0, limit: int = 100) -> list[message_pages.Shown]:
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        return message_pages.page(conn, bot.company_id, listed.id, after_seq=after, limit=limit)


def _listed(station: Station, bot: Bot) -> conversation_list.Listed:
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        return listed


def _unread(station: Station, bot: Bot) -> int:
    """As the list says; the company's total says the same."""
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        assert company_totals.unread_total(conn, bot.company_id) == listed.unread
    return listed.unread


def _read(station: Station, bot: Bot, up_to: int | None = None) -> int | None:
    with station.r.db.transaction(bot.company_id) as conn:
        [listed] = conversation_list.recent(conn, bot.company_id)
        return conversations.mark_read(conn, bot.company_id, listed.id, up_to)


def _deleted(target: str, at_s: float = 60) -> Any:
    return event("deleted", targets=(target,), external_id=f"d{target}", at_s=at_s)


LATER, EARLIER = message("at nine?", "m2", at_s=4), message("Does the shop open", "m1", at_s=1)


@pytest.mark.parametrize("together", [True, False])
def test_a_burst_in_the_wrong_order_is_shown_and_asked_in_the_right_one(
    station: Station, bot: Bot, together: bool
) -> None:
    for batch in [[LATER, EARLIER]] if together else [[LATER], [EARLIER]]:
        receive(station.inbox, bot, *batch)

    assert _shown(station, bot) == ["Does the shop open", "at nine?"]
    assert _listed(station, bot).last_message_preview == "at nine?"
    assert station.answer() is Result.ANSWERED
    assert station.model.questions() == ["Does the shop open\nat nine?"]


def test_messages_of_one_second_are_ordered_by_their_numbers(station: Station, bot: Bot) -> None:
    receive(
        station.inbox, bot, message("two", "12", at_s=1), message("three", "100", at_s=1), message("one", "9", at_s=1)
    )
    assert _shown(station, bot) == ["one", "two", "three"]


def test_what_was_answered_between_parts_two_bursts(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("Does the shop open at nine?", "m2", at_s=4))
    station.answer()
    receive(station.inbox, bot, message("Hello, a question:", "m1", at_s=1))

    said = _shown(station, bot)
    assert (said[0], said[2]) == ("Does the shop open at nine?", "Hello, a question:")


def test_a_late_older_message_moves_no_window_back(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, LATER)
    before = station.rows("SELECT last_customer_at, last_customer_message, last_message_id FROM conversations")
    receive(station.inbox, bot, EARLIER)
    assert station.rows("SELECT last_customer_at, last_customer_message, last_message_id FROM conversations") == before
    assert _unread(station, bot) == 2


def test_an_agent_s_words_stay_between(station: Station, bot: Bot) -> None:
    receive(
        station.inbox, bot, message("b", "m2", at_s=9), event("echo", "Ann here", external_id="e", at_s=5),
        message("a", "m1", at_s=1), message("c", "m3", at_s=10),
    )  # fmt: skip
    assert _shown(station, bot) == ["b", "Ann here", "a", "c"]


def test_pages_lose_nothing_and_repeat_nothing(station: Station, bot: Bot) -> None:
    for second in (5, 3, 4, 1, 2):
        receive(station.inbox, bot, message(f"word {second}", f"m{second}", at_s=second))
    seen: list[str | None] = []
    after = 0
    while page := _page(station, bot, after, 2):
        seen += [one.text for one in page]
        after = max(one.seq for one in page)
    assert sorted(map(str, seen)) == [f"word {n}" for n in range(1, 6)]


# ------------------------------------------------------------------ taken back


def test_what_is_taken_back_is_not_unread(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("a", "1", at_s=1))
    receive(station.inbox, bot, _deleted("1"))
    assert _unread(station, bot) == 0
    assert station.rows("SELECT customer_seq - read_seq FROM conversations") == [(0,)]

    receive(station.inbox, bot, _deleted("1"))
    receive(station.inbox, bot, message("b", "2", at_s=61))
    assert _unread(station, bot) == 1


def test_the_read_position_stays_exact(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, *(message(f"m{n}", str(n), at_s=n) for n in range(1, 6)))
    receive(station.inbox, bot, _deleted("3"))
    assert _unread(station, bot) == 4

    assert _read(station, bot, 1) == 3  # 2, 4 and 5
    assert _read(station, bot, 2) == 2
    receive(station.inbox, bot, _deleted("5"))
    assert _unread(station, bot) == 1
    receive(station.inbox, bot, message("m6", "6", at_s=70))
    assert _read(station, bot, 4) == 1
    assert station.rows("SELECT read_seq, read_beyond::text FROM conversations") == [(5, "{}")]
    assert _read(station, bot) == 0
    assert _unread(station, bot) == 0


def test_taking_back_what_was_read_changes_nothing(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("a", "1", at_s=1), message("b", "2", at_s=2))
    _read(station, bot, 1)
    receive(station.inbox, bot, _deleted("1"))
    assert _unread(station, bot) == 1


def test_a_deletion_before_its_message_leaves_nothing_unread(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, _deleted("1"))
    receive(station.inbox, bot, message("a", "1", at_s=1))
    receive(station.inbox, bot, message("b", "2", at_s=2))
    assert _unread(station, bot) == 1
    assert _read(station, bot) == 0


def test_taken_back_and_answered_by_a_person_counts_once(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("a", "1", at_s=1), message("b", "2", at_s=2), _deleted("2", 3))
    assert _unread(station, bot) == 1
    receive(station.inbox, bot, event("echo", "Ann here", external_id="e", at_s=5))
    assert _unread(station, bot) == 0
    assert station.rows("SELECT unread FROM company_totals") == [(0,)]


def test_cases_of_order_and_of_taking_back(database: Database, redis_url: str) -> None:
    station = Station(database, redis_url)
    try:
        number = accounts.connect(station.inbox, "whatsapp", "PNID", "15550001111")
        station.learn(number)
        accounts.receive(station.inbox, number, "whatsapp", accounts.case("34-wa-out-of-order"))
        assert _shown(station, number) == ["Do you deliver", "to Norway?"]
        station.answer()
        assert station.rows("SELECT count(*) FROM turns") == [(1,)]
        station.execute("DELETE FROM turns")
        station.execute("UPDATE conversations SET read_seq = customer_seq")
        station.execute("UPDATE company_totals SET unread = 0")

        accounts.receive(
            station.inbox, number, "whatsapp", accounts.case("18-wa-revoke-1"), accounts.case("18-wa-revoke-2")
        )
        [(unread,)] = station.rows("SELECT unread FROM company_totals")
        assert unread == 0
    finally:
        station.close()
