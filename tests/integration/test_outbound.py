"""Parts in the store: which one is next, and what each record of a send makes of it."""

from __future__ import annotations

import psycopg
import pytest

from shared.model import SendOutcome
from shared.store.delivery import outbound, send_results
from shared.store.delivery.outbound import Claim
from tests.factories import Bot
from tests.integration.claims import begin_send, claim_part
from tests.integration.station import Station


def _claim(station: Station, unblock_s: float = 60) -> Claim | None:
    with station.r.db.transaction() as conn:
        return claim_part(conn, unblock_s=unblock_s)


def _begin(station: Station) -> tuple[Claim, int]:
    claim = _claim(station)
    assert claim is not None
    with station.r.db.transaction(claim.company_id) as conn:
        attempt = begin_send(conn, claim)
    assert attempt is not None
    return claim, attempt


def _record(station: Station, claim: Claim, attempt: int, outcome: SendOutcome, delay_s: float = 0) -> bool:
    with station.r.db.transaction(claim.company_id) as conn:
        return send_results.record(conn, claim, attempt, outcome, delay_s=delay_s, duration_ms=5) is not None


@pytest.mark.parametrize(
    ("outcome", "state", "finished"),
    [
        (SendOutcome("sent", "sent", platform_message_id="9"), "sent", True),
        (SendOutcome("failed", "blocked"), "failed", True),
        (SendOutcome("retry", "platform_error"), "queued", False),
        (SendOutcome("reauth", "bad_token"), "queued", False),
        (SendOutcome("unknown_outcome", "timeout"), "unknown_outcome", False),
    ],
    ids=lambda value: value.status if isinstance(value, SendOutcome) else "",
)
def test_each_outcome_puts_the_part_where_it_belongs_and_ends_the_attempt(
    station: Station, bot: Bot, outcome: SendOutcome, state: str, finished: bool
) -> None:
    station.queue(bot, "one")
    claim, attempt = _begin(station)

    assert _record(station, claim, attempt, outcome, delay_s=40)

    assert station.rows("SELECT state, meaning, finished_at IS NOT NULL FROM outbound") == [
        (state, outcome.meaning, finished)
    ]
    assert station.rows("SELECT attempt, status, meaning, duration_ms FROM delivery_attempts") == [
        (1, outcome.status, outcome.meaning, 5)
    ]
    assert _claim(station) is None


def test_a_record_counts_once(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    claim, attempt = _begin(station)

    assert _record(station, claim, attempt, SendOutcome("sent", "sent"))
    assert not _record(station, claim, attempt, SendOutcome("retry", "platform_error"))

    assert station.rows("SELECT state FROM outbound") == [("sent",)]


def test_a_send_begins_once_for_one_claim(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    claim, _ = _begin(station)

    with station.r.db.transaction(claim.company_id) as conn:
        assert begin_send(conn, claim) is None


def test_whoever_lost_the_lease_may_not_begin(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    slow = _claim(station)
    assert slow is not None
    station.time_passes()
    quick = _claim(station)
    assert quick is not None

    with station.r.db.transaction(bot.company_id) as conn:
        assert outbound.load(conn, [slow]) == {}
        assert begin_send(conn, slow) is None
        assert not outbound.postpone(conn, slow, delay_s=1, meaning="x")
        assert not outbound.give_up(conn, slow, meaning="x")
        assert begin_send(conn, quick) == 1


@pytest.mark.parametrize("before", ["queued", "sending", "unknown_outcome"])
def test_a_later_part_waits_for_an_earlier_one_that_is_open(station: Station, bot: Bot, before: str) -> None:
    station.queue(bot, "one", "two")
    station.execute(
        "UPDATE outbound SET state = %s, due_at = now() + interval '1 minute', unknown_since = now() WHERE part = 1",
        before,
    )

    assert _claim(station) is None


@pytest.mark.parametrize("before", ["sent", "failed", "cancelled"])
def test_a_later_part_follows_an_earlier_one_that_has_ended(station: Station, bot: Bot, before: str) -> None:
    station.queue(bot, "one", "two")
    station.execute("UPDATE outbound SET state = %s WHERE part = 1", before)

    assert _claim(station) is not None


def test_a_part_of_unknown_outcome_unblocks_only_after_its_bound(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.execute(
        "UPDATE outbound SET state = 'unknown_outcome', unknown_since = now() - interval '5 s' WHERE part = 1"
    )

    assert _claim(station, unblock_s=10) is None
    assert _claim(station, unblock_s=4) is not None


def test_only_sends_past_their_record_deadline_get_an_unknown_outcome(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", chat=1)
    station.queue(bot, "two", chat=2)
    late, _ = _begin(station)
    _begin(station)
    station.execute("UPDATE outbound SET due_at = now() - interval '1 s' WHERE id = %s", late.outbound_id)

    with station.r.db.transaction() as conn:
        assert send_results.expire_sending(conn) == [(bot.company_id, late.outbound_id)]
        assert send_results.expire_sending(conn) == []

    with psycopg.connect(station.inbox.server.admin_url) as owner:
        assert [row.id for row in send_results.list_unknown_outcomes(owner)] == [late.outbound_id]


def test_one_turn_cannot_have_two_replies(station: Station, bot: Bot) -> None:
    conversation = station.queue(bot, "one")
    with station.r.db.transaction(bot.company_id) as conn:
        outbound.add_parts(conn, bot.company_id, conversation, bot.channel_id, 7, 100, ["a", "b"])

    with pytest.raises(psycopg.errors.UniqueViolation), station.r.db.transaction(bot.company_id) as conn:
        outbound.add_parts(conn, bot.company_id, conversation, bot.channel_id, 7, 101, ["another"])
