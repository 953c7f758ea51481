"""Messages: what was said, in order, each once.

The oldest ones of a long, quiet conversation may be in the archive, and the functions here read them there. Seqs have
no gaps, so a gap before the first row says that there are archived ones; where there is none, nothing more is asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Literal, Protocol, TypeVar

from psycopg.rows import class_row, scalar_row, tuple_row

from shared.model import Attachment
from shared.store.db.pool import Conn, columns
from shared.store.inbox import archived


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A customer's message, or one that somebody else wrote in our name (role `agent`), with its place in the
    conversation (seq, from 1, without gaps). received_at: of the request; not stored. edited_at, edits, deleted_at: of
    what came before (see `changes`). automatic: why no person wrote it for us."""

    company_id: int
    conversation_id: int
    channel_id: int
    seq: int
    contact_id: int | None
    dedupe_key: str
    external_id: str | None
    reply_to: str | None
    text: str | None
    attachments: tuple[Attachment, ...]
    sent_at: datetime | None
    received_at: datetime
    role: Literal["customer", "agent"] = "customer"
    edited_at: datetime | None = None
    edits: tuple[str, ...] = ()
    deleted_at: datetime | None = None
    automatic: str | None = None


Key = tuple[int, int, str]
"""(company, channel, dedupe key)"""


def preview(text: str | None, attachments: Sequence[Attachment]) -> str:
    """A message in one line: its text, else what was attached in words, else the type and name of that."""
    if text or not attachments:
        return text or ""
    return attachments[0].in_words() or f"[{attachments[0].type}] {attachments[0].name or ''}".rstrip()


# LIMIT 1: one look into the index for each key. As a join the planner reads all of a company's keys.
EXISTING_KEYS = """
    /* messages.existing_keys */
    SELECT k.company_id, k.channel_id, k.dedupe_key
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, dedupe_key)
    CROSS JOIN LATERAL (
        SELECT 1
        FROM messages m
        WHERE m.company_id = k.company_id
          AND m.channel_id = k.channel_id
          AND m.dedupe_key = k.dedupe_key
        UNION ALL
        SELECT 1
        FROM archived_keys a
        WHERE a.company_id = k.company_id
          AND a.channel_id = k.channel_id
          AND a.key_hash = dedupe_key_hash(k.dedupe_key)
        LIMIT 1
    ) m
"""


def existing_keys(conn: Conn, keys: Sequence[Key]) -> set[Key]:
    """Which of these are stored already. The conversations must be locked, so that the answer stays true."""
    if not keys:
        return set()
    return set(conn.cursor(row_factory=tuple_row).execute(EXISTING_KEYS, columns(keys)).fetchall())


ADD = """
    /* messages.add */
    INSERT INTO messages (
        company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, external_id, reply_to, text,
        attachments, sent_at, edited_at, edits, deleted_at, automatic
    )
    SELECT company_id, conversation_id, channel_id, seq, role, contact_id, dedupe_key, external_id, reply_to, text,
        attachments::jsonb, sent_at, edited_at,
        CASE WHEN edits IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(edits::jsonb)) END, deleted_at,
        automatic
    FROM unnest(
        %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[],
        %s::text[]
    ) AS n (
        company_id, conversation_id, channel_id, seq, contact_id, dedupe_key, external_id, reply_to, text, attachments,
        sent_at, role, edited_at, edits, deleted_at, automatic
    )
    RETURNING company_id, channel_id, dedupe_key, id
"""


def add(conn: Conn, new: Sequence[NewMessage]) -> dict[Key, int]:
    """Insert messages that came in; returns their ids. A second copy is a UniqueViolation: look first."""
    if not new:
        return {}
    rows = conn.cursor(row_factory=tuple_row).execute(
        ADD,
        [
            [m.company_id for m in new],
            [m.conversation_id for m in new],
            [m.channel_id for m in new],
            [m.seq for m in new],
            [m.contact_id for m in new],
            [m.dedupe_key for m in new],
            [m.external_id for m in new],
            [m.reply_to for m in new],
            [m.text for m in new],
            [json.dumps([a.as_json() for a in m.attachments]) if m.attachments else None for m in new],
            [m.sent_at for m in new],
            [m.role for m in new],
            [m.edited_at for m in new],
            [json.dumps(m.edits) if m.edits else None for m in new],
            [m.deleted_at for m in new],
            [m.automatic for m in new],
        ],
    )
    return {(company, channel, key): id_ for company, channel, key, id_ in rows}


