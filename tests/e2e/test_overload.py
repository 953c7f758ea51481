"""More comes than can be answered: the noisy company's customers get passages, and full answers when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.system import System, private_system, wait_until
from tests.factories import Bot, update

FLEET = ("gateway", "intake", "reply", "deliver")
QUESTION = "How many days do I have to return shoes?"
CUSTOMERS = 60
WITHIN_S = 60.0


@pytest.fixture
def system() -> Iterator[System]:
    """Two slots for answers of a second: sixty customers wait half a minute, and the third of them is too long."""
    bounds: dict[str, Any] = {"CHEAPER_S": 6.0, "PASSAGES_S": 8.0, "HANDOVER_S": 300.0, "RECOVERY_S": 1.0}
    with private_system(REPLY_THREADS=2, **{f"OVERLOAD_{name}": value for name, value in bounds.items()}) as system:
        system.standin.limits(enforced=False)
        system.standin.set_latency(first_byte_s=1.0)
        system.start(*FLEET)
        yield system


def _steps(system: System, bot: Bot) -> dict[str, int]:
    rows = system.rows(
        "SELECT step || ' ' || reason, count(*) FROM receipts WHERE company_id = %s GROUP BY 1", bot.company_id
    )
    return {str(step): int(count) for step, count in rows}


def _level(system: System, bot: Bot) -> int:
    [(state,)] = system.rows("SELECT companies->%s FROM overload", str(bot.company_id))
    return int(state[0]) if state else 0


def test_an_overload_leads_to_passages_for_whoever_brings_it_and_climbs_back(system: System) -> None:
    noisy, quiet = system.new_bot(), system.new_bot()
    system.post_all([(noisy, update(QUESTION, chat=chat)) for chat in range(1, CUSTOMERS + 1)])
    wait_until(lambda: _level(system, noisy) == 2, "the noisy company's answers are passages", WITHIN_S)

    system.post_until_accepted(quiet, update(QUESTION, chat=900))
    system.standin.wait_messages(1, chat_id=900, token=quiet.token, timeout_s=WITHIN_S)
    system.wait_at_rest(WITHIN_S)

    assert _steps(system, quiet) == {"full model": 1}
    steps = _steps(system, noisy)
    assert sum(steps.values()) == CUSTOMERS
    assert steps["passages overload"] > CUSTOMERS / 2

    wait_until(lambda: _level(system, noisy) == 0, "it climbs back by itself", WITHIN_S)
    before = steps["full model"]

    def full_again() -> bool:
        chat = 1000 + sum(_steps(system, noisy).values())
        system.post_until_accepted(noisy, update(QUESTION, chat=chat))
        system.standin.wait_messages(1, chat_id=chat, token=noisy.token, timeout_s=WITHIN_S)
        return _steps(system, noisy)["full model"] > before

    wait_until(full_again, "the answers are full again", WITHIN_S)
