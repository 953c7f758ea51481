"""The ids by which a platform names one contact, and two contacts that turn out to be one person.

An identity is a contact's id in its one spelling (see `Platform.spellings`). Who links identities or makes a contact of
unknown ones holds their locks alone, who only looks them up shares them: so nobody writes to a contact that is just
becoming part of another.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import tuple_row

from shared.store.db.pool import Conn, columns
from shared.store.inbox import moving
from shared.store.inbox.conversations import ChatKey
from shared.store.inbox.joined_rows import Rows, take
from shared.store.inbox.moving import MovedChat

_LOCKS = 512
"""Of a channel: few enough that a batch cannot use up the server's table of locks."""


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """A contact's id in its one spelling."""

    company_id: int
    channel_id: int
    identity: str


@dataclass(frozen=True, slots=True, order=True)
class Known:
    """A contact whose identity it is. external_id: by which conversations and messages name it."""

    contact_id: int
    external_id: str


def hold(conn: Conn, alone: Collection[Identity], shared: Collection[Identity]) -> None:
    """Lock identities until the transaction ends, in one order."""
    wanted: dict[tuple[int, int], bool] = {}
    for one, exclusive in (*((one, False) for one in shared), *((one, True) for one in alone)):
        place = (one.channel_id % 2**31, zlib.crc32(one.identity.encode()) % _LOCKS)
        wanted[place] = wanted.get(place, False) or exclusive
    if wanted:
        conn.execute(
            """
            /* identities.hold */
            SELECT CASE WHEN k.alone THEN pg_advisory_xact_lock(k.channel, k.bucket)
                ELSE pg_advisory_xact_lock_shared(k.channel, k.bucket) END
            FROM unnest(%s::int[], %s::int[], %s::boolean[]) AS k (channel, bucket, alone)
            """,
            columns((*place, wanted[place]) for place in sorted(wanted)),
        )


KNOWN = """
    /* identities.known */
    SELECT k.company_id, k.channel_id, k.identity, c.id, c.external_id
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS k (company_id, channel_id, identity)
    CROSS JOIN LATERAL (
        SELECT *
        FROM contact_identities i
        WHERE i.company_id = k.company_id
          AND i.channel_id = k.channel_id
          AND i.identity = k.identity
        LIMIT 1
    ) i
    CROSS JOIN LATERAL (
        SELECT *
        FROM contacts c
        WHERE c.company_id = i.company_id
          AND c.id = i.contact_id
        LIMIT 1
    ) c
"""
# Contacts from before their identities were kept.
KNOWN_BY_NAME = """
    /* identities.known_by_name */
    SELECT k.company_id, k.channel_id, k.identity, c.id, c.external_id
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[]) AS k (company_id, channel_id, identity, spelling)
    CROSS JOIN LATERAL (
        SELECT *
        FROM contacts c
        WHERE c.company_id = k.company_id
          AND c.channel_id = k.channel_id
          AND c.external_id = k.spelling
        LIMIT 1
    ) c
"""


@dataclass(frozen=True, slots=True)
class Found:
    """contacts: identity → whose it is: one contact's or, from before identities were kept, several contacts' who
    differ by the spelling. linked: those that are noted."""

    contacts: Mapping[Identity, Collection[Known]]
    linked: Collection[Identity]


def known(conn: Conn, spellings: Mapping[Identity, Sequence[str]]) -> Found:
    """Find out whose these are. spellings: identity → all its spellings."""
    found: dict[Identity, set[Known]] = {}
    if not spellings:
        return Found({}, ())
    cursor = conn.cursor(row_factory=tuple_row)
    linked = columns((one.company_id, one.channel_id, one.identity) for one in spellings)
    for company, channel, identity, contact_id, external_id in cursor.execute(KNOWN, linked):
        found.setdefault(Identity(company, channel, identity), set()).add(Known(contact_id, external_id))
    noted = frozenset(found)
    missing = [(one.company_id, one.channel_id, one.identity, spelling)
               for one, every in spellings.items() if one not in found for spelling in every]  # fmt: skip
    if missing:
        for company, channel, identity, contact_id, external_id in cursor.execute(KNOWN_BY_NAME, columns(missing)):
            found.setdefault(Identity(company, channel, identity), set()).add(Known(contact_id, external_id))
    return Found(found, noted)


