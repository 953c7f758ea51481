"""Lists and changes companies, agents, apps and channels as operators see them. For the owner role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString

from psycopg.rows import class_row, scalar_row, tuple_row

from shared.store.db.pool import Conn

SealedTable = Literal["apps", "verify_tokens", "channels", "model_providers"]


@dataclass(frozen=True, slots=True)
class CompanyLine:
    id: int
    slug: str
    name: str
    created_at: datetime
    agents: int
    channels: int
    customer_messages: int
    unread: int


@dataclass(frozen=True, slots=True)
class AgentLine:
    """company: its slug. disabled_at: None while the agent's keys work."""

    company_id: int
    id: int
    company: str
    name: str
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class AppLine:
    id: int
    platform: str
    slug: str
    state: str
    created_at: datetime
    channels: int


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """company: its slug. slug: of the app that it stands under. external_id: the page's, number's or bot's id on the
    platform."""

    company_id: int
    id: int
    company: str
    platform: str
    slug: str
    external_id: str
    handle: str | None
    state: str
    created_at: datetime


COMPANIES = """
    /* registry.companies */
    SELECT
        c.id,
        c.slug,
        c.name,
        c.created_at,
        (SELECT count(*) FROM agents a WHERE a.company_id = c.id AND a.disabled_at IS NULL) AS agents,
        (SELECT count(*) FROM channels h WHERE h.company_id = c.id AND h.state <> 'disabled') AS channels,
        coalesce(t.customer_messages, 0) AS customer_messages,
        coalesce(t.unread, 0) AS unread
    FROM companies c
    LEFT JOIN company_totals t ON t.company_id = c.id
    WHERE c.id = coalesce(%s, c.id)
    ORDER BY c.id
"""


def companies(conn: Conn, company_id: int | None = None) -> list[CompanyLine]:
    """List companies: all of them, or one."""
    with conn.cursor(row_factory=class_row(CompanyLine)) as cursor:
        return cursor.execute(COMPANIES, (company_id,)).fetchall()


def agents(conn: Conn, company_id: int | None = None) -> list[AgentLine]:
    """List agents of all companies, or of one."""
    with conn.cursor(row_factory=class_row(AgentLine)) as cursor:
        return cursor.execute(
            """
            /* registry.agents */
            SELECT a.company_id, a.id, c.slug AS company, a.name, a.created_at, a.disabled_at
            FROM agents a
            JOIN companies c ON c.id = a.company_id
            WHERE c.id = coalesce(%s, c.id)
            ORDER BY a.company_id, a.id
            """,
            (company_id,),
        ).fetchall()


DISABLE_AGENT = """
    /* registry.disable_agent */
    UPDATE agents
    SET disabled_at = now()
    WHERE company_id = %s
      AND id = %s
      AND disabled_at IS NULL
"""
REVOKE_OF_AGENT = """
    /* registry.revoke_of_agent */
    UPDATE api_keys
    SET revoked_at = now()
    WHERE company_id = %s
      AND agent_id = %s
      AND revoked_at IS NULL
"""


def disable_agent(conn: Conn, company_id: int, agent_id: int) -> bool:
    """Disable an agent and revoke the agent's keys. False: there is no such agent, or it was disabled before."""
    with conn.transaction():
        cursor = conn.execute(DISABLE_AGENT, (company_id, agent_id))
        conn.execute(REVOKE_OF_AGENT, (company_id, agent_id))
    return cursor.rowcount == 1


APPS = """
    /* registry.apps */
    SELECT
        a.id,
        a.platform,
        a.slug,
        a.state,
        a.created_at,
        (SELECT count(*) FROM channels h WHERE h.app_id = a.id) AS channels
    FROM apps a
    WHERE a.slug = coalesce(%s, a.slug)
    ORDER BY a.id
"""


def apps(conn: Conn, slug: str | None = None) -> list[AppLine]:
    """List apps: all of them, or the one under a slug."""
    with conn.cursor(row_factory=class_row(AppLine)) as cursor:
        return cursor.execute(APPS, (slug,)).fetchall()


