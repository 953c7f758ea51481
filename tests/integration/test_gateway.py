"""Webhooks at the edge, on real PostgreSQL and Valkey: what is answered, and what stands in the journal then."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from shared.embedded import Database
from shared.store.db.vault import Vault
from shared.store.inbound import journal
from tests.factories import ENCRYPTION_KEY, Bot, make_bot, settings_for, update
from tests.integration.gateway_client import SECRET_HEADER, RunningGateway, pieces, running_gateway

MAX_BODY_BYTES = 100_000


@pytest.fixture
def bot(module_database: Database) -> Bot:
    return make_bot(module_database.admin_url)


@pytest.fixture
def gateway(module_database: Database, redis_url: str) -> Iterator[RunningGateway]:
    """Nothing is remembered of apps, so that each request meets the tables as they are."""
    settings = settings_for(module_database, redis_url, GATEWAY_MAX_BODY_BYTES=MAX_BODY_BYTES, APP_CACHE_TTL_S=0)
    with running_gateway(settings) as running:
        yield running


@pytest.fixture
def entries(redis_url: str) -> Iterator[Journal]:
    with redis.Redis.from_url(redis_url) as client:
        yield Journal(client)


class Journal:
    """What stands in the journal."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def by_stream(self) -> dict[str, list[bytes]]:
        """stream → bodies, oldest first; only streams that hold something."""
        found: dict[str, Any] = {stream: self._client.xrange(stream) for stream in journal.streams(16)}
        return {stream: [values[b"b"] for _, values in rows] for stream, rows in found.items() if rows}

    def bodies(self) -> list[bytes]:
        return [body for bodies in self.by_stream().values() for body in bodies]


def test_200_means_that_the_raw_bytes_are_in_the_journal(
    gateway: RunningGateway, bot: Bot, redis_url: str, entries: Journal
) -> None:
    raw = b'{ "update_id" : 1,\n "message": {"chat": {"id": 5}} }'

    answer = gateway.post(bot, raw)

    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert entries.bodies() == [raw]
    reader = journal.Reader(redis.Redis.from_url(redis_url), 16)
    [stream] = entries.by_stream()
    reader.ensure_group(stream, 0)
    [entry] = reader.new(stream, 10)
    assert (entry.platform, entry.app_id, entry.redrive) == ("telegram", bot.app_id, None)


@pytest.mark.parametrize("secret", [None, "", "wrong", "s\xe9cret"])
def test_a_forged_webhook_is_a_401_and_leaves_nothing(
    gateway: RunningGateway, bot: Bot, entries: Journal, secret: str | None
) -> None:
    headers = [] if secret is None else [(SECRET_HEADER.encode(), secret.encode("latin-1"))]

    answer = gateway.post(bot, update("hello"), headers=headers)

    assert answer.status_code == 401
    assert entries.bodies() == []


def test_another_bots_secret_is_a_401(gateway: RunningGateway, bot: Bot, module_database: Database) -> None:
    other = make_bot(module_database.admin_url)
    assert gateway.post(bot, update("hello"), headers={SECRET_HEADER: other.secret}).status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/webhooks/telegram/nobody", "/webhooks/telegraph/{slug}", "/webhooks/telegram/{slug}/", "/webhooks/telegram",
     "/webhooks/telegram/{slug}/more", "/webhooks/telegram/", "/webhooks/telegram/{slug}%00",
     "/webhooks/telegram/%ed%a0%80", "/webhooks/telegram/" + "a" * 5000],
)  # fmt: skip
def test_an_address_that_is_nobodys_is_a_404(gateway: RunningGateway, bot: Bot, entries: Journal, path: str) -> None:
    answer = gateway.post(bot, update("hello"), path=path.format(slug=bot.slug))

    assert answer.status_code == 404
    assert entries.bodies() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_posts_are_taken(gateway: RunningGateway, bot: Bot, method: str) -> None:
    answer = gateway.request(method, f"/webhooks/telegram/{bot.slug}", headers={SECRET_HEADER: bot.secret})

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_body_of_exactly_the_limit_is_taken(gateway: RunningGateway, bot: Bot, entries: Journal) -> None:
    body = b'{"a":"' + b"x" * (MAX_BODY_BYTES - 8) + b'"}'

    assert gateway.post(bot, body).status_code == 200
    assert entries.bodies() == [body]


def test_a_body_that_says_it_is_too_long_is_refused_unread(gateway: RunningGateway, bot: Bot, entries: Journal) -> None:
    # no message to receive: reading even one would fail
    answer = gateway.raw(bot, [], headers=[(b"content-length", str(MAX_BODY_BYTES + 1).encode())])

    assert answer[0]["status"] == 413
    assert entries.bodies() == []


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_long(
    gateway: RunningGateway, bot: Bot, entries: Journal
) -> None:
    whole = b'{"a":"' + b"x" * MAX_BODY_BYTES + b'"}'
    endless = [{"type": "http.request", "body": b"x" * 60_000, "more_body": True}] * 2

    assert gateway.post(bot, pieces(whole)).status_code == 413
    assert gateway.raw(bot, endless)[0]["status"] == 413
    assert entries.bodies() == []


