"""Makes companies, agents, apps and channels. For the owner role, because this decides who sees what."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from shared.model import Me
from shared.store.db.pool import Conn
from shared.store.db.vault import Vault
from shared.store.inbound import drops
from shared.store.tenants import api_keys, channels, companies

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


def make_agent(conn: Conn, company_id: int, name: str, key: str | None = None) -> tuple[str, int]:
    """Make an agent; returns the API key, which is stored only as a hash (this is the one time it is seen), and the
    agent's id. key: this one instead of a new one. Raises as companies.add_agent and api_keys.add do."""
    key = key or api_keys.new_key()
    with conn.transaction():
        agent_id = companies.add_agent(conn, company_id, name)
        api_keys.add(
            conn, company_id, name, key, api_keys.AGENT_SCOPES, created_by=api_keys.OPERATOR, agent_id=agent_id
        )
    return key, agent_id


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
    with _refusing(slug), conn.transaction():
        app_id = channels.add_app(conn, company_id, platform, slug, vault.seal(list(webhook_secrets)))
        channel_id = _add_channel(conn, company_id, app_id, platform, slug, me, vault.seal({"token": token}))
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
    with _refusing(slug), conn.transaction():
        app_id = channels.add_app(conn, company_id, platform, slug, vault.seal(list(webhook_secrets)))
        sealed = None if verify_token is None else vault.seal(verify_token)
        channels.set_app_identity(conn, app_id, me.app, sealed)
        channel_id = _add_channel(
            conn, company_id, app_id, platform, slug, me, vault.seal(dict(credentials)), credentials.get("account_id")
        )
    return Connected(company_id, app_id, channel_id)


def _add_channel(
    conn: Conn, company_id: int, app_id: int, platform: str, slug: str, me: Me, credentials: bytes,
    business_account: str | None = None,
) -> int:  # fmt: skip
    """Add the channel and close the problems that its absence caused. Raises ValueError that names a channel in its
    way."""
    account = me.external_id or ""
    other = channels.in_the_way(conn, platform, app_id, account)
    if other is not None:
        place = f"{other.company_id}/{other.channel_id} of {other.company}, slug {other.slug!r}"
        choice = "choose another --slug, or " if other.slug == slug else ""
        what = f"{other.name} is connected under it" if other.slug == slug else f"{other.name} is connected already"
        raise ValueError(
            f"{what} ({place}): {choice}disable that one first: channel disable {other.company_id}/{other.channel_id}; "
            "nothing was changed"
        )
    channel_id = channels.add_channel(conn, company_id, app_id, platform, me, credentials, business_account)
    drops.settle(conn, app_id, account)
    return channel_id


@contextmanager
def _refusing(slug: str) -> Iterator[None]:
    """Turn a unique index's conflict into a ValueError: somebody else connected the same account at the same moment."""
    try:
        yield
    except psycopg.errors.UniqueViolation:
        raise ValueError(
            f"{slug!r} or its account was connected by somebody else just now: see channel list; nothing was changed"
        ) from None


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
    with _refusing(slug), conn.transaction():
        app = channels.app_by_slug(conn, "widget", slug)
        sealed = app.secrets if app is not None else vault.seal([new_secret()])
        app_id = channels.add_app(conn, company_id, "widget", slug, sealed)
        channels.set_origins(conn, app_id, sorted(set(known)))
        me = Me(external_id=slug)
        channel_id = _add_channel(conn, company_id, app_id, "widget", slug, me, vault.seal({}))
    return Connected(company_id, app_id, channel_id)
