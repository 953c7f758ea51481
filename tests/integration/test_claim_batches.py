"""Claims in batches: companies take turns, one piece that cannot be taken holds up nobody, stopping gives back."""

from __future__ import annotations

from collections import Counter

import pytest

from tasks.answers import reply
from tasks.answers.reply import Result
from tasks.delivery import deliver
from tasks.dispatch import ClaimCapacity
from tests.factories import Bot, make_bot
from tests.integration.station import Station


@pytest.fixture
def bots(station: Station) -> list[Bot]:
    """A company each; all of them know when the shop opens."""
    bots = [make_bot(station.inbox.server.admin_url) for _ in range(3)]
    for bot in bots:
        station.learn(bot)
    return bots


def _ask(station: Station, bot: Bot, customers: int) -> None:
    for chat in range(customers):
        station.receive(bot, "When does the shop open?", chat=100 + chat)
    station.time_passes()


def test_a_noisy_company_gets_no_more_of_a_batch_than_a_quiet_one(station: Station, bots: list[Bot]) -> None:
    noisy, *quiet = bots
    _ask(station, noisy, 20)
    for bot in quiet:
        _ask(station, bot, 2)

    batch = reply.take_due(station.r, station.leases, 0, ClaimCapacity(6))

    assert Counter(taken.lease.claim.company_id for taken in batch.pieces) == {bot.company_id: 2 for bot in bots}
    assert batch.more
    assert batch.company == bots[-1].company_id
    again = reply.take_due(station.r, station.leases, batch.company, ClaimCapacity(30))
    assert {taken.lease.claim.company_id for taken in again.pieces} == {noisy.company_id}
    assert (len(again.pieces), again.more) == (18, False)


def test_a_batch_goes_on_behind_the_company_that_was_served_last(station: Station, bots: list[Bot]) -> None:
    for bot in bots:
        _ask(station, bot, 2)

    batch = reply.take_due(station.r, station.leases, bots[0].company_id, ClaimCapacity(4))

    ids = [bot.company_id for bot in bots]
    assert [taken.lease.claim.company_id for taken in batch.pieces] == [ids[1], ids[2], ids[0], ids[1]]


def test_no_company_is_claimed_beyond_its_share_with_what_is_under_way(station: Station, bots: list[Bot]) -> None:
    for bot in bots:
        _ask(station, bot, 4)
    first, second, third = (bot.company_id for bot in bots)

    batch = reply.take_due(
        station.r, station.leases, first, ClaimCapacity(20, held=[second, second, third], company_max=2)
    )

    assert Counter(batch.companies) == {first: 2, third: 1}
    assert not batch.more
    rest = reply.take_due(station.r, station.leases, 0, ClaimCapacity(20, held=[first, second, third], company_max=1))
    assert (rest.companies, rest.company) == ([], 0)
    assert Counter(reply.take_due(station.r, station.leases, 0, ClaimCapacity(20)).companies) == {
        first: 2,
        second: 4,
        third: 3,
    }


def test_no_company_sends_beyond_its_share(station: Station, bots: list[Bot]) -> None:
    for bot in bots:
        for chat in range(3):
            station.queue(bot, "Hello", chat=chat)
    first, second, third = (bot.company_id for bot in bots)

    batch = deliver.take_due(station.r, 0, ClaimCapacity(20, held=[first, first], company_max=2))

    assert Counter(batch.companies) == {second: 2, third: 2}
    assert not batch.more


def test_no_platform_is_claimed_beyond_its_share_and_what_is_behind_it_on_others_comes_first(
    station: Station, bots: list[Bot]
) -> None:
    for bot in bots:
        for chat in range(3):
            station.queue(bot, "Hello", chat=chat)
    first, second, third = bots
    station.execute("UPDATE channels SET platform = 'slack' WHERE id = %s", third.channel_id)

    batch = deliver.take_due(station.r, 0, ClaimCapacity(20, lanes=["telegram"], lane_max=3))

    assert Counter(batch.lanes) == {"telegram": 2, "slack": 3}
    assert Counter(batch.companies) == {first.company_id: 1, second.company_id: 1, third.company_id: 3}
    assert not batch.more
    shut = deliver.take_due(station.r, 0, ClaimCapacity(20, lanes=["telegram"] * 3, lane_max=3))
    assert (shut.lanes, shut.company) == ([], 0)
    rest = deliver.take_due(station.r, 0, ClaimCapacity(20))
    assert Counter(rest.lanes) == {"telegram": 4}


def test_each_company_s_own_webhook_has_a_share_of_its_own(station: Station, bots: list[Bot]) -> None:
    station.execute("UPDATE channels SET platform = 'standard'")
    for bot in bots:
        for chat in range(3):
            station.queue(bot, "Hello", chat=chat)
    hanging, *others = (f"standard:{bot.channel_id}" for bot in bots)

    batch = deliver.take_due(station.r, 0, ClaimCapacity(20, lanes=[hanging] * 2, lane_max=2))

    assert Counter(batch.lanes) == dict.fromkeys(others, 2)


