"""Slack and a program as channels of one company, with every process running: questions in, answers out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared.channels.connect.standard import new_secret
from shared.channels.signature import slack_signature, standard_key, standard_signature
from shared.model import Me
from shared.store.db.vault import Vault
from tasks.tenants import onboarding
from tests.e2e.system import ENCRYPTION_KEY, System, private_system, wait_until

SIGNING_SECRET = "slack-signing-secret"
OUR_SECRET, THEIR_SECRET = new_secret(), new_secret()
QUESTION = "How many days do I have to return shoes?"
TS = "1780000000.000100"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system() as system:
        bot = system.new_bot()  # its company has the documents
        system.standin.register_workspace("xoxb-1", team_id="T0SHOP", user_id="U0BOT", bot_id="B0BOT", app_id="A0APP")
        address = system.standin.register_receiver("shop", THEIR_SECRET)
        channels: dict[str, tuple[str, dict[str, str], Me]] = {
            "slack": (SIGNING_SECRET, {"token": "xoxb-1"}, Me("T0SHOP", "U0BOT", "A0APP")),
            "standard": (OUR_SECRET, {"url": address, "secret": THEIR_SECRET}, Me("shop")),
        }
        with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
            for platform, (secret, credentials, me) in channels.items():
                onboarding.connect_account(
                    conn, Vault([ENCRYPTION_KEY]), platform=platform, company_id=bot.company_id, slug=f"our-{platform}",
                    webhook_secrets=[secret], credentials=credentials, me=me,
                )  # fmt: skip
        system.start("gateway", "intake", "reply", "deliver")
        yield system


def post_as_slack(system: System, event: dict[str, Any], secret: str = SIGNING_SECRET) -> int:
    body = {"type": "event_callback", "team_id": "T0SHOP", "api_app_id": "A0APP", "event_id": "Ev1", "event": event}
    raw, now = json.dumps(body).encode(), str(int(time.time()))
    headers = {"x-slack-request-timestamp": now, "x-slack-signature": slack_signature(raw, now, secret)}
    return system.http.post("/webhooks/slack/our-slack", content=raw, headers=headers).status_code


def post_as_program(system: System, webhook_id: str, conversation: str, secret: str = OUR_SECRET) -> int:
    data = {"conversation": conversation, "sender": {"id": "ada", "name": "Ada"}, "text": QUESTION}
    raw, now = json.dumps({"type": "message.received", "data": data}).encode(), str(int(time.time()))
    key = standard_key(secret)
    assert key is not None
    signature = standard_signature(raw, webhook_id, now, key)
    headers = {"webhook-id": webhook_id, "webhook-timestamp": now, "webhook-signature": signature}
    return system.http.post("/webhooks/standard/our-standard", content=raw, headers=headers).status_code


def test_a_mention_is_answered_in_its_thread_and_our_echo_with_nothing(system: System) -> None:
    mention = {"type": "app_mention", "channel": "C0SHOES", "user": "U0ADA", "text": f"<@U0BOT> {QUESTION}", "ts": TS}

    assert post_as_slack(system, mention) == 200

    [answer] = system.standin.wait_effects(1, 15, target="slack", kind="message", chat_id="C0SHOES")
    assert answer["thread_ts"] == TS
    assert "30 days" in answer["text"]
    echo = {
        "type": "message", "channel": "C0SHOES", "channel_type": "channel", "user": "U0BOT", "bot_id": "B0BOT",
        "app_id": "A0APP", "text": answer["text"], "ts": answer["ts"], "thread_ts": TS,
        "metadata": {"event_type": "switchboard_part", "event_payload": {"ref": answer["ref"]}},
    }  # fmt: skip
    assert post_as_slack(system, echo) == 200
    system.wait_at_rest()
    assert len(system.standin.effects(target="slack", kind="message")) == 1
    assert system.rows("SELECT o.state, c.chat FROM outbound o JOIN conversations c ON c.id = o.conversation_id") == [
        ("sent", f"C0SHOES:{TS}")
    ]


def test_a_question_of_a_program_is_answered_at_its_address_in_spite_of_a_failure(system: System) -> None:
    system.standin.fault("receiver", "status", status=503)

    assert post_as_program(system, "msg_1", "order-1") == 200

    [answer] = system.standin.wait_effects(1, 25, target="receiver", kind="answer", chat_id="order-1")
    assert "30 days" in answer["text"]
    attempts = system.standin.attempts(target="receiver")
    assert [(attempt["status"], attempt["key"]) for attempt in attempts] == [(503, answer["key"]), (200, answer["key"])]


def test_who_signs_otherwise_is_refused(system: System) -> None:
    message = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "text": QUESTION, "ts": TS}
    assert post_as_slack(system, message, "another-secret") == 401
    assert post_as_program(system, "msg_2", "order-2", THEIR_SECRET) == 401


def test_a_receiver_that_is_gone_disables_its_channel(system: System) -> None:
    system.standin.fault("receiver", "status", status=410)

    assert post_as_program(system, "msg_3", "order-3") == 200

    state = "SELECT state FROM channels WHERE platform = 'standard'"
    wait_until(lambda: system.rows(state) == [("disabled",)], "the channel is disabled", 20)
    system.wait_at_rest()
    assert post_as_program(system, "msg_4", "order-4") == 200
    system.wait_at_rest()
    assert system.standin.effects(target="receiver", chat_id="order-4") == []
