"""What platforms say of our parts afterwards, in any order, before and after the answer to our own request."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies

from shared.embedded import Database
from shared.model import InboundEvent, ref_of
from shared.store.delivery.statuses import Part
from tests.factories import Bot, make_bot
from tests.integration.station import DROPS, Station
from tests.scripted import NOON, event, message, receive, speak


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    speak(station.inbox)
    station.r.platforms["telegram"].tells_fate = True  # this one does, as the things that it says show
    yield station
    station.close()


def status(word: str, *targets: str, **more: Any) -> InboundEvent:
    return event("read" if word == "read" else "delivery", targets=targets, status=word, **more)


def _states(station: Station) -> list[tuple[str, bool, bool]]:
    return station.rows("SELECT state, delivered_at IS NOT NULL, read_at IS NOT NULL FROM outbound ORDER BY id")


def _reasons(station: Station) -> list[tuple[str, str | None]]:
    return station.rows(
        "SELECT outcome, reason FROM webhook_events WHERE kind IN ('delivery', 'read') ORDER BY stored_at, ordinal"
    )


def test_delivered_and_read_are_noted_once(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.deliver_all()

    receive(station.inbox, bot, status("delivered", "1001", "1002"), status("read", "1001"))
    receive(station.inbox, bot, status("delivered", "1001"))

    assert _states(station) == [("sent", True, True), ("sent", True, False)]
    assert _reasons(station) == [("effected", None), ("effected", None), ("dropped", "nothing_new")]


def test_a_mark_reads_everything_up_to_then_and_nothing_later(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    station.deliver_all()
    station.execute("UPDATE outbound SET finished_at = finished_at - interval '1 hour'")
    station.queue(bot, "two")
    station.deliver_all()

    receive(station.inbox, bot, event("read", until=datetime.now(UTC) - timedelta(minutes=30)))

    assert _states(station) == [("sent", True, True), ("sent", False, False)]


def test_a_status_that_overtakes_the_answer_to_our_send_waits_for_it(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    station.telegram.meanwhile = lambda: receive(station.inbox, bot, status("read", "1001"))

    station.deliver()

    assert _states(station) == [("sent", True, True)]
    assert station.rows("SELECT 1 FROM early_statuses") == []


def test_a_failure_that_overtakes_the_answer_to_our_send_ends_the_message(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.telegram.meanwhile = lambda: receive(station.inbox, bot, status("failed", "1001", meaning="window_closed"))

    station.deliver_all()

    assert [state for state, *_ in _states(station)] == ["failed", "cancelled"]
    assert station.rows("SELECT delivery_problem FROM conversations") == [("window_closed",)]


def test_a_status_of_what_we_never_sent_is_dropped_with_a_reason(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, message("hi", "1"), status("delivered", "4711"))

    assert _reasons(station) == [("dropped", "unknown_message")]


def test_any_status_settles_a_send_of_unknown_outcome(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    station.telegram.script.append(DROPS)
    station.deliver()
    [(part,)] = station.rows("SELECT id FROM outbound")

    receive(station.inbox, bot, status("delivered", "77", ref=ref_of(bot.company_id, part)))

    assert _states(station) == [("sent", True, False)]
    assert station.rows("SELECT platform_message_id FROM outbound") == [("77",)]


def test_what_failed_later_ends_its_message_and_is_seen_until_the_customer_writes(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two", "three")
    station.deliver()

    stored = receive(station.inbox, bot, status("failed", "1001", meaning="window_closed"))

    assert [state for state, *_ in _states(station)] == ["failed", "cancelled", "cancelled"]
    assert [(alert.event, alert.meaning) for alert in stored.alerts] == [("part_failed_later", "window_closed")]
    assert station.rows("SELECT delivery_problem FROM conversations") == [("window_closed",)]
    receive(station.inbox, bot, message("I am back", "1"))
    assert station.rows("SELECT delivery_problem FROM conversations") == [(None,)]


def test_a_send_that_is_refused_at_once_is_seen_the_same_way(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    forbidden = {"ok": False, "error_code": 403, "description": "Forbidden: bot was blocked by the user"}
    station.telegram.script.append((403, forbidden))

    station.deliver()

    assert station.rows("SELECT delivery_problem FROM conversations") == [("blocked",)]


def test_another_channel_s_ids_are_not_ours(station: Station, bot: Bot) -> None:
    station.queue(bot, "one")
    station.deliver()
    [(part,)] = station.rows("SELECT id FROM outbound")
    stranger = make_bot(station.inbox.server.admin_url)

    receive(
        station.inbox, stranger,
        status("read", "1001"), status("failed", "x", ref=ref_of(bot.company_id, part)),
    )  # fmt: skip

    assert _states(station) == [("sent", False, False)]
    assert _reasons(station) == [("dropped", "unknown_message")] * 2


@pytest.mark.parametrize("word", ["revoked", "user_tokens_revoked"])
def test_an_account_that_is_shut_to_us_asks_for_a_person(station: Station, bot: Bot, word: str) -> None:
    stored = receive(station.inbox, bot, event("account", chat=None, sender=None, status=word, reason="tokens_revoked"
                                               if word != "revoked" else "app_uninstalled"))  # fmt: skip

    shut = word == "revoked"
    assert station.rows("SELECT state FROM channels") == [("needs_reauth" if shut else "active",)]
    assert [alert.event for alert in stored.alerts] == (["channel_needs_reauth"] if shut else [])


def test_what_an_agent_read_elsewhere_is_read_here(station: Station, bot: Bot) -> None:
    [(page,)] = station.rows("SELECT external_id FROM channels")
    receive(station.inbox, bot, message("one", "1"), message("two", "2"))

    receive(station.inbox, bot, event("read", sender=page, targets=("2",)))

    assert station.rows("SELECT customer_seq - read_seq FROM conversations") == [(0,)]
    assert station.rows("SELECT unread FROM company_totals") == [(0,)]


def test_where_a_customer_came_from_is_kept(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, event("referral", payload="summer-sale", at_s=10), message("hi", "1", at_s=11))
    receive(station.inbox, bot, event("optin", payload="older", at_s=5))

    assert station.rows("SELECT referral FROM conversations") == [("summer-sale",)]


WORDS = strategies.lists(strategies.sampled_from(["sent", "delivered", "read"]), min_size=1, max_size=6)


@settings(deadline=None, derandomize=True, database=None)
@given(words=WORDS, state=strategies.sampled_from(["queued", "sending", "unknown_outcome", "sent"]))
def test_good_news_of_a_part_comes_to_the_same_in_any_order_and_number(words: list[str], state: str) -> None:
    part = Part(1, 2, 3, 4, 5, state, 1, None, None, None, None)

    def told(order: list[str]) -> Part:
        after = part
        for word in order:
            after = after.told(word, None, NOON, "m1")
        return after

    end = told(words)
    assert end == told(sorted(set(words))) == told([*words, *words])
    assert (end.state, end.platform_message_id) == ("sent", "m1")
    assert (end.read_at is not None) == ("read" in words)
