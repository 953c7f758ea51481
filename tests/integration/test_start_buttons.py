"""What customers press or open to begin a chat, as platforms report it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.model import Me
from shared.store.db.vault import Vault
from shared.store.inbound import journal
from shared.store.tenants import companies
from shared.triage import texts
from tasks.answers.reply import Result
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, make_bot
from tests.integration.said_and_answered import bot_and_attention, bot_said, say, steps
from tests.integration.station import Station

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases" / "channels"


@pytest.fixture
def bot(station: Station) -> Bot:
    bot = make_bot(station.inbox.server.admin_url)
    station.learn(bot)
    return bot


@pytest.mark.skipif(not CASES.is_dir(), reason="the recorded webhooks are not here")
@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["03-tg-start.json", "03-tg-start-then-question.json"], ["welcome", "unknown"]),
        (["17-tg-5601.json"], ["courtesy"]),
        (["17-tg-5602.json"], ["silence"]),
        (["28-tg-thanks-after-answer.json"], ["unknown", "courtesy"]),
    ],
)
def test_recorded_webhooks_get_a_courtesy_or_silence_and_leave_the_bot_on(
    station: Station, bot: Bot, files: list[str], expected: list[str]
) -> None:
    for name in files:
        read = json.loads((CASES / name).read_text(encoding="utf-8"))
        for body in read if isinstance(read, list) else [read]:
            station.inbox.journal(bot, body)
            station.inbox.drain_all()
            station.answer()

    assert [step for step, _ in steps(station)] == expected
    assert station.rows("SELECT bot_enabled, referral FROM conversations") == [
        (True, "promo-77" if "start" in files[0] else None)
    ]


def test_a_start_link_s_parameter_is_the_conversation_s_referral(station: Station, bot: Bot) -> None:
    assert say(station, bot, "/start@shop_bot spring_sale") == [Result.ANSWERED]

    assert station.rows("SELECT referral, bot_enabled FROM conversations") == [("spring_sale", True)]


# ------------------------------------------------------------------ Get started, on Messenger

GET_STARTED: dict[str, Any] = {
    "object": "page",
    "entry": [
        {
            "id": "700900",
            "time": 1_795_824_402_016,
            "messaging": [
                {
                    "sender": {"id": "88001"},
                    "recipient": {"id": "700900"},
                    "timestamp": 1_795_824_402_016,
                    "postback": {"mid": "m_1", "title": "Get Started", "payload": "GET_STARTED"},
                }
            ],
        }
    ],
}


def _press(station: Station, *bodies: dict[str, Any]) -> list[Result]:
    """Messenger's requests to a page that is connected now; returns how each went."""
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        made = onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform="messenger", slug="fb",
            company_id=companies.ensure(conn, "Shop").id,
            webhook_secrets=["s"], credentials={"token": "t"}, me=Me("700900", "shop", "A1"),
        )  # fmt: skip
    results = []
    for body in bodies:
        stream = journal.stream_of(journal.shard_of(made.app_id, "", station.inbox.settings.journal.shards))
        fields = journal.fields("messenger", made.app_id, 1_795_824_402_016, json.dumps(body).encode())
        station.inbox.reader.append(stream, fields)
        station.inbox.drain_all()
        results.append(station.answer())
    return results


def test_who_presses_get_started_is_welcomed_once_and_keeps_the_bot(station: Station) -> None:
    assert _press(station, GET_STARTED, GET_STARTED) == [Result.ANSWERED, Result.NOTHING_DUE]

    assert steps(station) == [("welcome", "start")]
    assert bot_said(station) == [texts.default("welcome", "en")]
    assert bot_and_attention(station) == (True, None)


@pytest.mark.skipif(not CASES.is_dir(), reason="the recorded webhooks are not here")
def test_a_recorded_get_started_is_welcomed(station: Station) -> None:
    assert _press(station, json.loads((CASES / "31-fb-get-started.json").read_text("utf-8"))) == [Result.ANSWERED]

    assert steps(station) == [("welcome", "start")]
    assert bot_and_attention(station) == (True, None)
