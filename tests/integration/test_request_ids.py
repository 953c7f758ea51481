"""One id leads from the answer to a webhook to its ledger row, its turn and its receipt."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared.store.inbound import dead_letters
from shared.store.operations.requests import received_ms
from tests.factories import Bot, make_bot, update
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.station import Station

ASKED = "When do you open in the morning?"


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


@pytest.fixture
def gateway(station: Station) -> Iterator[RunningGateway]:
    with running_gateway(station.inbox.settings) as running:
        yield running


def test_the_id_in_the_answer_stands_in_ledger_and_turn(gateway: RunningGateway, station: Station, bot: Bot) -> None:
    request_id = gateway.post(bot, update(ASKED, chat=5)).headers["x-request-id"]
    station.inbox.drain_all()
    station.answer()

    assert station.rows("SELECT request_id FROM webhook_events") == [(request_id,)]
    [(step,)] = station.rows(
        "SELECT r.step FROM turns t JOIN receipts r ON r.turn_id = t.id WHERE t.request_id = %s", request_id
    )
    assert step == "full"


def test_a_burst_s_turn_bears_the_newest_request(gateway: RunningGateway, station: Station, bot: Bot) -> None:
    first, second = (gateway.post(bot, update(text, chat=5)).headers["x-request-id"] for text in ("Hello", ASKED))
    station.inbox.drain_all()

    assert first != second
    assert station.rows("SELECT request_id FROM turns") == [(second,)]


def test_a_refused_request_has_an_id_too_and_leaves_nothing(
    gateway: RunningGateway, station: Station, bot: Bot
) -> None:
    answer = gateway.post(bot, update(ASKED), headers={})

    assert answer.status_code == 401
    assert received_ms(answer.headers["x-request-id"]) > 0
    assert station.inbox.drain_all().requests == 0


def test_the_line_in_the_log_bears_the_id_and_no_content(
    gateway: RunningGateway, bot: Bot, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    logging.getLogger("gateway.webhooks.endpoint").setLevel(logging.INFO)
    try:
        answer = gateway.post(bot, update(ASKED))
        refused = gateway.post(bot, update(ASKED), headers={"x-telegram-bot-api-secret-token": "planted"})
    finally:
        logging.getLogger("gateway.webhooks.endpoint").setLevel(logging.NOTSET)

    told = capfdbinary.readouterr().err
    lines = [json.loads(line) for line in told.splitlines() if b"webhook_answered" in line]
    seen: list[tuple[Any, ...]] = [(line["request_id"], line["status"], line["app_id"]) for line in lines]
    assert seen == [
        (answer.headers["x-request-id"], 200, bot.app_id), (refused.headers["x-request-id"], 401, bot.app_id)
    ]  # fmt: skip
    assert ASKED.encode() not in told
    assert b"planted" not in told


def test_an_entry_of_an_older_gateway_has_none_and_is_stored(station: Station, bot: Bot) -> None:
    station.receive(bot, ASKED)

    assert station.rows("SELECT request_id FROM webhook_events") == [(None,)]
    assert station.rows("SELECT request_id FROM turns") == [(None,)]


def test_a_dead_letter_keeps_its_id_when_it_is_redriven(gateway: RunningGateway, station: Station, bot: Bot) -> None:
    station.execute(f"ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> '{ASKED}')")
    request_id = gateway.post(bot, update(ASKED, chat=5)).headers["x-request-id"]
    station.inbox.drain_all()
    station.execute("ALTER TABLE messages DROP CONSTRAINT no_poison")
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        [row] = dead_letters.listed(conn)
        assert dead_letters.redrive(conn, station.inbox.reader, row.place, station.r.clock.now())
    station.inbox.drain_all()

    assert station.rows("SELECT outcome, request_id FROM webhook_events WHERE ordinal = 0") == [
        ("effected", request_id)
    ]
    assert station.rows("SELECT request_id FROM turns") == [(request_id,)]
