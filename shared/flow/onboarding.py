"""Making companies, agents, apps and channels. For the owner role: what is made here decides who sees what."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.model import Me
from shared.store import channels, companies
from shared.store.pool import Conn
from shared.store.vault import Vault

SECRET_BYTES = 24
"""Telegram takes 1 to 256 characters of A-Z a-z 0-9 _ -, which is what token_urlsafe writes."""


@dataclass(frozen=True, slots=True)
class Connected:
    company_id: int
    app_id: int
    channel_id: int


def new_agent(conn: Conn, company_id: int, name: str) -> str:
    """Make an agent; returns its API key."""
    return make_agent(conn, company_id, name)[0]


def make_agent(conn: Conn, company_id: int, name: str) -> tuple[str, int]:
    """Make an agent; returns its API key, which is stored only as a hash (this is the one time it is seen), and its id.
    Raises as companies.add_agent does."""
    key = f"sbk_{secrets.token_urlsafe(32)}"
    return key, companies.add_agent(conn, company_id, name, key)


def new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def connect_bot(
    conn: Conn,
    vault: Vault,
    *,
    platform: str,
    company_id: int,
    slug: str,
    webhook_secrets: Sequence[str],
    token: str,
    me: Me,
) -> Connected:
    """Connect a bot that is its own app (Telegram): app and channel in one transaction. Connecting it again
    renews secrets and credentials. Raises ValueError when the slug or the bot belongs to somebody else."""
    with conn.transaction():
        app_id = channels.add_app(conn, platform, slug, vault.seal(list(webhook_secrets)))
        channel_id = channels.add_channel(conn, company_id, app_id, platform, me, vault.seal({"token": token}))
    return Connected(company_id, app_id, channel_id)


def connect_account(
    conn: Conn,
    vault: Vault,
    *,
    platform: str,
    company_id: int,
    slug: str,
    webhook_secrets: Sequence[str],
    credentials: Mapping[str, str],
    me: Me,
    verify_token: str | None = None,
) -> Connected:
    """Connect a page, account, number or workspace under an app that may have many, of several companies.

    slug: the app's; its secrets, verify token and id on the platform (me.app) are renewed with every call. Raises
    ValueError when the slug stands for another platform or the account belongs to another company.
    """
    with conn.transaction():
        app_id = channels.add_app(conn, platform, slug, vault.seal(list(webhook_secrets)))
        sealed = None if verify_token is None else vault.seal(verify_token)
        channels.set_app_identity(conn, app_id, me.app, sealed)
        channel_id = channels.add_channel(
            conn, company_id, app_id, platform, me, vault.seal(dict(credentials)), credentials.get("account_id")
        )
    return Connected(company_id, app_id, channel_id)


ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?", re.ASCII)


def connect_widget(conn: Conn, vault: Vault, *, company_id: int, slug: str, origins: Sequence[str]) -> Connected:
    """Make a company's web-chat widget, or change from which pages its visitors may come: their tokens stay good.

    origins: as browsers send them, `https://shop.example`. Raises ValueError when one is none, or when the slug
    belongs to another company or platform.
    """
    known = [origin.lower().rstrip("/") for origin in origins]
    for origin in known:
        if not ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is no origin: write it as https://shop.example, without a path")
    with conn.transaction():
        app = channels.app_by_slug(conn, "widget", slug)
        sealed = app.secrets if app is not None else vault.seal([new_secret()])
        app_id = channels.add_app(conn, "widget", slug, sealed)
        channels.set_origins(conn, app_id, sorted(set(known)))
        me = Me(external_id=slug)
        channel_id = channels.add_channel(conn, company_id, app_id, "widget", me, vault.seal({}))
    return Connected(company_id, app_id, channel_id)
