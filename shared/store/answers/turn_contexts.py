"""What answering turns needs, read for several turns of several companies at a time: two statements, however many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal

from psycopg.rows import dict_row, tuple_row

from shared.model import Attachment, ChatLine
from shared.store.answers.turns import Claim, Turn
from shared.store.assistants.assistants import Assistant
from shared.store.db.pool import Conn, columns
from shared.store.inbox import platform_order
from shared.store.knowledge.filters import Filter
from shared.store.tenants.companies import Company

Role = Literal["customer", "bot", "agent"]
FORM = "form"
"""The answers to a form: the message's text says them already."""
BESIDE = frozenset({FORM, "ad", "product", "choice"})
"""What stands beside a customer's words and is no attachment of theirs: the advertisement or product that they come
from, the rest of what they chose."""

_TURN = tuple(one.name for one in fields(Turn))
_COMPANY = tuple(one.name for one in fields(Company))
_ASSISTANT = tuple(one.name for one in fields(Assistant))
"""Fields, which the columns below are named after; a company's begin with `company_`, an assistant's so, too."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A claimed turn. credentials: its channel's, encrypted as stored. tokens_today: the company's (UTC), counted
    only where it has a budget. where: what the conversation's questions are answered from; None: all. lines: of its
    conversation as (seq, line), oldest first. answered: numbers of messages between its first and its last that other
    turns have answered. bot_step, bot_step_at, misses: as in conversations. day_ahead_s: how far the bot's answers are
    ahead of their pace. silenced: it gives none for now, because they were too far ahead. language: the platform's code
    of the sender, as ISO 639-1. status, return_untold: as in conversations. handle: the channel's name on its platform,
    where it has one. assistant: the channel's. contact_id: who wrote the turn's last message; None if they were erased.
    answers_hour: how many answers they had in the last hour, in all of their chats. limit_told: in that hour they were
    told that they had too many."""

    turn: Turn
    company: Company
    assistant: Assistant
    credentials: bytes
    tokens_today: int
    where: Filter | None
    bot_step: str | None = None
    bot_step_at: datetime | None = None
    misses: int = 0
    day_ahead_s: float = 0.0
    silenced: bool = False
    language: str | None = None
    status: str = "open"
    handle: str | None = None
    return_untold: bool = False
    contact_id: int | None = None
    answers_hour: int = 0
    limit_told: bool = False
    lines: list[tuple[int, ChatLine]] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)


