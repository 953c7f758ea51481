"""A Telegram group that becomes a supergroup stays one conversation, whichever half of the news comes first."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.factories import Bot, make_bot, update
from tests.integration.station import Station

OLD, NEW = -667701, -1006677010
GROUP = {"id": OLD, "type": "group", "title": "Book club"}
SUPERGROUP = {"id": NEW, "type": "supergroup", "title": "Book club"}


@pytest.fixture
def bot(station: Station) -> Bot:
    return make_bot(station.inbox.server.admin_url)


def in_chat(chat: dict[str, Any], text: str | None, **more: Any) -> dict[str, Any]:
    body = update(text, chat=5)
    body["message"].update(chat=chat, **more)
    return body


def said(text: str, chat: dict[str, Any]) -> dict[str, Any]:
    entity = {"type": "bot_command", "offset": 0, "length": 4}
    return in_chat(chat, f"/ask {text}", entities=[entity])


def went() -> dict[str, Any]:
    return in_chat(GROUP, None, migrate_to_chat_id=NEW)


def came() -> dict[str, Any]:
    anonymous = {"id": 1087968824, "is_bot": True, "first_name": "Group", "username": "GroupAnonymousBot"}
    news = {"from": anonymous, "sender_chat": SUPERGROUP, "migrate_from_chat_id": OLD}
    return in_chat(SUPERGROUP, None, **news)


def receive(station: Station, bot: Bot, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        station.inbox.journal(bot, body)
        station.inbox.drain_all()


NEWS = {"both halves": (went, came), "the old group's half": (went,), "the new group's half": (came,)}
ORDERS = {
    f"{', '.join(order)}; {name}": (order, halves)
    for order in itertools.permutations(("first", "second", "news"))
    for name, halves in NEWS.items()
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_group_is_one_conversation_and_its_questions_one_turn(station: Station, bot: Bot, name: str) -> None:
    order, halves = ORDERS[name]
    bodies = {
        "first": [said("do you deliver to Norway?", GROUP)],
        "second": [said("how long can I return shoes?", SUPERGROUP)],
        "news": [half() for half in halves],
    }

    for step in order:
        receive(station, bot, *bodies[step])

    assert station.rows(
        "SELECT chat, message_count, customer_seq, read_seq, bot_enabled FROM conversations"
    ) == [(str(NEW), 2, 2, 0, True)]  # fmt: skip
    assert [seq for (seq,) in station.rows("SELECT seq FROM messages ORDER BY seq")] == [1, 2]
    assert station.rows("SELECT first_seq, last_seq FROM turns WHERE state IN ('waiting', 'answering')") == [(1, 2)]
    assert station.rows("SELECT unread FROM company_totals") == [(2,)]


def test_the_same_news_again_changes_nothing(station: Station, bot: Bot) -> None:
    receive(station, bot, said("one?", GROUP), said("two?", SUPERGROUP), went())
    before = station.rows(
        "SELECT to_jsonb(c)::text FROM conversations c UNION ALL SELECT to_jsonb(t)::text FROM turns t"
    )

    receive(station, bot, came(), went(), went())

    after = station.rows(
        "SELECT to_jsonb(c)::text FROM conversations c UNION ALL SELECT to_jsonb(t)::text FROM turns t"
    )
    assert after == before
    assert station.rows("SELECT reason, count(*) FROM webhook_events WHERE outcome = 'dropped' GROUP BY 1") == [
        ("duplicate", 3)
    ]


def test_news_of_a_group_that_never_said_anything_leaves_no_conversation(station: Station, bot: Bot) -> None:
    receive(station, bot, came(), went())
    assert station.rows("SELECT 1 FROM conversations") == []


def test_answers_go_to_the_new_group_and_everything_moves(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station, bot, said("when do you open?", GROUP))
    station.answer()
    receive(station, bot, said("when do you open on Sunday?", SUPERGROUP))
    station.answer()
    parts = station.rows("SELECT count(*) FROM outbound")

    receive(station, bot, went())
    station.deliver_all()

    assert {chat for _, chat, _ in station.telegram.sent} == {str(NEW)}
    assert [seq for (seq,) in station.rows("SELECT seq FROM messages ORDER BY seq")] == [1, 2, 3, 4]
    [(conversation,)] = station.rows("SELECT id FROM conversations")
    for table in ("messages", "turns", "outbound"):
        assert {one for (one,) in station.rows(f"SELECT conversation_id FROM {table}")} == {conversation}
    assert station.rows("SELECT count(*) FROM outbound") == parts
    assert sorted(station.rows("SELECT first_seq, last_seq FROM turns")) == [(1, 1), (3, 3)]


def test_an_answer_in_the_making_is_cancelled_and_made_once(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station, bot, said("when do you open?", GROUP), said("when do you open on Sunday?", SUPERGROUP))
    station.model.meanwhile.append(lambda: receive(station, bot, went()))

    results = [station.answer() for _ in range(4)]
    station.deliver_all()

    answered = station.rows("SELECT count(*) FROM messages WHERE role = 'bot'")
    assert len(station.telegram.sent) == answered[0][0]
    assert station.rows("SELECT state FROM turns WHERE state IN ('waiting', 'answering')") == []
    assert station.rows("SELECT count(*) FROM receipts") == answered, results


def test_unread_and_who_answers_are_kept(station: Station, bot: Bot) -> None:
    receive(station, bot, said("one?", GROUP), said("two?", GROUP), said("three?", SUPERGROUP))
    taken = "UPDATE conversations SET read_seq = 1, bot_enabled = false, status = 'handed_over' WHERE chat = %s"
    station.execute(taken, str(OLD))
    station.execute("UPDATE company_totals SET unread = unread - 1")

    receive(station, bot, went())

    assert station.rows("SELECT customer_seq - read_seq, bot_enabled, status FROM conversations") == [
        (2, False, "handed_over")
    ]
    assert station.rows("SELECT unread FROM company_totals") == [(2,)]


def test_a_handover_in_the_new_group_is_one_of_both_and_ends_as_it_would(station: Station, bot: Bot) -> None:
    receive(station, bot, said("one?", GROUP), said("two?", SUPERGROUP))
    taken = "UPDATE conversations SET bot_enabled = false, status = 'handed_over', bot_off_reason = 'agent',"
    station.execute(taken + " bot_off_at = '2026-01-01' WHERE chat = %s", str(NEW))

    receive(station, bot, went())

    assert station.rows(
        "SELECT bot_enabled, status, bot_off_reason, bot_off_at IS NOT NULL FROM conversations"
    ) == [(False, "handed_over", "agent", True)]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "joined"),
    [
        (("paused", "stop"), ("handed_over", "agent"), ("handed_over", "agent", False)),
        (("handed_over", "wants_person"), ("paused", "stop"), ("handed_over", "wants_person", False)),
        (("open", None), ("paused", "stop"), ("paused", "stop", False)),
        (("closed", None), ("open", None), ("open", None, True)),
        (("open", None), ("closed", None), ("open", None, True)),
    ],
)
def test_why_the_bot_is_off_is_kept(
    station: Station, bot: Bot, old: tuple[str, str | None], new: tuple[str, str | None], joined: tuple[object, ...]
) -> None:
    receive(station, bot, said("first", GROUP), said("second", SUPERGROUP))
    for chat, (status, reason) in ((OLD, old), (NEW, new)):
        station.execute(
            "UPDATE conversations SET status = %s, bot_off_reason = %s, bot_enabled = %s, bot_off_at = %s"
            " WHERE chat = %s",
            status, reason, reason is None, None if reason is None else "2026-01-01T00:00:00Z", str(chat),
        )  # fmt: skip

    receive(station, bot, went())

    assert station.rows("SELECT status, bot_off_reason, bot_enabled FROM conversations") == [joined]


def test_reactions_move_along(station: Station, bot: Bot) -> None:
    receive(station, bot, said("one?", GROUP), said("two?", SUPERGROUP))
    [(message,)] = station.rows("SELECT external_id FROM messages WHERE text = 'one?'")
    reaction = {"chat": GROUP, "message_id": int(message), "user": {"id": 5, "first_name": "A"}, "date": 1_780_000_001,
                "new_reaction": [{"type": "emoji", "emoji": "👍"}]}  # fmt: skip
    receive(station, bot, {"update_id": 99_001, "message_reaction": reaction}, went())

    assert station.rows("SELECT chat, emoji FROM message_reactions") == [(str(NEW), "👍")]


def test_a_refused_send_that_tells_the_new_id_joins_both(station: Station, bot: Bot) -> None:
    station.learn(bot)
    receive(station, bot, said("when do you open?", GROUP), said("thanks, and on Sunday?", SUPERGROUP))
    station.answer()
    refusal = {"ok": False, "error_code": 400, "description": "Bad Request: group chat was upgraded",
               "parameters": {"migrate_to_chat_id": NEW}}  # fmt: skip
    station.telegram.script.append((400, refusal))

    station.deliver_all()

    assert station.rows("SELECT chat, message_count FROM conversations") == [(str(NEW), 3)]
    assert [chat for _, chat, _ in station.telegram.sent] == [str(NEW)]
