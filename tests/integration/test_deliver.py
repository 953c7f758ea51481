"""Parts are delivered in order, at the platform's pace, and given up where it refuses them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from shared.channels.base import Patience
from shared.embedded import Database
from tasks.delivery.deliver import REAUTH_RETRY_S, Result
from tests.factories import Bot
from tests.integration.delivered_parts import parts, refused, states
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, SEND_DEADLINE_S=0.3, RECORD_DEADLINE_S=30.0)
    yield station
    station.close()


# ------------------------------------------------------------------ order and pace


def test_parts_arrive_in_order_and_each_once(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two", "three")
    station.queue(bot, "four")

    station.deliver_all()

    assert station.telegram.sent == [(bot.token, "5", text) for text in ("one", "two", "three", "four")]
    assert states(station) == ["sent"] * 4
    assert station.rows("SELECT platform_message_id IS NOT NULL, attempts FROM outbound") == [(True, 1)] * 4


def test_a_delivery_says_when_its_conversation_has_more(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")

    first = station.deliver()
    station.time_passes()
    second = station.deliver()

    assert (first.result, second.result) == (Result.SENT, Result.SENT)
    assert first.again_in_s is not None
    assert second.again_in_s is None


def test_a_full_rate_postpones_without_an_attempt(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.deliver()

    delivered = station.deliver()

    assert delivered.result is Result.POSTPONED
    assert delivered.again_in_s is not None
    assert 0 < delivered.again_in_s <= 1
    assert station.telegram.texts == ["one"]
    assert station.rows("SELECT state, attempts, meaning FROM outbound WHERE part = 2") == [
        ("queued", 0, "rate_limited")
    ]
    assert station.deliver().result is Result.NOTHING_DUE


def test_another_chat_does_not_wait_for_a_full_rate(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two", chat=5)
    station.queue(bot, "other", chat=6)
    station.deliver()
    station.deliver()

    assert station.deliver().result is Result.SENT
    assert sorted(station.telegram.texts) == ["one", "other"]


def test_threads_deliver_each_part_once_and_each_conversation_in_order(station: Station, bot: Bot) -> None:
    for chat in range(12):
        station.queue(bot, f"{chat}/1", f"{chat}/2", chat=chat)
    open_rate = station.r.limiter.take
    station.r.limiter.take = lambda rates: 0.0  # type: ignore[method-assign]

    def work() -> None:
        while station.deliver().result is not Result.NOTHING_DUE or "queued" in states(station):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    station.r.limiter.take = open_rate  # type: ignore[method-assign]

    assert sorted(station.telegram.texts) == sorted(f"{chat}/{part}" for chat in range(12) for part in (1, 2))
    for chat in range(12):
        assert station.telegram.texts.index(f"{chat}/1") < station.telegram.texts.index(f"{chat}/2")


# ------------------------------------------------------------------ refusals


def test_a_429_waits_as_long_as_the_platform_says(station: Station, bot: Bot) -> None:
    station.telegram.script.append(refused(429, "Too Many Requests: retry after 17", retry_after=17))
    station.queue(bot, "one", "two")

    delivered = station.deliver()

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, 17.0)
    assert station.rows(
        "SELECT state, attempts, due_at BETWEEN now() + interval '10 s' AND now() + interval '17 s' FROM outbound"
        " WHERE part = 1"
    ) == [("queued", 1, True)]
    assert station.deliver().result is Result.NOTHING_DUE  # the second part waits behind it
    station.deliver_all()
    assert station.telegram.texts == ["one", "two"]


def test_a_customer_who_blocked_us_ends_the_message_with_its_later_parts(station: Station, bot: Bot) -> None:
    station.telegram.script.append(refused(403, "Forbidden: bot was blocked by the user"))
    station.queue(bot, "one", "two", "three")
    station.queue(bot, "another message")

    station.deliver_all()

    assert parts(station) == [
        ("failed", "blocked"),
        ("cancelled", "blocked"),
        ("cancelled", "blocked"),
        ("sent", "sent"),
    ]
    assert station.telegram.texts == ["another message"]


def test_a_chat_that_moved_gets_its_parts_at_its_new_id(station: Station, bot: Bot) -> None:
    station.telegram.script.append(
        refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100777)
    )
    station.queue(bot, "one", "two", chat=-5)

    station.deliver_all()

    assert [chat for _, chat, _ in station.telegram.sent] == ["-100777", "-100777"]
    assert station.rows("SELECT chat FROM conversations") == [("-100777",)]


def test_a_chat_that_moved_where_we_know_it_already_is_one_conversation_with_it(station: Station, bot: Bot) -> None:
    station.queue(bot, "there already", chat=-100777)
    station.deliver_all()
    station.telegram.script.append(
        refused(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100777)
    )
    station.queue(bot, "moved", chat=-5)

    station.deliver_all()

    assert [chat for _, chat, _ in station.telegram.sent] == ["-100777", "-100777"]
    assert station.rows("SELECT chat, migrated_to, message_count FROM conversations") == [("-100777", "-100777", 2)]


def test_a_refused_token_asks_a_person_and_heals_with_the_first_success(station: Station, bot: Bot) -> None:
    station.telegram.script.append(refused(401, "Unauthorized"))
    station.queue(bot, "one")

    delivered = station.deliver()

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, REAUTH_RETRY_S)
    assert station.rows("SELECT state FROM channels") == [("needs_reauth",)]
    assert parts(station) == [("queued", "bad_token")]
    station.deliver_all()
    assert station.telegram.texts == ["one"]
    assert station.rows("SELECT state FROM channels") == [("active",)]


def test_credentials_that_no_key_opens_ask_a_person_and_nothing_gets_an_unknown_outcome(
    station: Station, bot: Bot
) -> None:
    [(sealed,)] = station.rows("SELECT credentials FROM channels")
    station.execute("UPDATE channels SET credentials = 'sealed with a key that is gone'")
    station.queue(bot, "one")

    delivered = station.deliver()

    assert (delivered.result, delivered.again_in_s) == (Result.POSTPONED, REAUTH_RETRY_S)
    assert parts(station) == [("queued", "credentials_sealed")]
    assert station.rows("SELECT state FROM channels") == [("needs_reauth",)]
    station.execute("UPDATE channels SET credentials = %s", sealed)
    station.deliver_all()
    assert (states(station), station.telegram.texts) == (["sent"], ["one"])


def test_a_disabled_channel_gets_nothing_any_more(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.execute("UPDATE channels SET state = 'disabled'")

    station.deliver_all()

    assert parts(station) == [("failed", "channel_disabled"), ("cancelled", "channel_disabled")]
    assert station.telegram.asked == 0


def test_a_part_older_than_a_day_is_given_up(station: Station, bot: Bot) -> None:
    station.queue(bot, "one", "two")
    station.execute("UPDATE outbound SET created_at = now() - interval '25 hours'")

    station.deliver_all()

    assert parts(station) == [("failed", "expired"), ("cancelled", "expired")]
    assert station.telegram.asked == 0


def test_a_part_that_was_refused_too_often_is_given_up(station: Station, bot: Bot) -> None:
    station.telegram.script.extend([refused(500, "Internal Server Error")] * 20)
    station.queue(bot, "one")

    station.deliver_all()

    assert parts(station) == [("failed", "expired")]
    assert station.telegram.asked == Patience().attempts_max
    assert station.rows("SELECT count(*), count(status) FROM delivery_attempts") == [
        (Patience().attempts_max, Patience().attempts_max)
    ]
