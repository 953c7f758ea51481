"""Stores apps (a registration with a platform) and channels (a company's page, bot or number under an app)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import class_row, kwargs_row, scalar_row, tuple_row

from shared.model import Me, Route
from shared.store.db.pool import Conn


@dataclass(frozen=True, slots=True)
class AppRow:
    """secrets, verify_token: encrypted, as stored. origins: of a widget's pages. external_id: our application's id on
    the platform."""

    id: int
    platform: str
    slug: str
    secrets: bytes
    state: str
    origins: tuple[str, ...] = ()
    external_id: str | None = None
    verify_token: bytes | None = None


def _app(*, origins: Sequence[str], **columns: Any) -> AppRow:
    return AppRow(origins=tuple(origins), **columns)


def app_by_slug(conn: Conn, platform: str, slug: str) -> AppRow | None:
    """Return the app under this slug, None if there is none."""
    with conn.cursor(row_factory=kwargs_row(_app)) as cursor:
        return cursor.execute(
            """
            /* channels.app_by_slug */
            SELECT id, platform, slug, secrets, state, origins, external_id, verify_token
            FROM apps
            WHERE platform = %s
              AND slug = %s
            """,
            (platform, slug),
        ).fetchone()


def _route(*, external_id: str, handle: str | None, app_external_id: str | None, **columns: Any) -> Route:
    return Route(me=Me(external_id, handle, app_external_id), **columns)


def routes(conn: Conn, app_ids: Sequence[int]) -> list[Route]:
    """List the channels under these apps that are not disabled, of all companies."""
    with conn.cursor(row_factory=kwargs_row(_route)) as cursor:
        return cursor.execute(
            """
            /* channels.routes */
            SELECT
                app_id, platform, channel_id, company_id, external_id, handle, app_external_id, business_account
            FROM routes_of(%s::bigint[])
            """,
            (list(app_ids),),
        ).fetchall()


def disabled_routes(conn: Conn, app_ids: Sequence[int]) -> list[Route]:
    """List the disabled channels under these apps, of all companies."""
    with conn.cursor(row_factory=kwargs_row(_route)) as cursor:
        return cursor.execute(
            """
            /* channels.disabled_routes */
            SELECT
                app_id, platform, channel_id, company_id, external_id, handle, app_external_id,
                business_account
            FROM disabled_routes_of(%s::bigint[])
            """,
            (list(app_ids),),
        ).fetchall()


def credentials(conn: Conn, company_id: int, channel_id: int) -> bytes:
    """Return a channel's credentials, encrypted as stored. Raises LookupError."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        found = cursor.execute(
            """
            /* channels.credentials */
            SELECT credentials
            FROM channels
            WHERE company_id = %s
              AND id = %s
            """,
            (company_id, channel_id),
        ).fetchone()
    if found is None:
        raise LookupError(f"channel {channel_id} does not exist")
    return bytes(found)


def account_of(conn: Conn, company_id: int, channel_id: int) -> tuple[str, bytes, bool] | None:
    """Return a channel's id on the platform, its credentials, encrypted as stored, and whether it is known which
    business account holds it; None if there is no such channel."""
    row = (
        conn.cursor(row_factory=tuple_row)
        .execute(
            """
        /* channels.account_of */
        SELECT external_id, credentials, business_account IS NOT NULL
        FROM channels
        WHERE company_id = %s
          AND id = %s
        """,
            (company_id, channel_id),
        )
        .fetchone()
    )
    return (row[0], bytes(row[1]), row[2]) if row else None


def platform_of(conn: Conn, company_id: int, channel_id: int) -> str:
    """Return a channel's platform. Raises LookupError."""
    row = conn.execute(
        """
        /* channels.platform_of */
        SELECT platform
        FROM channels
        WHERE company_id = %s
          AND id = %s
        """,
        (company_id, channel_id),
    ).fetchone()
    if row is None:
        raise LookupError(f"channel {channel_id} does not exist")
    return str(row[0])


def set_state(conn: Conn, company_id: int, channel_id: int, state: str) -> bool:
    """Move a channel to `active`, `needs_reauth` or `disabled`; returns False if it was there already, or is
    disabled."""
    cursor = conn.execute(
        """
        /* channels.set_state */
        UPDATE channels
        SET state = %s
        WHERE company_id = %s
          AND id = %s
          AND state NOT IN (%s, 'disabled')
        """,
        (state, company_id, channel_id, state),
    )
    return cursor.rowcount == 1


def learn_business_account(conn: Conn, company_id: int, channel_id: int, business_account: str) -> None:
    """Keep which business account holds a channel, if none is known."""
    conn.execute(
        """
        /* channels.learn_business_account */
        UPDATE channels
        SET business_account = %s
        WHERE company_id = %s
          AND id = %s
          AND business_account IS NULL
        """,
        (business_account, company_id, channel_id),
    )


ONE_CHANNEL = frozenset({"telegram", "standard", "widget"})
"""Platforms whose app has one channel and one company: their webhooks do not say which channel they are for."""
ONE_APP = frozenset({"telegram", "messenger", "instagram", "whatsapp"})
"""Platforms where an account stands under one app: under two it would be answered twice, or not at all."""


