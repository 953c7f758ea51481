"""Whoever knows a conversation by the id that it had before it became part of another finds it under both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.embedded import Database
from shared.store.inbox import conversations, merging
from tests.factories import Bot, Inbox, make_bot
from tests.integration.command_line import Run
from tests.integration.gateway_client import running_gateway
from tests.integration.test_inbox import Agent, agent_of
from tests.integration.test_moved_chats import GROUP, SUPERGROUP, said, went


@pytest.fixture
def inbox(database: Database, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    monkeypatch.setenv("REDIS_URL", redis_url)
    inbox = Inbox(database, redis_url)
    yield inbox
    inbox.close()


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


@pytest.fixture
def agent(inbox: Inbox, bot: Bot) -> Iterator[Agent]:
    with running_gateway(inbox.settings) as running:
        yield agent_of(inbox, running, bot)


def receive(inbox: Inbox, bot: Bot, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        inbox.journal(bot, body)
        inbox.drain_all()


def _two(inbox: Inbox, bot: Bot) -> tuple[int, int]:
    receive(inbox, bot, said("one?", GROUP), said("two?", SUPERGROUP))
    with inbox.db.transaction(bot.company_id) as conn:
        first, second = (int(str(id_)) for (id_,) in conn.execute("SELECT id FROM conversations ORDER BY id"))
    return first, second


def test_the_old_id_works_everywhere(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    first, second = _two(inbox, bot)
    receive(inbox, bot, went())

    for conversation in (first, second):
        place = f"/api/v1/conversations/{conversation}"
        page = agent.get(f"{place}/messages").json()
        assert (page["conversation"], [one["text"] for one in page["messages"]][:2]) == (first, ["one?", "two?"])
        assert agent.post(f"{place}/read").json() == {"unread": 0}
        assert agent.post(f"{place}/take-over").json() == {"bot_enabled": False}
        assert agent.post(f"{place}/hand-back").json() == {"bot_enabled": True}
        assert agent.post(f"{place}/close").json() == {"bot_enabled": True}
        assert agent.get(f"{place}/filter").json() == {"filter": None}
        assert agent.write(conversation, f"to {conversation}").json()["conversation"] == first
    assert [one["id"] for one in agent.listed()["conversations"]] == [first]
    assert agent.get(f"/api/v1/conversations/{second + 1}/messages").status_code == 404


@pytest.mark.parametrize("retried_at", ["the same id", "the new id"])
def test_a_keyed_message_is_written_once_though_its_conversation_was_merged_between(
    inbox: Inbox, bot: Bot, agent: Agent, retried_at: str
) -> None:
    first, second = _two(inbox, bot)
    written = agent.write(second, "Ann here.", **{"idempotency-key": "k1"}).json()
    receive(inbox, bot, went())

    place = second if retried_at == "the same id" else first
    again = agent.write(place, "Ann here.", **{"idempotency-key": "k1"}).json()

    assert again == {"message_id": written["message_id"], "repeated": True, "conversation": first}
    other = agent.write(place, "Other words.", **{"idempotency-key": "k1"})
    if retried_at == "the same id":
        assert other.status_code == 422
    else:  # a key is a conversation's own
        assert other.json()["repeated"] is False


def test_a_conversation_that_is_merged_twice_is_found(inbox: Inbox, bot: Bot, agent: Agent) -> None:
    first, second = _two(inbox, bot)
    receive(inbox, bot, went())
    with inbox.db.transaction(bot.company_id) as conn:
        conn.execute("UPDATE conversations SET chat = 'c' WHERE id = %s", (first,))
        [(third,)] = conn.execute(
            "INSERT INTO conversations (company_id, channel_id, chat) VALUES (%s, %s, 'd') RETURNING id",
            (bot.company_id, bot.channel_id),
        ).fetchall()
        one, two = (conversations.lock(conn, bot.company_id, int(str(id_))) for id_ in (third, first))
        assert one is not None
        assert two is not None
        merging.merge(conn, one, two)
    assert agent.get(f"/api/v1/conversations/{second}/messages").json()["conversation"] == third


def test_commands_take_the_old_id_too(inbox: Inbox, bot: Bot, run: Run) -> None:
    _, second = _two(inbox, bot)
    receive(inbox, bot, went())
    [(slug,)] = inbox.rows("SELECT slug FROM companies WHERE id = %s", bot.company_id)
    place = f"{slug}/{second}"
    assert run("conversations", "show", place, "--json").json["message_count"] == 2
    assert run("conversations", "mark-read", place, "--json").json["unread"] == 0
    assert run("conversations", "take-over", place, "--json").json["bot_enabled"] is False
    assert run("conversations", "hand-back", place, "--json").json["bot_enabled"] is True
    assert run("conversations", "close", place, "--json").code == 0
