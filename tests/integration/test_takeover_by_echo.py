"""Echoes: our own settle what we sent, others' are a person's words and take the conversation over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.embedded import Database
from shared.live.topics import Moved
from shared.model import ref_of
from tests.factories import Bot, make_bot
from tests.integration.station import DROPS, Station
from tests.scripted import event, message, receive, speak


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    speak(station.inbox)
    yield station
    station.close()


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.execute("UPDATE apps SET external_id = 'our-app'")
    return bot


def _endings(station: Station, kind: str = "echo") -> list[tuple[str, str | None]]:
    return station.rows("SELECT outcome, reason FROM webhook_events WHERE kind = %s ORDER BY stored_at, ordinal", kind)


def _part(station: Station) -> tuple[str, str, str | None]:
    [found] = station.rows("SELECT state, meaning, platform_message_id FROM outbound")
    return found


def _ref(station: Station, bot: Bot) -> str:
    [(part,)] = station.rows("SELECT id FROM outbound ORDER BY id LIMIT 1")
    return ref_of(bot.company_id, part)


@pytest.mark.parametrize("known_by", ["ref", "words", "app"])
def test_our_own_echo_that_overtakes_the_answer_to_our_send_triggers_nothing(
    station: Station, bot: Bot, known_by: str
) -> None:
    station.queue(bot, "We open at **nine**.")
    more: dict[str, Any] = {"ref": {"ref": _ref(station, bot)}, "words": {}, "app": {"app": "our-app"}}[known_by]
    words = "something else" if known_by == "app" else "We open at nine."
    station.telegram.meanwhile = lambda: receive(station.inbox, bot, event("echo", words, external_id="1001", **more))

    station.deliver()

    state, _, platform_id = _part(station)
    assert (state, platform_id) == ("sent", "1001")
    assert station.rows("SELECT role FROM messages") == [("bot",)]
    assert station.rows("SELECT bot_enabled FROM conversations") == [(True,)]
    assert _endings(station) == [("dropped", "own_echo") if known_by == "app" else ("effected", None)]


def test_our_own_echo_afterwards_is_known_by_its_id(station: Station, bot: Bot) -> None:
    station.queue(bot, "We open at nine.")
    station.deliver()

    receive(station.inbox, bot, event("echo", "We open at nine.", external_id="1001"))

    assert _endings(station) == [("dropped", "own_echo")]
    assert station.rows("SELECT role FROM messages") == [("bot",)]


def test_a_send_of_unknown_outcome_is_settled_by_its_echo_and_what_waited_behind_it_goes(
    station: Station, bot: Bot
) -> None:
    station.queue(bot, "We open at nine.", "And close at five.")
    station.telegram.script.append(DROPS)
    station.deliver()
    assert station.rows("SELECT state FROM outbound ORDER BY id") == [("unknown_outcome",), ("queued",)]

    stored = receive(station.inbox, bot, event("echo", "We open at nine.", external_id="77", ref=_ref(station, bot)))

    assert stored.parts == 1
    assert station.rows("SELECT state, platform_message_id, unknown_since FROM outbound ORDER BY id LIMIT 1") == [
        ("sent", "77", None)
    ]
    station.deliver_all()
    assert station.telegram.texts == ["We open at nine.", "And close at five."]


def test_a_part_that_would_be_sent_again_is_not_after_its_echo(station: Station, bot: Bot) -> None:
    station.queue(bot, "We open at nine.")
    station.telegram.script.append((500, {"ok": False, "error_code": 500}))
    station.deliver()
    assert _part(station)[0] == "queued"

    receive(station.inbox, bot, event("echo", "We open at nine.", external_id="77", ref=_ref(station, bot)))

    station.time_passes()
    station.deliver()
    assert (_part(station)[0], station.telegram.asked) == ("sent", 1)


def test_what_somebody_else_wrote_in_our_name_is_an_agent_s_message_and_pauses_the_bot(
    station: Station, bot: Bot
) -> None:
    receive(station.inbox, bot, message("When do you open?", "1"))
    foreign = event("echo", "At nine, says Ann.", external_id="2", app="their-app", at_s=5)

    stored = receive(station.inbox, bot, foreign)
    again = receive(station.inbox, bot, foreign)

    assert station.rows("SELECT role, text, external_id, seq FROM messages ORDER BY seq") == [
        ("customer", "When do you open?", "1", 1), ("agent", "At nine, says Ann.", "2", 2),
    ]  # fmt: skip
    assert station.rows(
        "SELECT bot_enabled, status, customer_seq - read_seq, last_message_role FROM conversations"
    ) == [(False, "handed_over", 0, "agent")]
    assert station.rows("SELECT customer_messages, unread FROM company_totals") == [(1, 0)]
    assert station.rows("SELECT state FROM turns") == [("cancelled",)]
    assert Moved(bot.company_id) in stored.moved
    assert (again.effected, again.dropped) == (0, 1)
    assert station.rows("SELECT count(*) FROM outbound") == [(0,)]


def test_who_writes_first_elsewhere_begins_a_conversation_that_the_bot_leaves_alone(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, event("echo", "Your parcel is on its way.", external_id="1"))

    stored = receive(station.inbox, bot, message("Thanks! When?", "2", sender_name="Eve", at_s=60))

    assert stored.turns == 0
    assert station.rows(
        "SELECT p.name, c.message_count, c.customer_seq - c.read_seq FROM conversations c JOIN contacts p"
        " ON p.id = c.contact_id"
    ) == [("Eve", 2, 1)]


def test_an_echo_and_the_message_behind_it_in_one_request_want_no_reply(station: Station, bot: Bot) -> None:
    stored = receive(
        station.inbox, bot,
        message("Hello?", "1"), event("echo", "Hi, Ann here", external_id="2", at_s=60),
        message("Can you help?", "3", at_s=70),
    )  # fmt: skip

    assert stored.turns == 0
    assert station.rows("SELECT count(*) FROM turns WHERE state <> 'cancelled'") == [(0,)]
    assert station.rows("SELECT customer_seq, read_seq, message_count FROM conversations") == [(2, 1, 3)]


def test_a_reference_that_names_another_company_s_part_proves_nothing(station: Station, bot: Bot) -> None:
    station.queue(bot, "We open at nine.")
    stranger = make_bot(station.inbox.server.admin_url)

    receive(station.inbox, stranger, event("echo", "Psst", external_id="9", ref=_ref(station, bot)))

    assert station.rows("SELECT role FROM messages WHERE company_id = %s", stranger.company_id) == [("agent",)]
    assert _part(station)[0] == "queued"


def test_another_bot_in_a_group_is_nobody_of_ours(station: Station, bot: Bot) -> None:
    receive(station.inbox, bot, event("echo", "build passed", external_id="9", reason="from_bot"))

    assert _endings(station) == [("dropped", "from_bot")]
    assert station.rows("SELECT 1 FROM conversations") == []


@pytest.mark.parametrize(
    ("status", "app", "enabled"),
    [
        ("pass", "their-app", False), ("take", None, False), ("pass", "our-app", True), ("pass", None, True),
        ("request", "their-app", None), ("app_roles", None, None),
    ],
)  # fmt: skip
def test_a_conversation_that_is_handed_over_is_answered_by_who_has_it(
    station: Station, bot: Bot, status: str, app: str | None, enabled: bool | None
) -> None:
    receive(station.inbox, bot, message("When do you open?", "1"))
    before = enabled is False or enabled is None
    station.execute("UPDATE conversations SET bot_enabled = %s", before)

    receive(station.inbox, bot, event("handover", status=status, app=app))

    expected = before if enabled is None else enabled
    assert station.rows("SELECT bot_enabled FROM conversations") == [(expected,)]
    waiting = 0 if enabled is False else 1
    assert station.rows("SELECT count(*) FROM turns WHERE state = 'waiting'") == [(waiting,)]
    assert _endings(station, "handover") == [("dropped", status) if enabled is None else ("effected", None)]


def test_two_echoes_of_one_text_in_one_request_settle_two_sends(station: Station, bot: Bot) -> None:
    for _ in range(2):
        station.queue(bot, "We open at nine.")
        station.telegram.script.append(DROPS)
        station.deliver()
        station.execute("UPDATE outbound SET unknown_since = unknown_since - interval '1 hour'")  # lets others pass
        station.time_passes()
    assert station.rows("SELECT state FROM outbound") == [("unknown_outcome",)] * 2

    receive(
        station.inbox, bot,
        event("echo", "We open at nine.", external_id="71"), event("echo", "We open at nine.", external_id="72"),
    )  # fmt: skip

    assert station.rows("SELECT state, platform_message_id FROM outbound ORDER BY id") == [
        ("sent", "71"), ("sent", "72"),
    ]  # fmt: skip
    assert station.rows("SELECT role FROM messages ORDER BY id") == [("bot",)] * 2
    assert station.rows("SELECT bot_enabled FROM conversations") == [(True,)]
