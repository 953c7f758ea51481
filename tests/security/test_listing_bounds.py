"""Every listing of the HTTP API has a largest page: so many rows, every text in a row bounded, and so many bytes, with
the worst rows that the tables can hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from shared.embedded import Database
from tests.factories import Bot, make_bot, new_key, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.visitor import Visitor, make_widget
from tests.operations import operations
from tests.security.test_unknown_fields import TOKEN
from tests.services import Services

MB = 1_000_000
LISTINGS = {
    ("/api/v1/conversations", "GET"): ("conversations", 200, 1 * MB),
    ("/api/v1/conversations/{conversation:id}/messages", "GET"): ("messages", 200, 12 * MB),
    ("/api/v1/documents", "GET"): ("documents", 200, 4 * MB),
    ("/api/v1/imports", "GET"): ("imports", 200, 4 * MB),
    ("/api/v1/assistants", "GET"): ("assistants", 200, 1 * MB),
    ("/api/v1/keys", "GET"): ("api_keys", 200, 1 * MB),
    ("/api/v1/limits/refused", "GET"): ("refused", 200, 1 * MB),
    ("/api/v1/models/providers", "GET"): ("providers", 50, 8 * MB),
    ("/api/v1/usage", "GET"): ("usage", 200, 1 * MB),
    ("/widget/{channel}/messages", "GET"): ("messages", 200, 4 * MB),
    ("/api/v1/operations/balance/hours", "GET"): ("hours", 5_000, 10 * MB),
    ("/api/v1/operations/dead-letters", "GET"): ("dead_letters", 1_000, 2 * MB),
    ("/api/v1/operations/unknown-outcomes", "GET"): ("unknown_outcomes", 1_000, 1 * MB),
}
"""(the answer's list, rows a page, bytes a page)"""
NO_LISTINGS = {
    ("/api/v1/assistants/{assistant:id}", "GET"), ("/api/v1/channels/{channel:id}/automatic-replies", "GET"),
    ("/health/live", "GET"), ("/health/ready", "GET"), ("/health", "GET"), ("/metrics", "GET"),
    ("/api/v1/conversations/{conversation:id}/filter", "GET"), ("/api/v1/operations/balance", "GET"),
    ("/api/v1/operations/dead-letters/{place:path}", "GET"),
    ("/api/v1/keys/current", "GET"), ("/api/v1/keys/{key:id}", "GET"),
    ("/api/v1/models/providers/{provider:id}", "GET"), ("/api/v1/models/routes", "GET"),
    ("/api/v1/models/routes/{purpose}", "GET"),
    ("/api/v1/budgets", "GET"), ("/api/v1/budgets/contacts/{contact:id}", "GET"),
    ("/api/v1/limits", "GET"), ("/api/v1/limits/{limit}", "GET"),
    ("/docs", "GET"), ("/docs/{name}", "GET"), ("/api/v1/openapi.json", "GET"),
    ("/media/{company:id}/{message:id}/{ordinal:id}", "GET"), ("/widget/{channel}/events", "GET"),
}  # fmt: skip
"""One thing each. A dead letter and a stream of events, whose pieces the tables bound row by row, are whole."""
WORST = r"E'\x01'"
"""What JSON needs six bytes for."""
ROWS = f"""
    INSERT INTO contacts (company_id, channel_id, external_id, name)
    SELECT %(company)s, %(channel)s, n::text, repeat({WORST}, 5000) FROM generate_series(1, 201) n;
    INSERT INTO conversations (company_id, channel_id, chat, contact_id, last_message_at, last_message_role,
        last_message_preview, delivery_problem, referral, attention, attention_since)
    SELECT %(company)s, %(channel)s, lpad(external_id, 200, {WORST}), id, now(), 'customer', repeat({WORST}, 5000),
        'window_closed', repeat({WORST}, 5000), 'nothing_relevant', now()
    FROM contacts WHERE company_id = %(company)s;
    INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text, external_id, attachments)
    SELECT %(company)s, (SELECT min(id) FROM conversations WHERE company_id = %(company)s), %(channel)s, n, 'agent',
        repeat({WORST}, 64000), 'm' || n,
        (SELECT jsonb_agg(jsonb_build_object('type', 'image', 'url', repeat('u', 4096), 'name', repeat('n', 256)))
         FROM generate_series(1, 100) WHERE n < 4) FROM generate_series(1, 201) n;
    INSERT INTO message_reactions (company_id, channel_id, chat, target, sender, emoji, at)
    SELECT %(company)s, %(channel)s, c.chat, 'm' || n, lpad(p::text, 200, {WORST}), repeat({WORST}, 5000), now()
    FROM generate_series(1, 3) n, generate_series(1, 100) p,
        (SELECT chat FROM conversations WHERE company_id = %(company)s ORDER BY id LIMIT 1) c;
    INSERT INTO assistants (company_id, name, hours, texts)
    SELECT %(company)s, rpad(n || 'a', 100, 'x'), repeat({WORST}, 500),
        jsonb_build_object('welcome', jsonb_build_object('*', repeat('x', 4000))) FROM generate_series(1, 201) n;
    INSERT INTO api_keys (company_id, name, prefix, key_hash, scopes, created_by, last_used_at)
    SELECT %(company)s, rpad(n || 'ä', 100, '€'), 'sb_00000', sha256(n::text::bytea),
        ARRAY['read', 'write', 'admin', 'models', 'end-user'], 'key 9223372036854775807', now()
    FROM generate_series(1, 201) n;
    INSERT INTO model_providers (company_id, name, base_url, models, paid)
    SELECT %(company)s, 'p' || n, rpad('https://', 500, 'x'),
        (SELECT jsonb_agg(jsonb_build_object('name', rpad(m || 'm', 200, '€'), 'kind', 'transcription'))
         FROM generate_series(1, 200) m), true FROM generate_series(1, 51) n;
    INSERT INTO usage_models (company_id, day, purpose, provider, model, calls)
    SELECT %(company)s, (now() AT TIME ZONE 'UTC')::date, rpad(n || 'p', 40, 'x'), 'p', 'm', 9223372036854775807
    FROM generate_series(1, 201) n;
    INSERT INTO collections (company_id, name) VALUES (%(company)s, repeat('c', 100));
    INSERT INTO documents (company_id, collection_id, source, title, text, content_hash, chunk_count)
    SELECT %(company)s, (SELECT max(id) FROM collections WHERE company_id = %(company)s),
        rpad(n::text, 2600, {WORST}), repeat({WORST}, 5000), '', '', 0 FROM generate_series(1, 201) n;
    INSERT INTO imports (company_id, source, name, kind, state, reason)
    SELECT %(company)s, rpad(n::text, 2600, {WORST}), '', 'file', 'failed', repeat({WORST}, 5000)
    FROM generate_series(1, 201) n;
    INSERT INTO webhook_events (day, stream, entry_id, ordinal, received_at, platform, app_id, company_id, channel_id,
        kind, outcome, reason)
    SELECT current_date, 's', n || '-0', 0, date_trunc('hour', now()), 'telegram', %(app)s, %(company)s, %(channel)s,
        'message', 'dead_letter', lpad(n::text, 5000, {WORST}) FROM generate_series(1, 5001) n;
    INSERT INTO outbound (company_id, conversation_id, channel_id, message_id, part, text, state, unknown_since,
        meaning)
    SELECT %(company)s, (SELECT min(id) FROM conversations WHERE company_id = %(company)s), %(channel)s, n, 1, 'x',
        'unknown_outcome', now(), 'timeout' FROM generate_series(1, 1001) n;
"""
OF_THE_WIDGET = f"""
    INSERT INTO conversations (company_id, channel_id, chat) VALUES (%(company)s, %(channel)s, %(visitor)s);
    INSERT INTO messages (company_id, conversation_id, channel_id, seq, role, text)
    SELECT %(company)s, (SELECT id FROM conversations WHERE company_id = %(company)s), %(channel)s, n, 'agent',
        repeat({WORST}, 64000) FROM generate_series(1, 201) n;
"""


@pytest.fixture(scope="module")
def gateway(module_database: Database, services: Services) -> Iterator[RunningGateway]:
    with (
        services.redis_database() as url,
        running_gateway(settings_for(module_database, url, OPS_TOKEN=TOKEN)) as running,
    ):
        yield running


class Caller:
    """Somebody with every key, of a company whose rows are as large as they can be."""

    def __init__(self, gateway: RunningGateway, database: Database) -> None:
        self.gateway = gateway
        self.bot: Bot = make_bot(database.admin_url)
        widget = make_widget(database.admin_url)
        self.visitor = Visitor(gateway, widget)
        of_bot = {"company": self.bot.company_id, "channel": self.bot.channel_id, "app": self.bot.app_id}
        of_widget = {"company": widget.company_id, "channel": widget.channel_id,
                     "visitor": self.visitor.open_session(**self.visitor.headers).json()["visitor"]}  # fmt: skip
        with psycopg.connect(database.admin_url, autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
            self.key = new_key(conn, self.bot.company_id)
            conn.execute(ROWS, of_bot)
            conn.execute(OF_THE_WIDGET, of_widget)
            [(self.conversation,)] = conn.execute(
                "SELECT min(id) FROM conversations WHERE company_id = %s", (self.bot.company_id,)
            )

        refusals = gateway.app._pages.state.edge.refusals
        for contact in range(201):
            refusals.refused("answers", "contact", self.bot.company_id, str(10**18 + contact))
        refusals.write()

    def get(self, path: str, **query: Any) -> httpx.Response:
        path = path.replace("{conversation:id}", str(self.conversation))
        path = path.replace("{channel}", self.visitor.widget.slug)
        if path.startswith("/widget/"):
            return self.gateway.get(path, params=query, headers=self.visitor.headers)
        token = TOKEN if path.startswith("/api/v1/operations/") else self.key
        return self.gateway.get(path, params=query, headers={"authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def caller(gateway: RunningGateway, module_database: Database) -> Caller:
    return Caller(gateway, module_database)


def test_every_route_that_is_read_is_a_listing_with_bounds_or_none() -> None:
    read = {(each.path, each.method) for each in operations() if each.method == "GET"}
    assert read == set(LISTINGS) | NO_LISTINGS


@pytest.mark.parametrize(("path", "method"), LISTINGS, ids=[path for path, _ in LISTINGS])
def test_the_largest_page_of_a_listing_is_bounded_in_rows_and_bytes(caller: Caller, path: str, method: str) -> None:
    name, rows, bytes_max = LISTINGS[path, method]

    answer = caller.get(path, limit=rows)

    assert answer.status_code == 200, answer.text[:300]
    assert 0 < len(answer.json()[name]) <= rows
    assert len(answer.content) <= bytes_max
    assert caller.get(path, limit=rows + 1).status_code == 422


@pytest.mark.parametrize(
    "path", [path for path, _ in LISTINGS if path.endswith("/messages")], ids=["agents", "visitors"]
)
def test_pages_that_end_early_lead_to_every_message_once(caller: Caller, path: str) -> None:
    seen: list[int] = []
    while page := caller.get(path, limit=200, after_seq=seen[-1] if seen else 0).json()["messages"]:
        assert len(page) < 200
        seen += [message["seq"] for message in page]
    assert seen == list(range(1, 202))