LINK = """
    /* identities.link */
    INSERT INTO contact_identities AS i (company_id, channel_id, identity, contact_id, external_id)
    SELECT *
    FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::text[])
    ON CONFLICT (company_id, channel_id, identity) DO UPDATE
    SET contact_id = excluded.contact_id, external_id = excluded.external_id
    WHERE i.contact_id <> excluded.contact_id
"""


def link(conn: Conn, links: Mapping[Identity, tuple[int, str]]) -> None:
    """Note whose identities these are: identity → (contact, the id as the platform wrote it)."""
    if links:
        rows = ((one.company_id, one.channel_id, one.identity, *links[one]) for one in sorted(links))
        conn.execute(LINK, columns(rows))


def join(conn: Conn, company_id: int, channel_id: int, survivor: Known, other: Known) -> MovedChat:
    """Make two contacts one: `other`'s conversation, messages, reactions, identities and spending become `survivor`'s,
    and its row goes; also what is in the archive. Of two limits of their own `survivor`'s holds. The identities are
    held alone."""
    there = ChatKey(company_id, channel_id, other.external_id)
    moved = moving.move_chat(conn, there, survivor.external_id)
    values = {
        "company": company_id, "channel": channel_id, "contact": survivor.contact_id, "other": other.contact_id,
        "name": survivor.external_id, "other_name": other.external_id,
    }  # fmt: skip
    for statement in _JOINS:
        conn.execute(statement, values)
    take(conn, REACTIONS_OF_PERSON, company_id, other.external_id, survivor.external_id, channel=channel_id)
    for rows in (BUDGETS_OF_CONTACT, RESETS_OF_CONTACT):
        take(conn, rows, company_id, other.contact_id, survivor.contact_id)
    return moved


def rename(conn: Conn, company_id: int, channel_id: int, before: str, now: str, gone: Identity) -> None:
    """Let a contact go by another id from now on, after its conversation did. gone: the identity that is theirs no
    more, because the platform may give the number to somebody else."""
    values = {
        "company": company_id, "channel": channel_id, "before": before, "now": now, "identity": gone.identity,
    }  # fmt: skip
    conn.execute(
        """
        /* identities.rename */
        UPDATE contacts c
        SET external_id = %(now)s
        WHERE c.company_id = %(company)s
          AND c.channel_id = %(channel)s
          AND c.external_id = %(before)s
          AND NOT EXISTS (
              SELECT 1
              FROM contacts n
              WHERE n.company_id = c.company_id
                AND n.channel_id = c.channel_id
                AND n.external_id = %(now)s
          )
        """,
        values,
    )
    conn.execute(
        """
        /* identities.forget */
        DELETE FROM contact_identities
        WHERE company_id = %(company)s
          AND channel_id = %(channel)s
          AND identity = %(identity)s
        """,
        values,
    )


