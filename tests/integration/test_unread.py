"""Unread counts: what arrives while an agent reads stays unread, and the totals agree with the conversations."""

from __future__ import annotations

import threading

import psycopg
import pytest

from shared.store.inbox import changes, company_totals, conversation_list, conversations
from shared.store.inbox.conversations import Head
from tasks.inbox import takeover
from tests.factories import Bot, Inbox, make_bot, update


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url)


def _receive(inbox: Inbox, bot: Bot, count: int = 1, chat: int = 5) -> int:
    """`count` messages of a customer; returns the conversation's id."""
    for _ in range(count):
        inbox.journal(bot, update("hello", chat=chat))
    inbox.drain_all()
    [(conversation,)] = inbox.rows("SELECT id FROM conversations WHERE chat = %s", str(chat))
    return int(conversation)


def _unread(inbox: Inbox) -> tuple[int, int]:
    """(sum over conversations, the company's total): they must be the same."""
    [(summed,)] = inbox.rows("SELECT sum(customer_seq - read_seq) FROM conversations")
    [(total,)] = inbox.rows("SELECT unread FROM company_totals")
    return int(summed), int(total)


def test_a_message_that_arrives_behind_what_the_agent_saw_stays_unread(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 3)
    seen = 3
    _receive(inbox, bot, 1)

    with inbox.db.transaction(bot.company_id) as conn:
        left = conversations.mark_read(conn, bot.company_id, conversation, seen)

    assert left == 1
    assert _unread(inbox) == (1, 1)


def test_a_message_stored_while_the_agent_s_mark_waits_stays_unread(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 2)
    left: list[int | None] = []
    holds = inbox.db.transaction(bot.company_id)
    conn = holds.__enter__()
    conversations.lock(conn, bot.company_id, conversation)  # a batch is being stored

    def mark() -> None:
        with inbox.db.transaction(bot.company_id) as reading:
            left.append(conversations.mark_read(reading, bot.company_id, conversation, 2))

    thread = threading.Thread(target=mark)
    thread.start()
    _wait_until_blocked(inbox)
    conversations.advance(conn, [Head(bot.company_id, conversation, 3, 1, 1, "customer", "one more")])
    company_totals.add_totals(conn, {bot.company_id: (1, 1)})
    holds.__exit__(None, None, None)
    thread.join(10)

    assert left == [1]
    assert _unread(inbox) == (1, 1)


def _wait_until_blocked(inbox: Inbox) -> None:
    """Until some connection waits for a row's lock; the database itself says so."""
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        for _ in range(2_000):
            row = conn.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()").fetchone()
            if row is not None and row[0]:
                return
        raise AssertionError("nobody waited")


def test_two_agents_who_read_at_once_count_once(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 4)
    at_once = threading.Barrier(3)

    def mark() -> None:
        at_once.wait(10)
        with inbox.db.transaction(bot.company_id) as conn:
            conversations.mark_read(conn, bot.company_id, conversation)

    threads = [threading.Thread(target=mark) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert _unread(inbox) == (0, 0)


def test_a_mark_moves_only_forward_and_never_past_what_has_come(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 4)

    with inbox.db.transaction(bot.company_id) as conn:
        lefts = [conversations.mark_read(conn, bot.company_id, conversation, up_to) for up_to in (3, 1, 0, 99)]

    assert lefts == [1, 1, 1, 0]
    assert _unread(inbox) == (0, 0)


def test_a_reply_of_the_bot_leaves_the_customer_s_messages_unread(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 2)

    with inbox.db.transaction(bot.company_id) as conn:
        conversations.advance(conn, [Head(bot.company_id, conversation, 3, 0, 1, "bot", "an answer")])

    assert _unread(inbox) == (2, 2)


def test_taking_over_alone_reads_nothing(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 2)

    with inbox.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, conversation, enabled=False)

    assert _unread(inbox) == (2, 2)


def test_a_conversation_of_nobody_or_of_another_company_is_not_marked(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 1)
    stranger = make_bot(inbox.server.admin_url)

    with inbox.db.transaction(stranger.company_id) as conn:
        assert conversations.mark_read(conn, stranger.company_id, conversation) is None
        assert conversations.mark_read(conn, bot.company_id, conversation) is None
    assert inbox.rows("SELECT customer_seq - read_seq FROM conversations") == [(1,)]


def test_the_counts_of_many_conversations_agree_with_the_total(inbox: Inbox, bot: Bot) -> None:
    ids = [_receive(inbox, bot, count, chat) for chat, count in enumerate((1, 3, 2), 10)]

    with inbox.db.transaction(bot.company_id) as conn:
        conversations.mark_read(conn, bot.company_id, ids[1], 2)
        found = {line.id: line.unread for line in conversation_list.recent(conn, bot.company_id)}
        total = company_totals.unread_total(conn, bot.company_id)

    assert found == dict(zip(ids, (1, 1, 2), strict=True))
    assert total == 4


