"""An inbox of a thousand conversations beside one of a million: listing, opening, reading, and one more message."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Composed, Literal

from shared.embedded import Database
from shared.store.inbox import company_totals, conversation_list, conversations
from shared.store.inbox.conversation_list import Listed
from tests.factories import Bot, make_bot, update
from tests.factories import Inbox as WayIn

SMALL, LARGE = 1_000, 1_000_000
ROUNDS = 4
SAMPLES = 150
"""A round, of each operation in each inbox; the inboxes take turns."""
WARM_UP = 30

# One company with `size` conversations of two messages, in no order of their times, a third of them unread.
# What each of them left in the other tables stands there, too. Constraint triggers rest: a million look-ups of one row.
_LOAD = (
    "SET session_replication_role = replica",
    """
        INSERT INTO contacts (company_id, channel_id, external_id, name)
        SELECT {company}, {channel}, n, 'Customer ' || n
        FROM generate_series(1, {size}) n
    """,
    """
        INSERT INTO conversations (company_id, channel_id, chat, contact_id, message_count, customer_seq,
            read_seq, last_message_id, last_message_at, last_message_role, last_message_preview)
        SELECT {company}, {channel}, n, n, 2, 1, (n % 3 > 0)::int, 2 * n,
            now() - n::bigint * 7919 % {size} * interval '1 second', 'bot', 'We open at nine in the morning.'
        FROM generate_series(1, {size}) n
    """,
    """
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, text)
        SELECT {company}, n, {channel}, seq, CASE seq WHEN 1 THEN 'customer' ELSE 'bot' END, n,
            CASE seq WHEN 1 THEN 'loaded:' || n END, 'some words in a message'
        FROM generate_series(1, {size}) n, generate_series(1, 2) seq
    """,
    """
        INSERT INTO turns (company_id, conversation_id, channel_id, state, first_seq, last_seq, received_at,
            due_at)
        SELECT {company}, n, {channel}, 'answered', 1, 1, now(), now()
        FROM generate_series(1, {size}) n
    """,
    """
        INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id,
            kind, outcome)
        SELECT current_date, 'sb:journal:' || n % 16, n || '-0', 0, now(), 'telegram', {app}, {company},
            'message', 'effected'
        FROM generate_series(1, {size}) n
    """,
    """
        UPDATE company_totals
        SET customer_messages = s.messages, unread = s.unread
        FROM (SELECT sum(customer_seq) AS messages, sum(customer_seq - read_seq) AS unread FROM conversations) s
    """,
)


@dataclass(slots=True)
class Samples:
    """Milliseconds."""

    ms: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        return sorted(self.ms)[int(len(self.ms) * share)]


class Inbox:
    """One company's, alone in its database, loaded and analysed."""

    def __init__(self, size: int, database: Database, superuser_url: str, redis_url: str) -> None:
        self.size = size
        self._bot = make_bot(database.admin_url)
        self.load_s = _load(make_conninfo(superuser_url, dbname=database.name), size, self._bot)
        self._way_in = WayIn(database, redis_url)
        self._rng = random.Random(size)

    def close(self) -> None:
        self._way_in.close()

    def operations(self) -> dict[str, Callable[[], float]]:
        """Each returns the milliseconds that it took."""
        return {
            "first page of the list, with the total": self._first_page,
            "a page from its middle": self._middle_page,
            "one conversation's head": self._head,
            "marked as read": self._mark_read,
            "one message stored": self._store,
        }

    def _any(self) -> int:
        return self._rng.randint(1, self.size)

    def _timed(self, work: Callable[[psycopg.Connection[tuple[object, ...]]], object]) -> float:
        began_s = time.perf_counter()
        with self._way_in.db.transaction(self._bot.company_id) as conn:
            work(conn)
        return (time.perf_counter() - began_s) * 1000

    def _first_page(self) -> float:
        company = self._bot.company_id
        return self._timed(
            lambda conn: (company_totals.unread_total(conn, company), conversation_list.recent(conn, company, limit=50))
        )

    def _middle_page(self) -> float:
        before = self._one()
        return self._timed(
            lambda conn: conversation_list.recent(
                conn, self._bot.company_id, limit=50, before=before.last_message_at, before_id=before.id
            )
        )

    def _one(self) -> Listed:
        with self._way_in.db.transaction(self._bot.company_id) as conn:
            found = conversation_list.one(conn, self._bot.company_id, self._any())
        assert found is not None
        return found

    def _head(self) -> float:
        conversation_id = self._any()
        return self._timed(lambda conn: conversation_list.one(conn, self._bot.company_id, conversation_id))

    def _mark_read(self) -> float:
        conversation_id = self._any()
        return self._timed(lambda conn: conversations.mark_read(conn, self._bot.company_id, conversation_id))

    def _store(self) -> float:
        stream = self._way_in.journal(self._bot, update("One more question about it", chat=self._any()))
        began_s = time.perf_counter()
        stored = self._way_in.drain.drain(stream)
        spent_ms = (time.perf_counter() - began_s) * 1000
        assert stored is not None
        assert stored.effected == 1
        return spent_ms


def _load(url: str, size: int, bot: Bot) -> float:
    began_s = time.perf_counter()
    values = {"size": size, "company": bot.company_id, "channel": bot.channel_id, "app": bot.app_id}
    with psycopg.connect(url, autocommit=True) as conn:
        for statement in _LOAD:
            conn.execute(_filled(statement, values))
        conn.execute("VACUUM ANALYZE")
        conn.execute("CHECKPOINT")  # or its writes would fall into what is measured
    return time.perf_counter() - began_s


def _filled(statement: str, values: dict[str, int]) -> Composed:
    return SQL(statement).format(**{name: Literal(value) for name, value in values.items()})


def measure(inboxes: Sequence[Inbox]) -> dict[str, list[Samples]]:
    """Operation → what it took in each inbox."""
    found: dict[str, list[Samples]] = {}
    for number in range(ROUNDS):
        for at, inbox in enumerate(inboxes):
            for name, operation in inbox.operations().items():
                samples = found.setdefault(name, [Samples() for _ in inboxes])[at]
                for _ in range(0 if number else WARM_UP):
                    operation()
                samples.ms.extend(operation() for _ in range(SAMPLES))
    for inbox in inboxes:
        inbox.close()
    return found


def lines(sizes: Sequence[int], measured: dict[str, list[Samples]]) -> list[str]:
    small, large = sizes
    said = [f"an inbox of {small:,} and one of {large:,} conversations, ms (p50 / p95), ratio of p50:"]
    for name, (few, many) in measured.items():
        said.append(
            f"  {name:40} {few.percentile(0.5):6.2f} / {few.percentile(0.95):6.2f}"
            f"   {many.percentile(0.5):6.2f} / {many.percentile(0.95):6.2f}"
            f"   {many.percentile(0.5) / few.percentile(0.5):.2f}"
        )
    return said