# A person writes in their own conversation and in groups.
JOIN_MESSAGES = """
    /* identities.join_messages */
    UPDATE messages m
    SET contact_id = %(contact)s
    FROM conversations c
    WHERE c.company_id = %(company)s
      AND c.channel_id = %(channel)s
      AND (c.chat IN (%(name)s, %(other_name)s) OR c.chat LIKE '%%@g.us')
      AND m.company_id = c.company_id
      AND m.conversation_id = c.id
      AND m.contact_id = %(other)s
"""
JOIN_ARCHIVED = """
    /* identities.join_archived */
    SELECT archive_change_contact(
        %(company)s, c.id, %(other)s, %(contact)s, c.chat IN (%(name)s, %(other_name)s)
    )
    FROM conversations c
    WHERE c.company_id = %(company)s
      AND c.channel_id = %(channel)s
      AND (c.chat IN (%(name)s, %(other_name)s) OR c.chat LIKE '%%@g.us')
      AND c.archived_seq > 0
"""
JOIN_CONVERSATIONS = """
    /* identities.join_conversations */
    UPDATE conversations
    SET contact_id = %(contact)s
    WHERE company_id = %(company)s
      AND channel_id = %(channel)s
      AND contact_id = %(other)s
"""
REACTIONS_OF_PERSON = Rows(
    "message_reactions", "sender",
    "n.channel_id = t.channel_id AND n.target = t.target AND n.chat = t.chat AND n.name = t.name",
    within="t.channel_id = %(channel)s", better="t.at > n.at",
)  # fmt: skip
# What both spent counts together; a reservation goes before what it becomes, as whoever settles one takes them.
JOIN_RESERVATIONS = """
    /* identities.join_reservations */
    UPDATE budget_reservations
    SET contact_id = %(contact)s
    WHERE company_id = %(company)s
      AND contact_id = %(other)s
"""
HOLD_DAYS = """
    /* identities.hold_days */
    SELECT 1
    FROM contact_days
    WHERE company_id = %(company)s
      AND contact_id IN (%(contact)s, %(other)s)
    ORDER BY contact_id, day
    FOR UPDATE
"""
JOIN_DAYS = """
    /* identities.join_days */
    WITH gone AS (
        DELETE FROM contact_days
        WHERE company_id = %(company)s
          AND contact_id = %(other)s
        RETURNING day, cost_micros
    )
    INSERT INTO contact_days AS d (company_id, contact_id, day, cost_micros)
    SELECT %(company)s, %(contact)s, day, cost_micros
    FROM gone
    ORDER BY day
    ON CONFLICT (company_id, contact_id, day) DO UPDATE
    SET cost_micros = d.cost_micros + excluded.cost_micros
"""
JOIN_CALLS = """
    /* identities.join_calls */
    UPDATE llm_calls
    SET contact_id = %(contact)s
    WHERE company_id = %(company)s
      AND contact_id = %(other)s
"""
JOIN_ANSWERS = """
    /* identities.join_answers */
    WITH gone AS (
        DELETE FROM contact_answers
        WHERE company_id = %(company)s
          AND contact_id = %(other)s
        RETURNING answered_at, told_at
    )
    INSERT INTO contact_answers AS w (company_id, contact_id, answered_at, told_at)
    SELECT %(company)s, %(contact)s, answered_at, told_at
    FROM gone
    ON CONFLICT (company_id, contact_id) DO UPDATE
    SET answered_at = w.answered_at || excluded.answered_at, told_at = greatest(w.told_at, excluded.told_at)
"""
BUDGETS_OF_CONTACT = Rows("budgets", "contact_id", "n.scope = t.scope", within="t.scope = 'contact'")
RESETS_OF_CONTACT = Rows("budget_resets", "contact_id", "true", better="t.day > n.day")
JOIN_NAME = """
    /* identities.join_name */
    UPDATE contacts c
    SET name = o.name
    FROM contacts o
    WHERE c.company_id = %(company)s
      AND c.id = %(contact)s
      AND c.name IS NULL
      AND o.company_id = c.company_id
      AND o.id = %(other)s
"""
JOIN_IDENTITIES = """
    /* identities.join_identities */
    UPDATE contact_identities
    SET contact_id = %(contact)s
    WHERE company_id = %(company)s
      AND contact_id = %(other)s
"""
DELETE_OTHER = """
    /* identities.delete_other */
    DELETE FROM contacts o
    WHERE o.company_id = %(company)s
      AND o.id = %(other)s
"""
_JOINS = (
    JOIN_MESSAGES, JOIN_ARCHIVED, JOIN_CONVERSATIONS, JOIN_RESERVATIONS, HOLD_DAYS, JOIN_DAYS, JOIN_CALLS,
    JOIN_ANSWERS, JOIN_NAME,
    JOIN_IDENTITIES, DELETE_OTHER,
)  # fmt: skip


def of_contacts(conn: Conn, company_id: int, contact_ids: Iterable[int]) -> dict[int, list[str]]:
    """Contact → every id that its platform has named it by."""
    rows = conn.cursor(row_factory=tuple_row).execute(
        """
        /* identities.of_contacts */
        SELECT contact_id, external_id
        FROM contact_identities
        WHERE company_id = %s
          AND contact_id = ANY (%s::bigint[])
        ORDER BY contact_id, created_at, identity
        """,
        (company_id, list(contact_ids)),
    )
    found: dict[int, list[str]] = {}
    for contact_id, external_id in rows:
        found.setdefault(contact_id, []).append(external_id)
    return found
