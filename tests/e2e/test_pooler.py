"""The whole journey through a real PgBouncer in transaction mode, over TLS, killed in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.checks import check_all
from tests.e2e.system import System, private_system
from tests.factories import update
from tests.pooler import Pooler, running_pooler
from workers.doctor.context import DoctorContext
from workers.doctor.database import room

FLEET = ("gateway", "intake", "reply", "deliver")
MESSAGES = 50
QUESTIONS = (
    "How many days do I have to return shoes?",
    "Do you deliver to Norway?",
    "When are your shops open?",
    "What does the warranty cover?",
)


@pytest.fixture
def pooled() -> Iterator[tuple[System, Pooler]]:
    poolers: list[Pooler] = []

    @contextmanager
    def between(url: str) -> Iterator[str]:
        with running_pooler(url) as pooler:
            poolers.append(pooler)
            yield pooler.url

    with private_system(database_between=between, DATABASE_POOL_MAX=20) as system:
        system.standin.limits(enforced=False)
        yield system, poolers[0]


def test_fifty_messages_through_a_pooler_that_is_killed(pooled: tuple[System, Pooler]) -> None:
    system, pooler = pooled
    system.start(*FLEET)
    bots = [system.new_bot() for _ in range(2)]
    work = [(bots[n % 2], update(QUESTIONS[n % len(QUESTIONS)], chat=100 + n)) for n in range(MESSAGES)]

    system.post_all(work[: MESSAGES // 2])
    system.standin.wait_messages(1, timeout_s=30, token=bots[0].token)
    pooler.kill()
    system.post_all(work[MESSAGES // 2 :])  # the journal takes them without a database
    pooler.start()

    system.wait_at_rest()
    check_all(system, work)
    # what the fleet prepared and set in a session would be another client's now
    assert "prepared statement" not in system.all_logs()
    [told] = room(DoctorContext(system.config))
    assert (told.level, "pooler" in told.found) == ("ok", True)