def ask(conn: Conn, asked: Mapping[tuple[int, int], tuple[str, str | None]]) -> None:
    """Make messages (company, id) that asked nobody ones that ask us: (their key from now on, what they say now)."""
    if asked:
        conn.execute(
            """
            /* messages.ask */
            UPDATE messages m
            SET dedupe_key = n.dedupe_key,
                text = CASE WHEN m.deleted_at IS NULL THEN coalesce(n.text, m.text) END
            FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS n (company_id, id, dedupe_key, text)
            WHERE m.company_id = n.company_id
              AND m.id = n.id
            """,
            columns((*place, key, text) for place, (key, text) in asked.items()),
        )


def add_own(
    conn: Conn,
    company_id: int,
    conversation_id: int,
    channel_id: int,
    seq: int,
    role: str,
    text: str,
    *,
    dedupe_key: str | None = None,
    request_hash: bytes | None = None,
) -> int:
    """Insert a message of the bot's or of an agent's; returns its id. request_hash: of the request that brought it, by
    which the same key with another body is told."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.add_own */
        INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text, dedupe_key, request_hash)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        RETURNING id
        """,
        (company_id, conversation_id, channel_id, seq, role, text, dedupe_key, request_hash),
    )
    message_id: int | None = cursor.fetchone()
    assert message_id is not None
    return message_id


def id_of_key(conn: Conn, company_id: int, channel_id: int, dedupe_key: str) -> int | None:
    """The message that was stored under this key."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.id_of_key */
        SELECT id
        FROM messages
        WHERE company_id = %s
          AND channel_id = %s
          AND dedupe_key = %s
        """,
        (company_id, channel_id, dedupe_key),
    )
    return cursor.fetchone() or archived.id_of_key(conn, company_id, channel_id, dedupe_key)


def request_hash(conn: Conn, company_id: int, message_id: int) -> bytes | None:
    """The hash of the request that brought a message; None where there was none, or the message is archived."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.request_hash */
        SELECT request_hash
        FROM messages
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, message_id),
    )
    return cursor.fetchone()


_NUMBER_DIGITS_MAX = 18


def sequence_of(external_id: str | None) -> int | None:
    """A message's number on platforms that count them, which orders those of one second."""
    numeric = external_id is not None and external_id.isascii() and external_id.isdigit()
    return int(external_id) if external_id and numeric and len(external_id) <= _NUMBER_DIGITS_MAX else None


class Timed(Protocol):
    @property
    def role(self) -> str: ...

    @property
    def sent_at(self) -> datetime | None: ...

    @property
    def sequence(self) -> int | None: ...


T = TypeVar("T", bound=Timed)


def in_platform_order(lines: Sequence[T]) -> list[T]:
    """Messages in the order of their seqs as a reader should meet them: what a customer wrote in one go by the
    platform's time of it, then by its number there. Without a time a message keeps its place."""
    ordered: list[T] = []
    for by_customer, group in groupby(lines, lambda one: one.role == "customer" and one.sent_at is not None):
        run = list(group)
        ordered += sorted(run, key=_place) if by_customer else run
    return ordered


def _place(one: Timed) -> tuple[datetime | None, int]:
    return one.sent_at, one.sequence or 0


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the inbox shows it. sent_at, sequence: the platform's time and number of it, None if it told none.
    edited_at, deleted_at: what its author did with it since; a deleted one has no words. automatic: why no person wrote
    it for us. delivery: how far ours got (see `statuses.of_messages`). reactions: person → emoji."""

    id: int
    seq: int
    role: str
    text: str | None
    attachments: list[dict[str, Any]] | None
    created_at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    delivery: str | None = None
    reactions: dict[str, str] = field(default_factory=dict)
    sent_at: datetime | None = None
    sequence: int | None = None
    automatic: str | None = None


def _as_shown(m: archived.Message) -> Shown:
    return Shown(
        m.id, m.seq, m.role, m.text, m.attachments, m.created_at, m.edited_at, m.deleted_at,
        sent_at=m.sent_at, sequence=sequence_of(m.external_id), automatic=m.automatic,
    )  # fmt: skip


PAGE_CHARS = 500_000
"""Of texts and attachments as JSON: when a page that goes over HTTP has so many, it ends, whatever its limit."""

PAGE = """
    /* messages.page */
    SELECT id, seq, role, text, attachments, created_at, edited_at, deleted_at, sent_at, sequence, automatic
    FROM (
        SELECT *, sum(chars) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - chars AS chars_before
        FROM (
            SELECT id, seq, role, text, attachments, created_at, edited_at, deleted_at, sent_at, automatic,
                CASE WHEN external_id ~ '^[0-9]{1,18}$' THEN external_id::bigint END AS sequence,
                coalesce(length(text), 0) + coalesce(length(attachments::text), 0) AS chars
            FROM messages
            WHERE company_id = %(company)s
              AND conversation_id = %(conversation)s
              AND seq > %(after)s
            ORDER BY seq
            LIMIT %(limit)s
        ) one
    ) counted
    WHERE %(chars)s::bigint IS NULL
       OR chars_before < %(chars)s