def test_within_a_company_that_has_its_share_nothing_is_claimed_beside_a_platform_that_has(
    station: Station, bots: list[Bot]
) -> None:
    for bot in bots:
        for chat in range(3):
            station.queue(bot, "Hello", chat=chat)
    first, second, third = (bot.company_id for bot in bots)
    station.execute("UPDATE channels SET platform = 'slack' WHERE id = %s", bots[0].channel_id)

    batch = deliver.take_due(
        station.r, first, ClaimCapacity(20, held=[second] * 2, company_max=2, lanes=["slack"] * 2, lane_max=2)
    )

    assert Counter(batch.companies) == {third: 2}


def test_a_conversation_is_in_a_batch_once_and_its_parts_go_out_in_order(station: Station, bots: list[Bot]) -> None:
    for chat in (5, 6):
        station.queue(bots[0], "first", "second", chat=chat)

    batch = deliver.take_due(station.r, 0, ClaimCapacity(10))

    assert (len(batch.pieces), batch.more) == (2, False)
    done = [deliver.deliver(station.r, taken) for taken in batch.pieces]
    assert station.telegram.texts == ["first", "first"]
    assert [one.again_in_s for one in done] == [0.0, 0.0]


def test_turns_of_a_batch_are_answered_each_from_its_own_conversation(station: Station, bots: list[Bot]) -> None:
    for number, bot in enumerate(bots):
        station.receive(bot, f"When does shop {number} open?", chat=5)
    batch = reply.take_due(station.r, station.leases, 0, ClaimCapacity(10))

    assert [reply.answer(station.r, station.leases, taken) for taken in batch.pieces] == [Result.ANSWERED] * 3

    assert sorted(station.model.questions()) == [f"When does shop {number} open?" for number in range(3)]
    answered = station.rows("SELECT company_id, count(*) FROM messages WHERE role = 'bot' GROUP BY 1 ORDER BY 1")
    assert answered == [(bot.company_id, 1) for bot in bots]


def test_a_turn_that_cannot_be_loaded_holds_up_no_other(station: Station, bots: list[Bot]) -> None:
    _ask(station, bots[0], 3)
    _ask(station, bots[1], 1)
    broken = station.execute(
        "UPDATE turns SET first_seq = 1000 WHERE id = (SELECT min(id) FROM turns)"  # a row as no code of ours writes it
    )
    assert broken == 1

    ends: Counter[Result] = Counter()
    company, more = 0, True
    while more:
        batch = reply.take_due(station.r, station.leases, company, ClaimCapacity(8))
        ends.update(reply.answer(station.r, station.leases, taken) for taken in batch.pieces)
        company, more = batch.company, batch.more

    assert set(ends) == {Result.ANSWERED, Result.RETRY}
    assert ends[Result.ANSWERED] == 3
    assert station.rows("SELECT state, error IS NOT NULL FROM turns WHERE id = (SELECT min(id) FROM turns)") == [
        ("answering", True)
    ]


def test_a_part_that_cannot_be_begun_holds_up_no_other(station: Station, bots: list[Bot]) -> None:
    for bot in bots:
        station.queue(bot, "hello")
    station.execute("UPDATE channels SET platform = 'fax' WHERE id = %s", bots[0].channel_id)

    failed = 0
    company, more = 0, True
    while more:
        batch = deliver.take_due(station.r, company, ClaimCapacity(8))
        for taken in batch.pieces:
            try:
                deliver.deliver(station.r, taken)
            except KeyError:
                failed += 1
        company, more = batch.company, batch.more

    assert failed == 1
    assert station.telegram.texts == ["hello", "hello"]
    states = station.rows("SELECT company_id, state, attempts FROM outbound ORDER BY 1")
    assert states == [(bots[0].company_id, "queued", 0), *((bot.company_id, "sent", 1) for bot in bots[1:])]


def test_what_was_claimed_and_not_begun_is_given_back_when_the_process_stops(station: Station, bots: list[Bot]) -> None:
    _ask(station, bots[0], 3)
    batch = reply.take_due(station.r, station.leases, 0, ClaimCapacity(8))
    station.leases.cancel()

    ends = [reply.answer(station.r, station.leases, taken) for taken in batch.pieces]

    assert ends == [Result.CANCELLED] * 3
    assert station.model.asked == []
    assert station.rows("SELECT DISTINCT state, attempts, due_at <= now() FROM turns") == [("answering", 0, True)]
    # another process takes them at once
    assert len(reply.take_due(station.r, station.new_leases(), 0, ClaimCapacity(8)).pieces) == 3


def test_the_leases_of_a_batch_are_kept_alive_before_each_is_worked_on(station: Station, bots: list[Bot]) -> None:
    _ask(station, bots[0], 3)
    batch = reply.take_due(station.r, station.leases, 0, ClaimCapacity(8))
    station.execute("UPDATE turns SET due_at = now() + interval '1 second'")

    station.leases.renew()

    [(soonest,)] = station.rows("SELECT min(due_at) > now() + interval '5 seconds' FROM turns")
    assert soonest
    assert len(batch.pieces) == 3
