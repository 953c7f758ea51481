"""The hot statements on 200,000 messages of 50 companies, as the application role: by index, a few rows each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.knowledge.search import search
from shared.model import JournalEntry, SendOutcome
from shared.store.answers import quiet_window, receipts, turn_contexts, turns
from shared.store.db.pool import Conn, set_companies
from shared.store.delivery import outbound, send_results, statuses
from shared.store.inbound import balance, ledger
from shared.store.inbox import (
    changes,
    contacts,
    conversation_bulk,
    conversation_list,
    conversations,
    message_pages,
    messages,
)
from shared.store.inbox.contacts import ContactKey
from shared.store.inbox.conversations import ChatKey, Head
from shared.store.operations import overdue
from tests.integration import load
from tests.integration.claims import begin_send, claim_part, claim_turn
from tests.integration.explain import Explaining, Touched, read_by
from tests.integration.load import BIG_CHANNEL, BIG_COMPANY, BIG_TABLES, ONE_CONVERSATION

pytestmark = pytest.mark.timeout(180)  # the first test waits for the load
SOME = sorted((n * 7919) % 10_000 + 1 for n in range(200))
"""200 conversations of the big company, evenly spread."""
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def loaded(module_database: Database) -> Database:
    load.load(module_database.admin_url)
    return module_database


@pytest.fixture(scope="module")
def app(loaded: Database) -> Iterator[Conn]:
    with psycopg.connect(loaded.url, autocommit=True, prepare_threshold=None) as conn:
        yield conn


@contextmanager
def _undone(conn: Conn, *companies: int) -> Iterator[None]:
    with conn.transaction(force_rollback=True):
        set_companies(conn, companies)
        yield


Use = Callable[[Any], object]
STATEMENTS: list[tuple[str, Use, set[str], int]] = [
    # name, the store's function, the indexes that it should use, index entries that it may read at most
    (
        "conversation_list.recent",
        lambda c: conversation_list.recent(c, BIG_COMPANY),
        {"conversations_recent", "contacts_pkey"},
        120,
    ),
    (
        "conversation_list.recent, a later page",
        lambda c: conversation_list.recent(c, BIG_COMPANY, before=NOW - timedelta(hours=5), before_id=7),
        {"conversations_recent", "contacts_pkey"},
        120,
    ),
    (
        "message_pages.page",
        lambda c: message_pages.page(c, BIG_COMPANY, ONE_CONVERSATION),
        {"messages_company_id_conversation_id_seq_key"},
        10,
    ),
    (
        "message_pages.of_chat",
        lambda c: message_pages.of_chat(c, BIG_COMPANY, BIG_CHANNEL, "7", after_seq=2),
        {"conversations_company_id_channel_id_chat_key", "messages_company_id_conversation_id_seq_key"},
        20,
    ),
    (
        "messages.existing_keys",
        lambda c: messages.existing_keys(c, [(BIG_COMPANY, BIG_CHANNEL, f"m:{n}:1") for n in SOME]),
        {"messages_company_id_channel_id_dedupe_key_key"},
        200,
    ),
    (
        "contacts.ensure_contacts",
        lambda c: contacts.ensure_contacts(c, {ContactKey(BIG_COMPANY, BIG_CHANNEL, str(n)): None for n in SOME}),
        {"contacts_company_id_channel_id_external_id_key"},
        800,
    ),
    (
        "conversations.ensure_locked",
        lambda c: conversations.ensure_locked(c, {ChatKey(BIG_COMPANY, BIG_CHANNEL, str(n)): None for n in SOME}),
        {"conversations_company_id_channel_id_chat_key"},
        800,
    ),
    (
        "conversations.advance",
        lambda c: conversations.advance(c, [Head(BIG_COMPANY, n, 11, 1, 1, "customer", "x") for n in SOME]),
        {"conversations_pkey"},
        400,
    ),
    (
        "quiet_window.open_or_extend",
        lambda c: quiet_window.open_or_extend(
            c,
            [quiet_window.Wanted(BIG_COMPANY, n, BIG_CHANNEL, 11, 11, NOW) for n in SOME],
            quiet_s=0.8, quiet_max_s=5, cancels_max=2, cancel_window_s=15,
        ),
        {"turns_open"},
        900,  # with the foreign keys of what is new
    ),
    (
        "conversations.mark_read",
        lambda c: conversations.mark_read(c, BIG_COMPANY, ONE_CONVERSATION),
        {"conversations_pkey"},
        20,
    ),
    (
        "receipts.of_conversation",
        lambda c: receipts.of_conversation(c, BIG_COMPANY, ONE_CONVERSATION),
        {"turns_of_conversation", "receipts_pkey", "messages_pkey", "outbound_company_id_message_id_part_key"},
        20,
    ),
    (
        "turns.newest of a company",
        lambda c: turns.newest(c, company_id=BIG_COMPANY),
        {"turns_pkey", "receipts_pkey"},
        120,
    ),
    (
        "turns.cancel_open",
        lambda c: turns.cancel_open(c, BIG_COMPANY, ONE_CONVERSATION),
        {"turns_open"},
        10,
    ),
    (
        "turns.cancel_all",
        lambda c: turns.cancel_all(c, [(BIG_COMPANY, n) for n in SOME]),
        {"turns_open"},
        400,
    ),
    (
        "changes.stored",
        lambda c: changes.stored(c, [(BIG_COMPANY, n, "m1") for n in SOME]),
        {"messages_external"},
        200,
    ),
    (
        "changes.rewrite",
        lambda c: changes.rewrite(c, {(BIG_COMPANY, n): changes.Content("x") for n in SOME}),
        {"messages_pkey"},
        400,
    ),
    (
        "statuses.find",
        lambda c: statuses.find(
            c, [statuses.PartQuery(n, BIG_COMPANY, BIG_CHANNEL, str(n), f"p{n}", n, NOW) for n in SOME]
        ),
        {"outbound_platform_id", "outbound_pkey", "outbound_open", "outbound_company_id_message_id_part_key"},
        8_000,  # the marks: ten messages of each of two hundred chats
    ),
    (
        "statuses.lock and write",
        lambda c: statuses.write(c, list(statuses.lock(c, [(BIG_COMPANY, n) for n in SOME]).values())),
        {"outbound_pkey"},
        600,
    ),
    (
        "conversation_bulk.set_bots",
        lambda c: conversation_bulk.set_bots(c, dict.fromkeys(((BIG_COMPANY, n) for n in SOME), "agent")),
        {"conversations_pkey"},
        800,  # of each its channel and assistant, too: how long the bot stays away
    ),
]  # fmt: skip


@pytest.mark.parametrize(("use", "indexes", "entries"), [s[1:] for s in STATEMENTS], ids=[s[0] for s in STATEMENTS])
def test_a_hot_statement_goes_by_its_index_and_reads_little(
    app: Conn, use: Use, indexes: set[str], entries: int
) -> None:
    with _undone(app, BIG_COMPANY):
        explaining = Explaining(app)
        use(explaining)
    with _undone(app, BIG_COMPANY):
        read = read_by(app, use)

    assert explaining.read_whole(BIG_TABLES) == []
    assert explaining.sorts() == []
    assert indexes <= explaining.indexes()
    assert sum(read.whole.get(table, 0) for table in BIG_TABLES) == 0
    assert read.entries <= entries, read


def test_turns_about_changed_messages_are_found_by_their_conversations(app: Conn) -> None:
    changed = [quiet_window.Changed(BIG_COMPANY, n, 9, gone=True) for n in SOME]
    with _undone(app, BIG_COMPANY):
        read = read_by(
            app,
            lambda c: quiet_window.reschedule_edited(
                c, changed, quiet_s=1, quiet_max_s=5, cancels_max=2, cancel_window_s=15
            ),
        )

    assert _big_whole(read) == 0
    assert {"turns_open", "messages_company_id_conversation_id_seq_key"} <= set(read.indexes)
    assert read.entries < 1_200, read


def test_the_story_of_a_turn_is_found_by_its_company_and_number(app: Conn) -> None:
    with _undone(app, BIG_COMPANY):
        read = read_by(app, lambda c: receipts.story(c, 1, BIG_COMPANY))

    assert _big_whole(read) == 0
    assert {"turns_pkey", "receipts_pkey", "outbound_company_id_message_id_part_key"} <= set(read.indexes)
    assert read.entries < 20, read


def _big_whole(read: Touched) -> int:
    return sum(read.whole.get(table, 0) for table in BIG_TABLES)


@pytest.mark.parametrize("after_company", [0, 25, 50])
def test_claiming_a_turn_among_twelve_thousand_open_ones_reads_a_handful(app: Conn, after_company: int) -> None:
    with _undone(app):
        read = read_by(app, lambda c: claim_turn(c, after_company))

    assert _big_whole(read) == 0
    assert {"turns_due", "turns_open"} <= set(read.indexes)
    assert read.entries < 20, read


def test_claiming_a_part_among_ten_thousand_queued_ones_reads_a_handful(app: Conn) -> None:
    with _undone(app):
        read = read_by(app, lambda c: claim_part(c, 25, lease_s=15, unblock_s=60))

    assert _big_whole(read) == 0
    assert {"outbound_due", "outbound_open"} <= set(read.indexes)
    assert read.entries < 20, read


def test_a_batch_of_claims_reads_a_handful_for_each(app: Conn) -> None:
    with _undone(app):
        claimed: list[Any] = []
        read = read_by(app, lambda c: claimed.extend(turns.claim_several(c, 0, limit=50, lease_s=10)))
        parts: list[Any] = []
        read_parts = read_by(
            app, lambda c: parts.extend(outbound.claim_several(c, 25, limit=50, lease_s=15, unblock_s=60))
        )

    assert (len(claimed), len(parts)) == (50, 50)
    assert _big_whole(read) == _big_whole(read_parts) == 0
    assert read.entries < 20 * 50, read
    assert read_parts.entries < 20 * 50, read_parts


def test_looking_for_what_is_overdue_stops_at_its_bound(app: Conn) -> None:
    with _undone(app):
        read = read_by(app, lambda c: overdue.look(c, every_s=2, grace_s=1, limit=200))

    assert _big_whole(read) == 0
    assert "turns_due" in read.indexes
    assert {"outbound_due", "outbound_due_of_channel"} & set(read.indexes)
    assert read.entries <= 2 * 200 + 10, read


def test_sends_without_a_result_are_found_without_reading_the_queue(app: Conn) -> None:
    with _undone(app):
        read = read_by(app, send_results.expire_sending)

    assert _big_whole(read) == 0
    assert read.entries == 0, read


def test_renewing_a_process_leases_reads_only_these(app: Conn) -> None:
    with _undone(app):
        held = []
        for _ in range(50):
            claim = claim_turn(app)
            assert claim is not None
            held.append(claim)
        read = read_by(app, lambda c: turns.renew(c, held, lease_s=10))

    assert _big_whole(read) == 0
    assert read.entries <= 10 * 50, read  # foreign keys too: these rows changed twice in one transaction


def test_a_claimed_turn_and_its_end_cost_a_few_rows(app: Conn) -> None:
    with _undone(app, BIG_COMPANY):
        claim = claim_turn(app)
        assert claim is not None
        explaining: Any = Explaining(app)
        assert turn_contexts.load(explaining, [claim], history_lines=20, lines_max=200)
        assert turns.load(explaining, claim) is not None
        assert turns.finish(explaining, claim, "answered")

    assert explaining.read_whole(BIG_TABLES) == []
    assert {"turns_pkey", "conversations_pkey", "messages_company_id_conversation_id_seq_key"} <= explaining.indexes()


def test_a_part_from_claim_to_record_costs_a_few_rows(app: Conn) -> None:
    with _undone(app, BIG_COMPANY):
        claim = claim_part(app, lease_s=15, unblock_s=60)
        assert claim is not None
        explaining: Any = Explaining(app)
        assert outbound.load(explaining, [claim])
        attempt = begin_send(explaining, claim)
        assert attempt is not None
        assert send_results.record(explaining, claim, attempt, SendOutcome("failed", "x"), delay_s=0, duration_ms=1)
        assert send_results.fail_rest(explaining, claim.company_id, claim.outbound_id, "x") == 1

    assert explaining.read_whole((*BIG_TABLES, "delivery_attempts_default")) == []
    assert explaining.sorts() == []


def test_a_crashed_batch_is_looked_up_in_the_ledger_by_its_key(app: Conn) -> None:
    ms = int(NOW.timestamp() * 1000)
    entries = [JournalEntry("sb:journal:1", f"{ms}-{n}", "telegram", 1, NOW, b"") for n in range(200)]
    with _undone(app):
        read = read_by(app, lambda c: ledger.known(c, "sb:journal:1", entries))

    assert _big_whole(read) == 0
    assert "webhook_events_default_pkey" in read.indexes


def test_a_search_reads_the_chunks_that_have_the_words(app: Conn) -> None:
    with _undone(app, BIG_COMPANY):
        found: list[Any] = []
        read = read_by(app, lambda c: found.extend(search(c, BIG_COMPANY, "topic7 and rareword123", 8)))

    assert found[0].text.split()[2] == "rareword123"
    assert _big_whole(read) == 0
    assert "chunks_words" in read.indexes
    assert read.entries < 600, read


def test_a_search_reads_nothing_of_what_other_companies_have_of_the_words(app: Conn) -> None:
    with _undone(app, 2):  # twenty chunks beside somebody's five thousand
        found: list[Any] = []
        read = read_by(app, lambda c: found.extend(search(c, 2, "everyword shop topic7", 8)))

    assert len(found) == 8
    assert _big_whole(read) == 0
    assert read.indexes["chunks_words"] <= 20
    assert read.entries < 300, read  # small tables whole


def test_the_bodies_of_the_claims_are_planned_by_index_in_the_order_they_want(loaded: Database) -> None:
    all_companies = {"after_company": "0::bigint", "before_company": "9223372036854775807::bigint"}
    part = {"lease_s": "15::float8", "unblock_s": "60::float8", "apart": "'{standard}'::text[]"}
    with psycopg.connect(loaded.admin_url, autocommit=True) as owner:
        plans = Explaining(owner)
        for name, values in (
            ("claim_turn", {**all_companies, "lease_s": "10::float8"}),
            ("claim_outbound", {**all_companies, **part}),
            ("claim_outbound_beside", {**all_companies, **part, "shut": "'{telegram}'::text[]"}),
            ("overdue", {"grace_s": "1::float8", "lim": "200"}),
        ):
            with owner.transaction(force_rollback=True):
                plans.execute(_body(owner, name, values))

    assert plans.read_whole(BIG_TABLES) == []
    assert plans.sorts() == []
    wanted = {"turns_due", "turns_open", "outbound_due", "outbound_due_of_channel", "outbound_open"}
    assert wanted <= plans.indexes()


def _body(owner: Conn, name: str, values: dict[str, str]) -> str:
    """A function's statement with values instead of its arguments."""
    row = owner.execute("SELECT prosrc FROM pg_proc WHERE proname = %s", (name,)).fetchone()
    assert row is not None
    return re.sub(rf"\b({'|'.join(values)})\b", lambda match: values[match[1]], str(row[0]))


def test_the_balance_reads_each_stream_without_the_whole_ledger(loaded: Database) -> None:
    # its sums over states may read everything: an operator asks them, seldom
    with psycopg.connect(loaded.admin_url, autocommit=True) as owner, owner.transaction():
        explaining = Explaining(owner)
        assert balance._stored(explaining, "sb:journal:1", ("1-0",)) == []  # type: ignore[arg-type]

    assert explaining.read_whole(BIG_TABLES) == []