def test_a_chunked_body_is_journalled_whole(gateway: RunningGateway, bot: Bot, entries: Journal) -> None:
    body = json.dumps(update("word " * 5000)).encode()

    assert gateway.post(bot, pieces(body, 1000)).status_code == 200
    assert entries.bodies() == [body]


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"', b"null", b"\xff\xfe{}", b'{"a":1'])
def test_a_body_that_is_no_json_object_is_a_422(
    gateway: RunningGateway, bot: Bot, entries: Journal, body: bytes
) -> None:
    answer = gateway.post(bot, body)

    assert answer.status_code == 422
    assert entries.bodies() == []


def test_a_body_that_does_not_even_say_json_is_a_415(gateway: RunningGateway, bot: Bot, entries: Journal) -> None:
    headers = {SECRET_HEADER: bot.secret, "content-type": "application/x-www-form-urlencoded"}

    assert gateway.post(bot, b"update_id=1", headers=headers).status_code == 415
    assert entries.bodies() == []


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"message": null}', b'{"message": {"chat": [1]}}', b'{"message":{"chat":{"id":"\\ud800"}}}',
     b'{"update_id":' + b"9" * 400 + b"}", b'\xef\xbb\xbf{"update_id":1}', b'{"a":' + b"[" * 90 + b"]" * 90 + b"}"],
)  # fmt: skip
def test_a_signed_object_of_any_shape_is_journalled(
    gateway: RunningGateway, bot: Bot, entries: Journal, body: bytes
) -> None:
    assert gateway.post(bot, body).status_code == 200
    assert entries.bodies() == [body]


def test_a_client_that_hangs_up_in_its_body_leaves_nothing(gateway: RunningGateway, bot: Bot, entries: Journal) -> None:
    half = {"type": "http.request", "body": b'{"update_id": 1}', "more_body": True}

    answer = gateway.raw(bot, [half, {"type": "http.disconnect"}])

    assert answer == []
    assert entries.bodies() == []


def test_the_words_of_one_chat_stay_in_order_in_one_shard(gateway: RunningGateway, bot: Bot, entries: Journal) -> None:
    said: dict[int, list[bytes]] = {chat: [] for chat in range(1, 9)}
    for number in range(5):
        for chat, bodies in said.items():
            body = json.dumps(update(f"word {number}", chat=chat)).encode()
            bodies.append(body)
            assert gateway.post(bot, body).status_code == 200

    found = entries.by_stream()
    for bodies in said.values():
        holding = [stream for stream in found if set(found[stream]) & set(bodies)]
        assert len(holding) == 1
        assert [body for body in found[holding[0]] if body in bodies] == bodies
    assert len(found) > 1  # chats are spread


def test_while_a_secret_is_rotated_both_are_good(gateway: RunningGateway, bot: Bot, module_database: Database) -> None:
    _seal(module_database, bot, ["new-secret", bot.secret])

    assert gateway.post(bot, update("a"), headers={SECRET_HEADER: bot.secret}).status_code == 200
    assert gateway.post(bot, update("b"), headers={SECRET_HEADER: "new-secret"}).status_code == 200


def test_a_retired_secret_and_a_disabled_app_are_refused(
    gateway: RunningGateway, bot: Bot, module_database: Database
) -> None:
    assert gateway.post(bot, update("before")).status_code == 200

    _seal(module_database, bot, ["new-secret"])
    assert gateway.post(bot, update("retired")).status_code == 401
    assert gateway.post(bot, update("new"), headers={SECRET_HEADER: "new-secret"}).status_code == 200

    _as_owner(module_database, "UPDATE apps SET state = 'disabled' WHERE id = %s", bot.app_id)
    assert gateway.post(bot, update("disabled"), headers={SECRET_HEADER: "new-secret"}).status_code == 404


def test_an_app_that_was_unknown_is_taken_once_it_is_connected(
    gateway: RunningGateway, module_database: Database
) -> None:
    bot = make_bot(module_database.admin_url)
    _as_owner(module_database, "UPDATE apps SET slug = 'late-bot' WHERE id = %s", bot.app_id)
    path = f"/webhooks/telegram/{bot.slug}"
    assert gateway.post(bot, update("early"), path=path).status_code == 404

    _as_owner(module_database, "UPDATE apps SET slug = %s WHERE id = %s", bot.slug, bot.app_id)

    assert gateway.post(bot, update("late"), path=path).status_code == 200


def test_the_gateway_says_that_it_lives_and_is_ready(gateway: RunningGateway) -> None:
    assert gateway.get("/health/live").json() == {"ok": True}
    ready = gateway.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"journal": "ok", "database": "ok"})


def test_other_paths_are_a_404(gateway: RunningGateway) -> None:
    assert [gateway.get(path).status_code for path in ("/", "/webhooks", "/metrics")] == [404, 404, 404]


def _seal(database: Database, bot: Bot, secrets: list[str]) -> None:
    sealed = Vault([ENCRYPTION_KEY]).seal(secrets)
    _as_owner(database, "UPDATE apps SET secrets = %s WHERE id = %s", sealed, bot.app_id)


def _as_owner(database: Database, query: str, *values: object) -> None:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        assert conn.execute(query, values).rowcount == 1
