"""SIGKILL at every named point of the journey: no loss, no double; unknown outcomes only between send and record."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from shared import faults
from shared.money import Price
from shared.store.models import prices
from tests.e2e.checks import check_one_reply_a_turn, check_spending, check_unread
from tests.e2e.system import System, private_system, wait_until
from tests.factories import update

FLEET = ("gateway", "intake", "reply", "deliver")
SAFE = [
    ("intake", "intake.after_read"),
    ("intake", "intake.locked"),
    ("intake", "intake.before_commit"),
    ("intake", "intake.after_commit"),
    ("intake", "wakeup.requested"),
    ("reply", "reply.claimed"),
    ("reply", "spending.reserved"),
    ("reply", "reply.asking"),
    ("reply", "reply.quiet"),
    ("reply", "reply.before_commit"),
    ("reply", "reply.after_commit"),
    ("reply", "wakeup.requested"),
    ("deliver", "deliver.claimed"),
    ("deliver", "deliver.after_record"),
]
# From the moment a send is said to leave until its result is written down nobody can know.
UNKNOWABLE = [
    ("deliver", "deliver.before_write"),
    ("deliver", "deliver.after_write"),
    ("deliver", "deliver.before_record"),
]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    # Nothing here can wait for a lease or a deadline to end: whoever lives on notices who died.
    with private_system(LEASE_S=50.0, SEND_DEADLINE_S=10.0, RECORD_DEADLINE_S=50.0) as system:
        with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as owner:
            prices.set_prices(owner, [prices.Named("standin-1", "", Price(1_000_000, 2_000_000))])
        _start(system, *FLEET)
        yield system


def _start(system: System, *names: str) -> None:
    """Each dies where and when it is asked to."""
    system.start(*names, faults=faults.ON_REQUEST, marks=system.folder)


def _kill_at(system: System, process: str, point: str) -> int:
    """Send customers' questions through a system whose `process` dies at `point`, and begin it again; returns how
    many. To the sender only one: another thread of it may be between send and record when it dies."""
    customers = 1 if process == "deliver" else 2
    # otherwise whoever stood in for it could take the messages that it is to die of
    wait_until(lambda: not _standing_in(system, process), "whoever stood in is relieved", 20, system.log_tails)
    mark = faults.arm(system.folder / process, point)
    bot = system.new_bot()
    bodies = [update("How many days do I have to return shoes?", chat=chat) for chat in range(1, customers + 1)]
    system.post_all([(bot, body) for body in bodies])
    wait_until(mark.exists, f"{point} is reached", 20)
    assert system.wait_dead(process) == -9
    _start(system, process)
    return customers


def _standing_in(system: System, station: str) -> int:
    """How many do the station's work beside theirs, by what they tell."""
    told = system.all_logs()
    return told.count(f'"station": "{station}", "event": "stands_in"') - told.count(
        f'"station": "{station}", "event": "stood_in"'
    )


@pytest.mark.parametrize(("process", "point"), SAFE, ids=[f"{process}-{point}" for process, point in SAFE])
def test_a_kill_at_a_safe_point_loses_nothing_and_repeats_nothing(system: System, process: str, point: str) -> None:
    unknown_before = system.balance().outbound.get("unknown_outcome", 0)

    customers = _kill_at(system, process, point)

    found = system.wait_at_rest()
    assert found.outbound.get("unknown_outcome", 0) == unknown_before
    _check(system, customers)
    assert len(system.standin.messages(token=system.bots[-1].token)) == customers


@pytest.mark.parametrize(("process", "point"), UNKNOWABLE, ids=[point for _, point in UNKNOWABLE])
def test_a_part_killed_between_send_and_record_has_an_unknown_outcome_and_is_never_sent_again(
    system: System, process: str, point: str
) -> None:
    unknown_before = system.balance().outbound.get("unknown_outcome", 0)

    customers = _kill_at(system, process, point)

    found = system.wait_at_rest()
    assert found.outbound.get("unknown_outcome", 0) - unknown_before == 1
    _check(system, customers)
    arrived = len(system.standin.messages(token=system.bots[-1].token))
    assert arrived == (0 if point == "deliver.before_write" else 1)


def test_a_part_killed_before_its_second_request_is_never_sent_again(system: System) -> None:
    """Its process knew that the platform had not taken it, and nobody else does."""
    unknown_before = system.balance().outbound.get("unknown_outcome", 0)
    system.standin.fault("telegram", "status", status=429, retry_after=1)

    customers = _kill_at(system, "deliver", "deliver.before_retry")

    found = system.wait_at_rest()
    assert found.outbound.get("unknown_outcome", 0) - unknown_before == 1
    _check(system, customers)
    assert system.standin.messages(token=system.bots[-1].token) == []


@pytest.mark.parametrize("station", ["intake", "reply", "deliver"])
def test_while_a_station_is_gone_the_others_do_its_work(system: System, station: str) -> None:
    bot = system.new_bot()
    system.kill(station)

    system.post_until_accepted(bot, update("How many days do I have to return shoes?", chat=1))
    [answer] = system.standin.wait_messages(1, chat_id=1, token=bot.token, timeout_s=20)

    assert "30 days" in answer["text"]
    _start(system, station)
    relieved = f'"station": "{station}", "event": "stood_in"'
    wait_until(lambda: relieved in system.all_logs(), "whoever stood in is relieved", 20, system.log_tails)
    system.wait_at_rest()
    _check(system, 1)


def _check(system: System, customers: int) -> None:
    bot = system.bots[-1]
    stored = system.rows(
        "SELECT count(*), count(DISTINCT dedupe_key) FROM messages WHERE role = 'customer' AND channel_id = %s",
        bot.channel_id,
    )
    assert stored == [(customers, customers)]
    check_one_reply_a_turn(system)
    check_unread(system)
    check_spending(system)