# LIMIT 1: one look into the index for each claim. As a join the planner may read all open turns.
LOAD = """
    /* turn_contexts.load */
    SELECT t.company_id, t.id, t.conversation_id, t.channel_id, t.epoch, t.attempts, t.first_seq, t.last_seq,
        t.received_at, t.due_at, coalesce(c.migrated_to, c.chat) AS chat, h.platform, c.bot_enabled, c.message_count,
        t.request_id, h.external_id AS account, c.last_customer_message AS last_message, c.last_customer_at,
        greatest(coalesce(extract(epoch FROM t.quiet_until - clock_timestamp())::float8, 0), 0) AS quiet_left_s,
        o.slug AS company_slug, o.name AS company_name, o.daily_token_budget AS company_daily_token_budget,
        a.id AS assistant_id, a.kind AS assistant_kind, a.is_default AS assistant_is_default,
        a.name AS assistant_name, a.language AS assistant_language, a.texts AS assistant_texts,
        a.on_miss AS assistant_on_miss, a.misses_max AS assistant_misses_max, a.on_wish AS assistant_on_wish,
        a.return_after_s AS assistant_return_after_s, a.hours AS assistant_hours,
        a.time_zone AS assistant_time_zone, h.handle, h.credentials,
        CASE
            WHEN o.daily_token_budget IS NOT NULL THEN (
                SELECT u.tokens_in + u.tokens_out
                FROM usage_daily u
                WHERE u.company_id = t.company_id
                  AND u.day = (now() AT TIME ZONE 'UTC')::date
            )
        END AS tokens_today,
        (
            SELECT f.wanted
            FROM chat_filters f
            WHERE f.company_id = t.company_id
              AND f.conversation_id = t.conversation_id
        ) AS wanted,
        c.bot_step, c.bot_step_at, c.misses, c.language, c.status, c.return_untold,
        coalesce(extract(epoch FROM c.day_answers_until - now())::float8, 0) AS day_ahead_s,
        coalesce(c.silent_until > now(), false) AS silenced,
        w.contact_id, coalesce(w.answers_hour, 0) AS answers_hour, coalesce(w.limit_told, false) AS limit_told
    FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS k (company_id, id, epoch)
    CROSS JOIN LATERAL (
        SELECT *
        FROM turns t
        WHERE t.company_id = k.company_id
          AND t.id = k.id
          AND t.epoch = k.epoch
          AND t.state = 'answering'
        LIMIT 1
    ) t
    CROSS JOIN LATERAL (
        SELECT *
        FROM conversations c
        WHERE c.company_id = t.company_id
          AND c.id = t.conversation_id
        LIMIT 1
    ) c
    CROSS JOIN LATERAL (
        SELECT *
        FROM channels h
        WHERE h.company_id = t.company_id
          AND h.id = t.channel_id
        LIMIT 1
    ) h
    CROSS JOIN LATERAL (
        SELECT *
        FROM assistants a
        WHERE a.company_id = h.company_id
          AND a.id = h.assistant_id
        LIMIT 1
    ) a
    JOIN companies o ON o.id = t.company_id
    CROSS JOIN LATERAL (
        SELECT asker.contact_id, n.answers_hour, n.limit_told
        FROM (
            SELECT coalesce(
                (
                    SELECT m.contact_id
                    FROM messages m
                    WHERE m.company_id = t.company_id
                      AND m.conversation_id = t.conversation_id
                      AND m.seq = t.last_seq
                ),
                c.contact_id
            ) AS contact_id
        ) AS asker
        LEFT JOIN LATERAL (
            SELECT
                (
                    SELECT count(*)
                    FROM unnest(k.answered_at) AS a
                    WHERE a > now() - interval '1 hour'
                ) AS answers_hour,
                k.told_at > now() - interval '1 hour' AS limit_told
            FROM contact_answers k
            WHERE k.company_id = t.company_id
              AND k.contact_id = asker.contact_id
            LIMIT 1
        ) n ON true
    ) w
"""


def load(conn: Conn, claims: Sequence[Claim], *, history_lines: int, lines_max: int) -> dict[Claim, Loaded]:
    """Read the claimed turns; those whose lease is gone are left out.

    Each comes with its own lines and history_lines before them, at most lines_max. The transaction works for their
    companies.
    """
    rows = conn.cursor(row_factory=dict_row).execute(
        LOAD,
        ([c.company_id for c in claims], [c.turn_id for c in claims], [c.epoch for c in claims]),
        prepare=True,
    )
    found: dict[Claim, Loaded] = {}
    for row in rows.fetchall():
        turn = Turn(**{name: row[name] for name in _TURN})
        company = Company(**{name: row[f"company_{name}"] for name in _COMPANY})
        assistant = Assistant(**{name: row[f"assistant_{name}"] for name in _ASSISTANT})
        where = Filter.from_json(row["wanted"]) if isinstance(row["wanted"], dict) else None
        found[Claim(turn.company_id, turn.id, turn.epoch)] = Loaded(
            turn, company, assistant, bytes(row["credentials"]), int(row["tokens_today"] or 0), where,
            bot_step=row["bot_step"], bot_step_at=row["bot_step_at"], misses=row["misses"],
            day_ahead_s=row["day_ahead_s"],
            silenced=row["silenced"], language=row["language"], status=row["status"], handle=row["handle"],
            return_untold=row["return_untold"], contact_id=row["contact_id"],
            answers_hour=row["answers_hour"], limit_told=row["limit_told"],
        )  # fmt: skip
    _add_lines(conn, list(found.values()), history_lines, lines_max)
    return found