def app_exists(conn: Conn, app_id: int) -> bool:
    """Say whether there is an app of this number, disabled or not. As either role."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(
            """
            /* registry.app_exists */
            SELECT EXISTS (SELECT 1 FROM apps WHERE id = %s)
            """,
            (app_id,),
        )
        return bool(cursor.fetchone())


def set_app_state(conn: Conn, slug: str, state: Literal["active", "disabled"]) -> bool:
    """Enable or disable an app. Returns False if there is no such app."""
    cursor = conn.execute(
        """
        /* registry.set_app_state */
        UPDATE apps
        SET state = %s
        WHERE slug = %s
        """,
        (state, slug),
    )
    return cursor.rowcount == 1


def channels(conn: Conn, *, company_id: int | None = None, slug: str | None = None) -> list[ChannelLine]:
    """List channels: all of them, or those of a company or under an app."""
    with conn.cursor(row_factory=class_row(ChannelLine)) as cursor:
        return cursor.execute(
            """
            /* registry.channels */
            SELECT
                h.company_id, h.id, c.slug AS company, h.platform, a.slug, h.external_id, h.handle, h.state,
                h.created_at
            FROM channels h
            JOIN companies c ON c.id = h.company_id
            JOIN apps a ON a.id = h.app_id
            WHERE c.id = coalesce(%s, c.id)
              AND a.slug = coalesce(%s, a.slug)
            ORDER BY h.company_id, h.id
            """,
            (company_id, slug),
        ).fetchall()


def set_channel_enabled(conn: Conn, company_id: int, channel_id: int, *, enabled: bool) -> bool:
    """False: no such channel, or nothing to change. One whose credentials are refused counts as enabled. Raises
    psycopg's UniqueViolation when another one stands for the app or the account by now."""
    if enabled:
        _settle_dropped(conn, company_id, channel_id)
    cursor = conn.execute(
        """
        /* registry.set_channel_enabled */
        UPDATE channels
        SET state = %s
        WHERE company_id = %s
          AND id = %s
          AND (state = 'disabled') = %s
        """,
        ("active" if enabled else "disabled", company_id, channel_id, enabled),
    )
    return cursor.rowcount == 1


def _settle_dropped(conn: Conn, company_id: int, channel_id: int) -> None:
    """Delete what was noted as dropped for want of this channel, because it is about to be there again."""
    conn.execute(
        """
        /* registry.settle_dropped */
        DELETE FROM dropped_events d
        USING channels c
        WHERE c.company_id = %s
          AND c.id = %s
          AND d.app_id = c.app_id
          AND d.account IN (c.external_id, '')
          AND d.reason IN ('no_channel', 'channel_disabled')
        """,
        (company_id, channel_id),
    )


_SEALED: dict[SealedTable, tuple[LiteralString, LiteralString]] = {
    "apps": (
        """
        /* registry.sealed */
        SELECT id, secrets
        FROM apps
        WHERE id > %s
        ORDER BY id
        LIMIT %s
        """,
        """
        /* registry.replace_sealed */
        UPDATE apps
        SET secrets = %s
        WHERE id = %s
          AND secrets = %s
        """,
    ),
    "verify_tokens": (
        """
        /* registry.sealed */
        SELECT id, verify_token
        FROM apps
        WHERE verify_token IS NOT NULL
          AND id > %s
        ORDER BY id
        LIMIT %s
        """,
        """
        /* registry.replace_sealed */
        UPDATE apps
        SET verify_token = %s
        WHERE id = %s
          AND verify_token = %s
        """,
    ),
    "channels": (
        """
        /* registry.sealed */
        SELECT id, credentials
        FROM channels
        WHERE id > %s
        ORDER BY id
        LIMIT %s
        """,
        """
        /* registry.replace_sealed */
        UPDATE channels
        SET credentials = %s
        WHERE id = %s
          AND credentials = %s
        """,
    ),
    "model_providers": (
        """
        /* registry.sealed */
        SELECT id, credentials
        FROM model_providers
        WHERE credentials IS NOT NULL
          AND id > %s
        ORDER BY id
        LIMIT %s
        """,
        """
        /* registry.replace_sealed */
        UPDATE model_providers
        SET credentials = %s
        WHERE id = %s
          AND credentials = %s
        """,
    ),
}
"""How to read each table's encrypted values, some rows at a time, and how to replace one."""


def sealed(conn: Conn, table: SealedTable, after_id: int, limit: int) -> Sequence[tuple[int, bytes]]:
    """Return (id, encrypted value) of the next rows after this id."""
    with conn.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_SEALED[table][0], (after_id, limit)).fetchall()
    return [(id_, bytes(value)) for id_, value in rows]


def replace_sealed(conn: Conn, table: SealedTable, id_: int, old: bytes, new: bytes) -> bool:
    """Replace an encrypted value that is still the old one. Returns False if somebody else has changed it; theirs
    stays."""
    cursor = conn.execute(_SEALED[table][1], (new, id_, old))
    return cursor.rowcount == 1