def add_app(conn: Conn, company_id: int, platform: str, slug: str, secrets: bytes) -> int:
    """Insert an app or replace its secrets (encrypted); returns its id. Its row is locked, so that whoever connects the
    same one meanwhile waits. For the owner role.

    company_id: who connects it, and has it alone where an app is one company's. Raises ValueError when the slug stands
    for another platform or belongs to another company.
    """
    row = conn.execute(
        """
        /* channels.add_app */
        INSERT INTO apps AS a (platform, slug, secrets, owner_id)
        VALUES (%(platform)s, %(slug)s, %(secrets)s, %(owner)s)
        ON CONFLICT (slug) DO UPDATE SET
            secrets = excluded.secrets,
            owner_id = coalesce(a.owner_id, excluded.owner_id)
        WHERE a.platform = excluded.platform
          AND (a.owner_id IS NULL OR a.owner_id = excluded.owner_id)
        RETURNING a.id
        """,
        {"platform": platform, "slug": slug, "secrets": secrets,
         "owner": company_id if platform in ONE_CHANNEL else None},
    ).fetchone()  # fmt: skip
    if row is None:
        raise ValueError(slug_taken(conn, company_id, platform, slug) or f"the slug {slug!r} is taken")
    return int(str(row[0]))


def slug_taken(conn: Conn, company_id: int, platform: str, slug: str) -> str | None:
    """Say, in words for people, why this company cannot connect such a platform under the slug; None: it can. For the
    owner role."""
    row = conn.execute(
        """
        /* channels.slug_taken */
        SELECT a.platform, a.owner_id, c.name
        FROM apps a
        LEFT JOIN companies c ON c.id = a.owner_id
        WHERE a.slug = %s
        """,
        (slug,),
    ).fetchone()
    if row is None:
        return None
    found, owner, name = row
    if found != platform:
        return f"the app {slug!r} exists on another platform ({found}): choose another --slug; nothing was changed"
    if owner is not None and owner != company_id:
        return f"the slug {slug!r} belongs to another company ({name}): choose another --slug; nothing was changed"
    return None


@dataclass(frozen=True, slots=True)
class Standing:
    """An enabled channel that keeps another one from being connected."""

    company_id: int
    channel_id: int
    company: str
    slug: str
    name: str


def in_the_way(conn: Conn, platform: str, app_id: int, external_id: str) -> Standing | None:
    """Find the channel that keeps this account from being connected under this app: another account under an app that
    may have only one, or the same account under another app. For the owner role."""
    with conn.cursor(row_factory=class_row(Standing)) as cursor:
        return cursor.execute(
            """
            /* channels.in_the_way */
            SELECT
                h.company_id, h.id AS channel_id, c.name AS company, a.slug,
                coalesce('@' || h.handle, h.external_id) AS name
            FROM channels h
            JOIN companies c ON c.id = h.company_id
            JOIN apps a ON a.id = h.app_id
            WHERE h.platform = %(platform)s
              AND h.state <> 'disabled'
              AND (
                  %(one_channel)s AND h.app_id = %(app)s AND h.external_id <> %(account)s
                  OR %(one_app)s AND h.app_id <> %(app)s AND h.external_id = %(account)s
              )
            ORDER BY h.id
            LIMIT 1
            """,
            {
                "platform": platform,
                "app": app_id,
                "account": external_id,
                "one_channel": platform in ONE_CHANNEL,
                "one_app": platform in ONE_APP,
            },
        ).fetchone()


def shared_with_others(conn: Conn, app_id: int, company_id: int) -> bool:
    """Say whether other companies have channels under the app. For the owner role."""
    row = conn.execute(
        """
        /* channels.shared_with_others */
        SELECT EXISTS (SELECT 1 FROM channels WHERE app_id = %s AND company_id <> %s)
        """,
        (app_id, company_id),
    ).fetchone()
    return bool(row and row[0])


ADD_CHANNEL = """
    /* channels.add_channel */
    INSERT INTO channels (company_id, app_id, platform, external_id, handle, credentials, business_account)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (app_id, external_id) DO UPDATE
    SET handle = excluded.handle,
        credentials = excluded.credentials,
        business_account = excluded.business_account,
        state = 'active'
    WHERE channels.company_id = excluded.company_id
    RETURNING id
"""


def add_channel(
    conn: Conn, company_id: int, app_id: int, platform: str, me: Me, credentials: bytes,
    business_account: str | None = None,
) -> int:  # fmt: skip
    """Connect a page, bot or number; connecting it again renews its credentials. Returns its id."""
    row = conn.execute(
        ADD_CHANNEL, (company_id, app_id, platform, me.external_id, me.handle, credentials, business_account)
    ).fetchone()
    if row is None:
        raise ValueError(f"{me.external_id} belongs to another company under this app; nothing was changed")
    return int(str(row[0]))


def set_app_identity(conn: Conn, app_id: int, external_id: str | None, verify_token: bytes | None) -> None:
    """Keep our application's id on the platform, where it is known now, and the token of its handshakes (encrypted).
    For the owner role."""
    conn.execute(
        """
        /* channels.set_app_identity */
        UPDATE apps
        SET external_id = coalesce(%s, external_id), verify_token = %s
        WHERE id = %s
        """,
        (external_id, verify_token, app_id),
    )


def set_origins(conn: Conn, app_id: int, origins: Sequence[str]) -> None:
    """Keep from which pages a widget's visitors may come. For the owner role."""
    conn.execute(
        """
        /* channels.set_origins */
        UPDATE apps
        SET origins = %s
        WHERE id = %s
        """,
        (list(origins), app_id),
    )
