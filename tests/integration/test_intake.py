"""Intake against real PostgreSQL and Valkey: what a webhook becomes."""

from __future__ import annotations

import psycopg
import pytest

from shared.store.inbound import balance
from tests.factories import Inbox, make_bot, update


def _balance(inbox: Inbox) -> balance.Balance:
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        return balance.take(conn, inbox.reader)


def test_a_message_becomes_a_conversation_with_one_unread_and_a_turn(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    inbox.journal(bot, update("When do you open?", chat=5))

    stored = inbox.drain_all()

    assert (stored.effected, stored.turns) == (1, 1)
    assert inbox.rows(
        "SELECT customer_seq - read_seq, message_count, last_message_preview, bot_enabled FROM conversations"
    ) == [(1, 1, "When do you open?", True)]
    assert inbox.rows("SELECT state, first_seq, last_seq FROM turns") == [("waiting", 1, 1)]
    assert inbox.rows("SELECT customer_messages, unread FROM company_totals") == [(1, 1)]
    assert inbox.client.xlen(inbox.reader.streams[0]) == 0


def test_the_same_webhook_three_times_stores_one_message(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    body = update("hello", chat=5)
    inbox.journal(bot, body)
    inbox.drain_all()
    inbox.journal(bot, body)
    inbox.journal(bot, body)

    stored = inbox.drain_all()

    assert (stored.effected, stored.dropped) == (0, 2)
    assert inbox.rows("SELECT count(*) FROM messages") == [(1,)]
    assert inbox.rows("SELECT reason, count(*) FROM webhook_events WHERE outcome = 'dropped' GROUP BY 1") == [
        ("duplicate", 2)
    ]


def test_copies_inside_one_batch_are_duplicates_too(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    body = update("hello", chat=5)
    for _ in range(3):
        inbox.journal(bot, body)

    inbox.drain_all()

    assert inbox.rows("SELECT seq FROM messages") == [(1,)]
    assert inbox.rows("SELECT customer_seq FROM conversations") == [(1,)]


def test_a_burst_in_a_chat_is_one_turn_in_order(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    for text in ("I bought shoes", "they are too small", "can I return them?"):
        inbox.journal(bot, update(text, chat=5))

    inbox.drain_all()

    assert inbox.rows("SELECT seq, text FROM messages ORDER BY seq") == [
        (1, "I bought shoes"), (2, "they are too small"), (3, "can I return them?"),
    ]  # fmt: skip
    assert inbox.rows("SELECT first_seq, last_seq FROM turns") == [(1, 3)]


def test_a_batch_of_several_companies_lands_with_each_of_them(inbox: Inbox) -> None:
    bots = [make_bot(inbox.server.admin_url) for _ in range(3)]
    for number, bot in enumerate(bots):
        for copy in range(number + 1):
            inbox.journal(bot, update(f"{number}/{copy}", chat=5))

    inbox.drain_all()

    assert inbox.rows("SELECT company_id, unread FROM company_totals WHERE unread > 0 ORDER BY 1") == [
        (bot.company_id, number + 1) for number, bot in enumerate(bots)
    ]


def test_a_disabled_channel_s_events_are_dropped_with_a_reason(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    inbox.rows("UPDATE channels SET state = 'disabled' RETURNING 1")
    inbox.journal(bot, update("anybody there?"))

    inbox.drain_all()

    assert inbox.rows("SELECT outcome, reason, company_id FROM webhook_events") == [
        ("dropped", "channel_disabled", None)
    ]


def test_a_crash_between_commit_and_acknowledgement_repeats_nothing(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    stream = inbox.journal(bot, update("hello"))
    [entry] = inbox.reader.new(stream, 10)  # a holder reads …
    from shared import channels
    from tasks.inbound import intake

    with inbox.db.transaction() as conn:  # … commits …
        intake.store_batch(
            conn, {stream: [entry]}, channels.build(inbox.settings.channels), inbox.settings, recovering=False
        )
    # … and dies before XACK: the next holder finds the entry pending

    stored = inbox.drain_all()

    assert (stored.repeats, stored.effected) == (1, 0)
    assert inbox.rows("SELECT count(*) FROM messages") == [(1,)]
    found = _balance(inbox)
    assert found.closes
    assert (found.requests_received, found.requests_stored, found.requests_in_flight, found.repeats) == (1, 1, 0, 1)


def test_the_balance_closes_with_requests_in_flight_and_after_a_flush(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    for chat in range(10):
        inbox.journal(bot, update("stored", chat=chat))
    inbox.drain_all()
    inbox.client.flushdb()
    inbox.drain.ensure_groups()
    for chat in range(7):
        inbox.journal(bot, update("in flight", chat=chat))

    found = _balance(inbox)

    assert found.closes
    assert (found.requests_received, found.requests_stored, found.requests_in_flight) == (17, 10, 7)


def test_a_poison_event_alone_becomes_a_dead_letter_and_its_batch_goes_on(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'poison')")
    for text in ["a", "b", "c", "poison", "d", "e", "f"]:
        inbox.journal(bot, update(text, chat=5))

    stored = inbox.drain_all()

    assert stored.dead_letters == 1
    assert inbox.rows("SELECT string_agg(text, '' ORDER BY seq) FROM messages") == [("abcdef",)]
    assert inbox.rows("SELECT outcome, reason FROM webhook_events WHERE outcome = 'dead_letter'") == [
        ("dead_letter", "CheckViolation(23514)")
    ]
    assert _balance(inbox).closes


def test_a_dead_letter_is_redriven_once_however_often_it_is_asked(inbox: Inbox) -> None:
    from datetime import UTC, datetime

    from shared.store.inbound import dead_letters

    bot = make_bot(inbox.server.admin_url)
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'poison')")
        inbox.journal(bot, update("poison", chat=5))
        inbox.drain_all()
        conn.execute("ALTER TABLE messages DROP CONSTRAINT no_poison")
        [row] = dead_letters.listed(conn)

        asked = [dead_letters.redrive(conn, inbox.reader, row.place, datetime.now(UTC)) for _ in range(2)]
        inbox.drain_all()

        assert asked == [True, True]
        assert not dead_letters.redrive(conn, inbox.reader, row.place, datetime.now(UTC))
        assert dead_letters.listed(conn) == []
    assert inbox.rows("SELECT text FROM messages") == [("poison",)]
    found = _balance(inbox)
    assert found.closes
    assert found.redrives == 2


def test_a_body_that_is_no_json_any_more_is_a_dead_letter_with_its_bytes(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    inbox.journal(bot, b"\xff\xfe not json", key="5")

    inbox.drain_all()

    from shared.store.inbound import dead_letters

    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        [row] = dead_letters.listed(conn)
        assert row.reason == "ValueError"
        assert dead_letters.raw_body(conn, row.place) == b"\xff\xfe not json"


def test_a_conversation_that_a_person_has_gets_no_turn(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    inbox.journal(bot, update("hello", chat=5))
    inbox.drain_all()
    inbox.rows("UPDATE conversations SET bot_enabled = false RETURNING 1")
    inbox.rows("UPDATE turns SET state = 'cancelled' RETURNING 1")
    inbox.journal(bot, update("are you there?", chat=5))

    stored = inbox.drain_all()

    assert (stored.effected, stored.turns) == (1, 0)
    assert inbox.rows("SELECT customer_seq - read_seq FROM conversations") == [(2,)]


def test_a_telegram_edit_and_reaction_reach_their_message(inbox: Inbox) -> None:
    bot = make_bot(inbox.server.admin_url)
    said = update("Where is my odrer?", chat=5, message_id=77, date=1_779_999_000)
    inbox.journal(bot, said)
    inbox.journal(
        bot,
        {
            "update_id": 1,
            "edited_message": {**said["message"], "text": "Where is my order?", "edit_date": 1_779_999_050},
        },
        key="5",
    )
    who = {"id": 5, "is_bot": False, "first_name": "Eve"}
    reaction = {"chat": said["message"]["chat"], "message_id": 77, "user": who, "date": 1_779_999_060,
                "old_reaction": [], "new_reaction": [{"type": "emoji", "emoji": "👍"}]}  # fmt: skip
    inbox.journal(bot, {"update_id": 2, "message_reaction": reaction}, key="5")

    inbox.drain_all()

    assert inbox.rows("SELECT text, extract(epoch FROM edited_at)::int FROM messages") == [
        ("Where is my order?", 1_779_999_050)
    ]
    assert inbox.rows("SELECT target, sender, emoji FROM message_reactions") == [("77", "5", "👍")]


@pytest.mark.parametrize("together", [False, True])
def test_an_older_message_that_comes_late_does_not_move_the_time_of_the_customer_s_newest_back(
    inbox: Inbox, together: bool
) -> None:
    """The hours in which a platform lets us answer run from the newest message, in whatever order they arrive."""
    bot = make_bot(inbox.server.admin_url)
    inbox.journal(bot, update("the newer", chat=5, date=1_779_990_000))
    if not together:
        inbox.drain_all()

    inbox.journal(bot, update("the older", chat=5, date=1_779_980_000))
    inbox.drain_all()

    assert inbox.rows("SELECT extract(epoch FROM last_customer_at)::bigint, message_count FROM conversations") == [
        (1_779_990_000, 2)
    ]
