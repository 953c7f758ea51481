"""Flower beside the rows: two hundred messages of every outcome, the broker killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.embedded.ports import choose_port
from tests.e2e.system import System, private_system, wait_until
from tests.factories import Bot, update

PASSWORD = "flower-password"
MESSAGES = 200
WITHIN_S = 60.0
SAYINGS = (
    "How many days do I have to return shoes?",
    "Hello!",
    "ok",
    "I want to talk to a human",
    "Which moons does Jupiter have?",
    "/start",
    "Do you deliver to Norway?",
    "Thanks, bye!",
)
BLOCKED, LIMITED, LOST = range(1, MESSAGES, 20), range(6, MESSAGES, 16), range(4, MESSAGES, 40)
"""Chats whose customer has blocked the bot, whose first send is refused for now, and whose send's answer is lost."""


@pytest.fixture
def system() -> Iterator[System]:
    with private_system(FLOWER_PORT=choose_port(None), FLOWER_PASSWORD=PASSWORD, SEND_DEADLINE_S=2) as system:
        system.standin.limits(enforced=False)
        system.start("gateway", "intake", "reply", "deliver", "flower")
        yield system


@pytest.fixture
def flower(system: System) -> Iterator[httpx.Client]:
    base_url = f"http://127.0.0.1:{system.config.operations.flower_port}"
    with httpx.Client(base_url=base_url, auth=("admin", PASSWORD), trust_env=False, timeout=20) as client:
        yield client


def _faults(system: System) -> None:
    for chat in BLOCKED:
        system.standin.chat_state(1000 + chat, "blocked")
    for chat in LIMITED:
        system.standin.fault("telegram", "status", status=429, retry_after=3, chat_id=str(1000 + chat))
    for chat in LOST:
        system.standin.fault("telegram", "timeout_after_effect", chat_id=str(1000 + chat))


def test_every_message_is_found_in_flower_with_its_outcome(system: System, flower: httpx.Client) -> None:
    bot = system.new_bot()
    _faults(system)
    work = [(bot, update(SAYINGS[number % len(SAYINGS)], chat=1000 + number)) for number in range(MESSAGES)]

    system.post_all(work[: MESSAGES // 2])
    system.valkey.kill()
    system.valkey.restart()
    system.post_all(work[MESSAGES // 2 :])
    system.wait_at_rest(WITHIN_S)

    turns, parts = _turns(system, bot), _parts(system, bot)
    shown: dict[str, Any] = {}

    def all_shown() -> bool:
        shown.update(flower.get("/api/tasks").json())
        return all(shown.get(key, {}).get("state") == state for key, (state, _) in (turns | parts).items())

    wait_until(all_shown, "Flower shows every outcome", WITHIN_S, lambda: str(_missing(turns | parts, shown)))
    assert {key: _told(shown[key]) for key in turns | parts} == turns | parts
    # the sample is what it should be: each ending of a turn and of a send is in it
    assert {code.partition(":")[0] for _, code in turns.values()} >= {"full", "courtesy", "silence", "handover"}
    assert {code.partition(":")[0] for _, code in parts.values()} == {"sent", "failed", "unknown_outcome"}
    retried = [shown[key] for key in parts if shown[key]["retried"]]
    assert len(retried) >= len(LIMITED)
    tasks = {key for key, task in shown.items() if task["name"] in ("answers.answer_due", "delivery.send_due")}
    led_to = [task["parent_id"] for key, task in shown.items() if key in turns or key in parts]
    assert sum(parent in tasks for parent in led_to) > len(led_to) / 2  # the others were swept, without a wake-up


def _turns(system: System, bot: Bot) -> dict[str, tuple[str, str]]:
    """What Flower should show of each turn."""
    rows = system.rows(
        "SELECT turn_id, step, reason FROM receipts WHERE company_id = %s AND turn_id IS NOT NULL", bot.company_id
    )
    return {
        f"turn-{bot.company_id}-{turn}": ("SUCCESS", f"{step}:{reason}" if reason else step)
        for turn, step, reason in rows
    }


def _parts(system: System, bot: Bot) -> dict[str, tuple[str, str]]:
    """What Flower should show of each part."""
    states = {"sent": "SUCCESS", "failed": "FAILURE", "unknown_outcome": "FAILURE"}
    codes = {"sent": "sent", "failed": "failed:{}", "unknown_outcome": "unknown_outcome:{}"}
    rows = system.rows("SELECT id, state, meaning FROM outbound WHERE company_id = %s", bot.company_id)
    return {
        f"part-{bot.company_id}-{part}": (states[state], codes[state].format(meaning)) for part, state, meaning in rows
    }


def _told(task: dict[str, Any]) -> tuple[str, str]:
    return task["state"], task["result"] if task["state"] == "SUCCESS" else task["exception"]


def _missing(wanted: dict[str, tuple[str, str]], shown: dict[str, Any]) -> dict[str, Any]:
    return {
        key: (told, _told(shown[key]) if key in shown else None)
        for key, told in wanted.items()
        if key not in shown or _told(shown[key]) != told
    }
