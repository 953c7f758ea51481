"""The private copy's checks as assertions."""

from __future__ import annotations

from typing import Any

from tests.e2e.system import System
from tests.factories import Bot
from workers.sandbox import checks


def check_one_reply_a_turn(system: System) -> None:
    assert checks.replies(system) == []


def check_unread(system: System) -> None:
    assert checks.counters(system) == []


def check_all(system: System, accepted: list[tuple[Bot, dict[str, Any]]]) -> None:
    assert checks.stored_once(system, accepted) == []
    check_one_reply_a_turn(system)
    check_unread(system)