def test_pages_of_the_inbox_leave_no_conversation_out_though_a_batch_has_one_time(inbox: Inbox, bot: Bot) -> None:
    for chat in range(60):
        inbox.journal(bot, update("hello", chat=chat))
    inbox.drain_all()
    inbox.rows("UPDATE conversations SET last_message_at = now() RETURNING 1")

    pages: list[list[conversation_list.Listed]] = [[]]
    with inbox.db.transaction(bot.company_id) as conn:
        last = None
        while page := conversation_list.recent(
            conn,
            bot.company_id,
            limit=25,
            before=last.last_message_at if last else None,
            before_id=last.id if last else None,
        ):
            pages.append(page)
            last = page[-1]

    chats = [listed.chat for page in pages for listed in page]
    assert (len(chats), len(set(chats))) == (60, 60)


def test_totals_that_drifted_are_put_right_and_true_ones_left_alone(inbox: Inbox, bot: Bot) -> None:
    _receive(inbox, bot, 3)
    inbox.rows("UPDATE company_totals SET unread = 99, customer_messages = 0 RETURNING 1")

    with inbox.db.transaction(bot.company_id) as conn:
        assert company_totals.reconcile_totals(conn, bot.company_id)
        assert not company_totals.reconcile_totals(conn, bot.company_id)

    assert inbox.rows("SELECT customer_messages, unread FROM company_totals") == [(3, 3)]


def test_totals_put_right_while_messages_come_and_are_read_agree_in_the_end(inbox: Inbox, bot: Bot) -> None:
    conversation = _receive(inbox, bot, 1)
    done = threading.Event()
    failures: list[BaseException] = []

    def keep_reconciling() -> None:
        try:
            while not done.is_set():
                with inbox.db.transaction(bot.company_id) as conn:
                    company_totals.reconcile_totals(conn, bot.company_id)
        except BaseException as e:  # noqa: BLE001 (whatever it is, the test says it)
            failures.append(e)

    def keep_reading() -> None:
        try:
            while not done.is_set():
                with inbox.db.transaction(bot.company_id) as conn:
                    conversations.mark_read(conn, bot.company_id, conversation)
        except BaseException as e:  # noqa: BLE001
            failures.append(e)

    threads = [threading.Thread(target=work) for work in (keep_reconciling, keep_reading)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        _receive(inbox, bot, 2)
    done.set()
    for thread in threads:
        thread.join(10)

    assert failures == []
    summed, total = _unread(inbox)
    assert summed == total
    assert inbox.rows("SELECT customer_messages FROM company_totals") == [(81,)]


def test_every_other_message_taken_back_keeps_the_row_small_and_the_counts_right(inbox: Inbox, bot: Bot) -> None:
    inbox.journal(bot, update("m1", chat=5))
    inbox.drain_all()
    inbox.owner.run(
        "INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text)"
        " SELECT company_id, id, channel_id, n, 'customer', 'm' || n FROM conversations, generate_series(2, 2500) n",
        (),
    )
    inbox.owner.run("UPDATE conversations SET message_count = 2500, customer_seq = 2500", ())
    inbox.owner.run("UPDATE company_totals SET customer_messages = 2500, unread = 2500", ())
    [(conversation,)] = inbox.rows("SELECT id FROM conversations")
    count = 0
    for first in range(2, 2500, 250):
        gone = [(bot.company_id, conversation, seq) for seq in range(first, first + 250, 2)]
        with inbox.db.transaction(bot.company_id) as conn:
            count += changes.take_back(conn, gone).get(bot.company_id, 0)

    [(unread, ranges)] = inbox.rows(
        "SELECT unread_of(customer_seq, read_seq, read_beyond), (SELECT count(*) FROM unnest(read_beyond))"
        " FROM conversations"
    )
    assert (ranges, unread, count) == (1000, 1500, 1000)
    with inbox.db.transaction(bot.company_id) as conn:
        assert conversations.mark_read(conn, bot.company_id, conversation) == 0


def test_what_a_process_of_the_version_before_took_back_counts(inbox: Inbox, bot: Bot) -> None:
    inbox.journal(bot, update("one", chat=5))
    inbox.journal(bot, update("two", chat=5))
    inbox.drain_all()
    inbox.owner.run("UPDATE conversations SET read_ahead = read_ahead || 2::bigint", ())
    assert inbox.rows("SELECT read_ahead, read_beyond::text, unread_of(customer_seq, read_seq, read_beyond)"
                      " FROM conversations") == [([], "{[2,3)}", 1)]  # fmt: skip
