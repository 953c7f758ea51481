"""The private copy's checks as assertions."""

from __future__ import annotations

from typing import Any

import psycopg

from shared.store.models import budget_check
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


def check_spending(system: System) -> None:
    """The sums are the ledger's, also once what a dead process reserved has expired: a process that dies between
    reserving and noting that it did leaves it to its end."""
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as owner:
        for when in ("at rest", "once all has expired"):
            for bot in system.bots:
                while budget_check.charge_expired(owner, bot.company_id):
                    pass
                assert budget_check.drifted(owner, bot.company_id) == [], when
            owner.execute("UPDATE budget_reservations SET expires_at = now() WHERE charged_at IS NULL")
    assert system.rows("SELECT count(*) FROM budget_reservations WHERE charged_at IS NULL") == [(0,)]
