"""Stores assistants: how a company's turns are answered, in which words, and when a person gets the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from psycopg import errors, sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from shared.names import name_of
from shared.store.db.pool import Conn

SUPPORT = "support"
ANY_LANGUAGE = "*"
"""Among an assistant's texts: for every language that has none of its own."""


@dataclass(frozen=True, slots=True)
class Assistant:
    """texts: {name: {language: text}} where there are words of one's own; shared/triage/texts.py has the others.
    language: as ISO 639-1, for who writes in one that has no texts, or too little to tell. on_miss, misses_max: what
    happens where nothing relevant is known. on_wish: what happens where a person is wished for. return_after_s: after a
    handover the bot answers again once nobody has written for so long; None: never by itself. hours, time_zone: when
    the team is there, as hours.parse() takes them."""

    id: int
    kind: str
    is_default: bool
    name: str
    language: str | None = None
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    on_miss: str = "offer"
    misses_max: int = 3
    on_wish: str = "hand_over"
    return_after_s: int | None = 43_200
    hours: str = ""
    time_zone: str = "UTC"

    def own_text(self, name: str, language: str | None) -> str | None:
        """Words of one's own under this name, in this language or in any; None: the built-in ones hold."""
        by_language = self.texts.get(name, {})
        return by_language.get(language or "") or by_language.get(ANY_LANGUAGE)

    def own_texts(self) -> list[str]:
        return [text for by_language in self.texts.values() for text in by_language.values()]


class NameTaken(ValueError):
    """Another of the company's has this name, or one that differs only in case."""


class NoSuchChannel(LookupError):
    """The company has no such channel."""


OF_COMPANY = """
    /* assistants.of_company */
    SELECT id, kind, is_default, name, language, texts, on_miss, misses_max, on_wish, return_after_s, hours, time_zone
    FROM assistants
    WHERE company_id = %s
      AND id > %s
    ORDER BY id
    LIMIT %s
"""
BY_ID = """
    /* assistants.by_id */
    SELECT id, kind, is_default, name, language, texts, on_miss, misses_max, on_wish, return_after_s, hours, time_zone
    FROM assistants
    WHERE company_id = %s
      AND id = %s
    FOR UPDATE
"""
OF_CHANNEL = """
    /* assistants.of_channel */
    SELECT a.id, a.kind, a.is_default, a.name, a.language, a.texts, a.on_miss, a.misses_max, a.on_wish,
        a.return_after_s, a.hours, a.time_zone
    FROM channels h
    JOIN assistants a ON a.company_id = h.company_id AND a.id = h.assistant_id
    WHERE h.company_id = %s
      AND h.id = %s
"""


def of_company(conn: Conn, company_id: int, *, after_id: int = 0, limit: int | None = None) -> list[Assistant]:
    """List a company's assistants, oldest first. limit: how many at most; None: all."""
    cursor = conn.cursor(row_factory=class_row(Assistant))
    return cursor.execute(OF_COMPANY, (company_id, after_id, limit)).fetchall()


def by_id(conn: Conn, company_id: int, assistant_id: int) -> Assistant | None:
    """Find one, locked until the transaction ends, so that of two who change it neither undoes the other's change."""
    return conn.cursor(row_factory=class_row(Assistant)).execute(BY_ID, (company_id, assistant_id)).fetchone()


def of_channel(conn: Conn, company_id: int, channel_id: int) -> Assistant:
    """The one that a channel is bound to. Raises NoSuchChannel."""
    found = conn.cursor(row_factory=class_row(Assistant)).execute(OF_CHANNEL, (company_id, channel_id)).fetchone()
    if found is None:
        raise NoSuchChannel(f"channel {channel_id} does not exist")
    return found


def create(conn: Conn, company_id: int, name: str) -> int:
    """Make one of the kind `support`; returns its id. For the owner role. Raises NameTaken, and ValueError for a
    name that is none."""
    name = name_of(name)
    try:
        with conn.transaction():
            row = conn.execute(
                """
                /* assistants.create */
                INSERT INTO assistants (company_id, name)
                VALUES (%s, %s)
                RETURNING id
                """,
                (company_id, name),
            ).fetchone()
    except errors.UniqueViolation:
        raise _taken(name) from None
    assert row is not None
    return int(str(row[0]))


def _taken(name: str) -> NameTaken:
    return NameTaken(f"the company has an assistant named {name!r} already: choose another name")


def update(conn: Conn, company_id: int, assistant_id: int, changed: Mapping[str, object]) -> None:
    """Set columns by name; the values are checked (policies.checked). Raises NameTaken."""
    columns = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changed)
    try:
        with conn.transaction():
            conn.execute(
                sql.SQL("""
                    /* assistants.update */
                    UPDATE assistants
                    SET {}
                    WHERE company_id = %s
                      AND id = %s
                """).format(columns),
                (*changed.values(), company_id, assistant_id),
            )
    except errors.UniqueViolation:
        raise _taken(str(changed.get("name"))) from None


def set_texts(conn: Conn, company_id: int, assistant_id: int, texts: Mapping[str, Mapping[str, str]]) -> None:
    """Replace all texts of its own; they are checked (policies.with_texts)."""
    conn.execute(
        """
        /* assistants.set_texts */
        UPDATE assistants
        SET texts = %s
        WHERE company_id = %s
          AND id = %s
        """,
        (Jsonb({name: dict(by_language) for name, by_language in texts.items()}), company_id, assistant_id),
    )


def bind(conn: Conn, company_id: int, channel_id: int, assistant_id: int) -> bool:
    """Have a channel's turns answered by this assistant from the next one on. False: there is no such channel."""
    cursor = conn.execute(
        """
        /* assistants.bind */
        UPDATE channels
        SET assistant_id = %s
        WHERE company_id = %s
          AND id = %s
        """,
        (assistant_id, company_id, channel_id),
    )
    return cursor.rowcount == 1


CHANNELS = """
    /* assistants.channels */
    SELECT assistant_id, array_agg(id ORDER BY id)
    FROM channels
    WHERE company_id = %s
    GROUP BY assistant_id
"""


def channels(conn: Conn, company_id: int) -> dict[int, list[int]]:
    """Say which channels are bound to which of a company's assistants; those without any are left out."""
    rows = conn.execute(CHANNELS, (company_id,)).fetchall()
    return {int(str(assistant)): list(bound) for assistant, bound in rows}  # type: ignore[call-overload]
