"""Redis full, and a fleet that stops, under load; test_drill.py has the other outages."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.store.db.redis import connect
from tests.e2e.checks import check_all
from tests.e2e.system import System, private_system, wait_until
from tests.factories import Bot, update

FLEET = ("gateway", "intake", "reply", "deliver")
CHATS = 25
MESSAGES_A_CHAT = 4
QUESTIONS = (
    "How many days do I have to return shoes?",
    "Do you deliver to Norway?",
    "When are your shops open?",
    "What does the warranty cover?",
)


@pytest.fixture
def system() -> Iterator[System]:
    with private_system(valkey_options={"maxmemory_bytes": 64 * 1024 * 1024}) as system:
        system.standin.limits(enforced=False)
        system.start(*FLEET)
        yield system


def _work(system: System) -> list[tuple[Bot, dict[str, Any]]]:
    bots = [system.new_bot() for _ in range(3)]
    return [
        (bots[chat % 3], update(QUESTIONS[number % 4], chat=100 + chat))
        for number in range(MESSAGES_A_CHAT)
        for chat in range(CHATS)
    ]


def _under_load(system: System, fault: Callable[[], None]) -> list[tuple[Bot, dict[str, Any]]]:
    """Post the work as platforms do, with the fault in the middle; returns what was accepted (all of it)."""
    work = _work(system)
    half = len(work) // 2
    system.post_all(work[:half])
    posting = threading.Thread(target=system.post_all, args=(work[half:],))
    posting.start()
    fault()
    posting.join(timeout=90)
    assert not posting.is_alive(), "not everything was accepted in time"
    return work


def test_redis_at_maxmemory_under_load(system: System) -> None:
    """It takes no writes: webhooks get 503 and are sent again; what was accepted is answered meanwhile."""
    client = connect(system.valkey.redis_url)
    bot = system.new_bot()
    before = update(QUESTIONS[0], chat=1)
    seen: list[int] = []

    def fault() -> None:
        used = int(client.info("memory")["used_memory"])
        system.post_until_accepted(bot, before)
        client.config_set("maxmemory", str(max(1, used // 2)))
        wait_until(lambda: _refused(system, bot, seen), "a webhook is refused", 20)
        # what was accepted before must be answered while Redis takes no writes
        system.standin.wait_messages(1, chat_id=1, timeout_s=30, token=bot.token)
        client.config_set("maxmemory", str(64 * 1024 * 1024))

    accepted = _under_load(system, fault)

    system.wait_at_rest()
    assert 503 in seen
    extra = system.rows("SELECT count(*) FROM messages WHERE channel_id = %s AND role = 'customer'", bot.channel_id)
    assert extra[0][0] >= 1
    check_all(system, [*accepted, (bot, before), *_stored_probes(system, bot, before)])


def _refused(system: System, bot: Bot, seen: list[int]) -> bool:
    seen.append(system.post(bot, update("Is anybody there?", chat=2)))
    return seen[-1] == 503


def _stored_probes(system: System, bot: Bot, before: dict[str, Any]) -> list[tuple[Bot, dict[str, Any]]]:
    """Probes that were accepted before Redis was full; they count like everybody's messages."""
    keys = system.rows(
        "SELECT external_id FROM messages WHERE channel_id = %s AND role = 'customer' AND text = 'Is anybody there?'",
        bot.channel_id,
    )
    return [(bot, {"message": {"chat": {"id": 2}, "message_id": key}}) for (key,) in keys]


def test_sigterm_under_load_leaves_in_time_and_loses_nothing(system: System) -> None:
    """Generations are slow, so that some are under way: they are cancelled and their leases returned."""
    system.standin.set_latency(first_byte_s=1.5)
    work = _work(system)
    system.post_all(work)
    system.standin.wait_attempts(1, 20, target="openai", outcome="open")

    seconds = system.terminate(*FLEET)

    assert seconds < 20
    leased = system.rows("SELECT count(*) FROM turns WHERE state = 'answering' AND due_at > clock_timestamp()")
    assert leased == [(0,)]
    assert system.balance().closes
    system.standin.set_latency()
    system.start(*FLEET)
    system.wait_at_rest()
    check_all(system, work)