"""


def page(
    conn: Conn, company_id: int, conversation_id: int, *, after_seq: int = 0, limit: int = 100,
    chars_max: int | None = None,
) -> list[Shown]:  # fmt: skip
    """Messages behind `after_seq`, at least one where there is any, in the platform's order; the next page is behind
    the highest seq of them. chars_max: with that many the page ends."""
    values = {
        "company": company_id, "conversation": conversation_id, "after": after_seq, "limit": limit, "chars": chars_max,
    }  # fmt: skip
    # sorted here: an ORDER BY outside the window would sort once more what comes sorted out of the index
    rows = conn.cursor(row_factory=class_row(Shown)).execute(PAGE, values)
    found = sorted(rows, key=lambda line: line.seq)
    if not found or found[0].seq == after_seq + 1:
        return in_platform_order(found)
    older = [_as_shown(m) for m in archived.after(conn, company_id, conversation_id, after_seq, limit=limit)]
    return in_platform_order(_within([*older, *found][:limit], chars_max))


@dataclass(frozen=True, slots=True)
class Line:
    """A message as a visitor of the widget sees it. client_id: the visitor's own id of it."""

    seq: int
    role: str
    text: str | None
    client_id: str | None
    created_at: datetime


# The conversation as a sub-select: joined, its one row would not keep the index's order.
OF_CHAT = """
    /* messages.of_chat */
    SELECT seq, role, text, external_id AS client_id, created_at
    FROM messages
    WHERE company_id = %s
      AND conversation_id = (
          SELECT id
          FROM conversations
          WHERE company_id = %s
            AND channel_id = %s
            AND chat = %s
      )
      AND seq > %s
    ORDER BY seq
    LIMIT %s
"""


def of_chat(
    conn: Conn, company_id: int, channel_id: int, chat: str, *, after_seq: int = 0, limit: int = 100,
    chars_max: int | None = None,
) -> list[Line]:  # fmt: skip
    """A chat's messages in order; none while it has no conversation. chars_max: as `page` has it."""
    values = (company_id, company_id, channel_id, chat, after_seq, limit)
    found = conn.cursor(row_factory=class_row(Line)).execute(OF_CHAT, values).fetchall()
    if not found or found[0].seq == after_seq + 1:
        return _within(found, chars_max)
    older = archived.after(conn, company_id, _of_chat(conn, company_id, channel_id, chat), after_seq, limit=limit)
    whole = [*(Line(m.seq, m.role, m.text, m.external_id, m.created_at) for m in older), *found][:limit]
    return _within(whole, chars_max)


def _of_chat(conn: Conn, company_id: int, channel_id: int, chat: str) -> int:
    """The conversation of a chat that has messages."""
    cursor = conn.cursor(row_factory=scalar_row)
    cursor.execute(
        """
        /* messages.of_chat */
        SELECT id
        FROM conversations
        WHERE company_id = %s
          AND channel_id = %s
          AND chat = %s
        """,
        (company_id, channel_id, chat),
    )
    conversation_id: int | None = cursor.fetchone()
    assert conversation_id is not None
    return conversation_id


M = TypeVar("M", Shown, Line)


def _within(lines: list[M], chars_max: int | None) -> list[M]:
    """As PAGE ends a page, where it or a part of it was read otherwise."""
    chars, kept = 0, []
    for line in lines:
        if chars_max is not None and chars >= chars_max:
            break
        kept.append(line)
        chars += len(line.text or "")
        if isinstance(line, Shown) and line.attachments:
            chars += len(json.dumps(line.attachments))
    return kept
