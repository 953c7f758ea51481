"""Agents get an attachment's bytes by an address that is good for a short time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from gateway.api.media import address
from shared.embedded import Database
from shared.store.tenants import companies
from tasks.inbox import media as flow
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, update
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.media_files import PICTURE, Files, fetch
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, MEDIA_MAX_BYTES=1000, MEDIA_DEADLINE_S=2.0)
    yield station
    station.close()


@pytest.fixture
def files(station: Station) -> Files:
    return Files(station)


# What agents see


@pytest.fixture
def gateway(station: Station, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    with running_gateway(station.inbox.settings) as running:
        yield running


def attachment(station: Station, gateway: RunningGateway, bot: Bot) -> dict[str, Any]:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        name = companies.free_agent_name(conn, bot.company_id, "Ada")
        key = onboarding.new_agent(conn, bot.company_id, name)
    answer = gateway.get(
        f"/api/v1/conversations/{station.conversation()}/messages", headers={"authorization": f"Bearer {key}"}
    )
    found: dict[str, Any] = json.loads(answer.content)["messages"][-1]["attachments"][0]
    return found


def test_an_agent_sees_what_became_of_it_and_the_bytes_by_a_short_lived_address(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    station.receive(bot, None)
    assert (attachment(station, gateway, bot)["state"], "media_url" in attachment(station, gateway, bot)) == (
        "waiting", False,
    )  # fmt: skip
    fetch(station)

    shown = attachment(station, gateway, bot)
    answer = gateway.get(shown["media_url"])

    assert (shown["state"], shown["mime"], shown["size_bytes"]) == ("stored", "image/png", len(PICTURE))
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("inline")


def test_an_agent_sees_how_often_a_waiting_one_was_tried_and_when_it_is_next(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)
    fetch(station)

    shown = attachment(station, gateway, bot)
    assert (shown["state"], shown["reason"], shown["attempts"]) == ("waiting", "unreachable", 1)
    assert datetime.fromisoformat(shown["next_attempt_at"]) > datetime.now(UTC) - timedelta(minutes=1)

    station.execute("UPDATE media SET created_at = now() - interval '2 days', attempts = %s", flow.ATTEMPTS_MIN)
    station.execute("UPDATE media SET due_at = now()")
    fetch(station)
    shown = attachment(station, gateway, bot)
    assert (shown["state"], shown["attempts"], shown["next_attempt_at"]) == ("failed", flow.ATTEMPTS_MIN + 1, None)


def test_what_could_run_as_ours_is_saved_and_not_shown(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    files.answer = lambda _: httpx.Response(
        200, content=b"<svg onload='x'/>", headers={"content-type": "image/svg+xml"}
    )
    document = {"file_id": "f", "file_name": 'bad"name\r\n/../ü.svg', "mime_type": "image/svg+xml"}
    station.inbox.journal(bot, update(None, chat=5, document=document))
    station.inbox.drain_all()
    fetch(station)

    answer = gateway.get(attachment(station, gateway, bot)["media_url"])

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_an_address_is_good_for_its_attachment_and_its_time_only(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    station.receive(bot, None)
    fetch(station)
    [(message,)] = station.rows("SELECT message_id FROM media")
    now = int(station.r.clock.now().timestamp())

    def status(path: str) -> int:
        return gateway.get(path).status_code

    good = address([ENCRYPTION_KEY], bot.company_id, message, 0, now + 60)
    assert status(good) == 200
    assert status(good.replace(f"/{message}/0", f"/{message}/1")) == 403
    assert status(good.replace(f"until={now + 60}", f"until={now + 61}")) == 403
    assert status(good[:-1] + ("0" if good[-1] != "0" else "1")) == 403
    assert status(good.partition("?")[0]) == 403
    assert status(address([ENCRYPTION_KEY], bot.company_id, message, 0, now - 1)) == 403
    assert status(address(["another key"], bot.company_id, message, 0, now + 60)) == 403
    assert status(address([ENCRYPTION_KEY], bot.company_id, message, 7, now + 60)) == 404
    assert status(address([ENCRYPTION_KEY], bot.company_id + 1000, message, 0, now + 60)) == 404
