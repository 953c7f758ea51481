"""Pages, accounts and numbers of Meta for tests: connected, spoken to by their webhooks' bodies."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared import channels
from shared.model import Me
from shared.store.db.vault import Vault
from shared.store.inbound import journal
from shared.store.tenants import companies
from tasks.inbound.batch import Stored
from tasks.tenants.onboarding import connect_account
from tests.factories import ENCRYPTION_KEY, Bot, Inbox

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "channels"
OUR_APP = "5550001"
RECEIVED_MS = 1_796_000_000_000
"""When all requests come: after whatever they tell of."""
_ids = itertools.count(1)


def connect(inbox: Inbox, platform: str, external_id: str, handle: str | None = None) -> Bot:
    """A company with one account on the platform."""
    number = next(_ids)
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        company = companies.ensure(conn, f"company {platform} {number}")
        connected = connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform=platform, company_id=company.id, slug=f"{platform}-{number}",
            webhook_secrets=["secret"], credentials={"token": "t"}, me=Me(external_id, handle, OUR_APP),
        )  # fmt: skip
    return Bot(connected.company_id, connected.app_id, connected.channel_id, f"{platform}-{number}", "secret", "t")


def receive(inbox: Inbox, bot: Bot, platform: str, *bodies: dict[str, Any] | bytes) -> Stored:
    """These requests, stored one after the other."""
    stored = Stored()
    for body in bodies:
        journal_one(inbox, bot, platform, body)
        stored.add(inbox.drain_all())
    return stored


def journal_one(inbox: Inbox, bot: Bot, platform: str, body: dict[str, Any] | bytes) -> str:
    """Append one request as the gateway would; returns the stream it went to."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    parser = channels.build(inbox.settings.channels)[platform]
    key = parser.shard_key(parser.decode(raw))
    stream = journal.stream_of(journal.shard_of(bot.app_id, key, inbox.settings.journal.shards))
    inbox.reader.append(stream, journal.fields(platform, bot.app_id, RECEIVED_MS, raw))
    return stream


def case(name: str) -> Any:
    """A case's content; the test is skipped where the cases are not at hand."""
    path = CASES / f"{name}.json"
    if not path.exists():
        pytest.skip("the cases are not at hand")
    return json.loads(path.read_bytes())