LINES = """
    /* turn_contexts.lines */
    SELECT k.place, m.seq, m.role, m.automatic IS NOT NULL, coalesce(m.text, ''),
        coalesce(m.attachments, '[]'), m.sent_at,
        CASE WHEN m.external_id ~ '^[0-9]{1,18}$' THEN m.external_id::bigint END AS sequence
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        WITH ORDINALITY AS k (company_id, conversation_id, up_to_seq, lines, place)
    CROSS JOIN LATERAL (
        SELECT *
        FROM messages m
        WHERE m.company_id = k.company_id
          AND m.conversation_id = k.conversation_id
          AND m.seq <= k.up_to_seq
          AND m.deleted_at IS NULL
        ORDER BY m.seq DESC
        LIMIT k.lines
    ) m
"""


@dataclass(frozen=True, slots=True)
class _Read:
    seq: int
    role: str
    sent_at: datetime | None
    sequence: int | None
    line: ChatLine


def _add_lines(conn: Conn, loaded: Sequence[Loaded], history_lines: int, lines_max: int) -> None:
    if not loaded:
        return
    turns = [one.turn for one in loaded]
    rows = conn.cursor(row_factory=tuple_row).execute(
        LINES,
        (
            [t.company_id for t in turns],
            [t.conversation_id for t in turns],
            [t.message_count for t in turns],
            [min(history_lines + t.message_count - t.first_seq + 1, lines_max) for t in turns],
        ),
        prepare=True,
    )
    read: dict[int, list[_Read]] = defaultdict(list)
    for place, seq, role, automatic, text, attachments, sent_at, sequence in rows:
        line = _line(role, automatic, text, [Attachment.from_json(one) for one in attachments])
        read[place].append(_Read(seq, role, sent_at, sequence, line))
    for place, lines in read.items():
        lines.sort(key=lambda one: one.seq)
        loaded[place - 1].lines.extend((one.seq, one.line) for one in platform_order.in_platform_order(lines))
    _add_answered(conn, loaded)


ANSWERED = """
    /* turn_contexts.answered */
    SELECT k.place, o.state = 'cancelled', o.first_seq, o.last_seq
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        WITH ORDINALITY AS k (company_id, conversation_id, first_seq, last_seq, place)
    JOIN turns o
        ON o.company_id = k.company_id
        AND o.conversation_id = k.conversation_id
        AND o.last_seq >= k.first_seq
        AND o.first_seq <= k.last_seq
    WHERE o.state IN ('answered', 'handed_over', 'no_reply', 'cancelled')
"""


def _add_answered(conn: Conn, loaded: Sequence[Loaded]) -> None:
    """Which messages of a turn have had their answer, from the bot or from a person: of one that an older message has
    joined, because it was edited so that it asks. Only then is anybody else's message between a turn's."""
    mixed = [one for one in loaded if _is_mixed(one)]
    if not mixed:
        return
    rows = conn.cursor(row_factory=tuple_row).execute(
        ANSWERED,
        columns((one.turn.company_id, one.turn.conversation_id, one.turn.first_seq, one.turn.last_seq)
                for one in mixed),
    )  # fmt: skip
    for place, cancelled, first_seq, last_seq in rows:
        one = mixed[place - 1]
        if not cancelled or any(_is_person_s(line) and last_seq < seq < one.turn.last_seq for seq, line in one.lines):
            one.answered.update(range(first_seq, last_seq + 1))


def _is_person_s(line: ChatLine) -> bool:
    return line.role == "agent" and not line.automatic


def _is_mixed(one: Loaded) -> bool:
    first, last = one.turn.first_seq, one.turn.last_seq
    return last > first and any(first < seq < last and line.role != "customer" for seq, line in one.lines)


def _line(role: Role, automatic: bool, text: str, attachments: Sequence[Attachment]) -> ChatLine:
    told = tuple((one.type, words) for one in attachments if (words := one.in_words()) and one.type != FORM)
    attached = tuple(one.type for one in attachments if one.type not in BESIDE)
    return ChatLine(role, text, attached, told, automatic)
