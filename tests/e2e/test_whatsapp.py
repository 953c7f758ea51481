"""WhatsApp with every process running: two companies' numbers under one application."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from shared.channels.meta import graph as meta
from shared.model import Me, read_ref
from shared.store.db.vault import Vault
from shared.store.tenants import companies
from tasks.tenants import onboarding
from tests.e2e.system import ENCRYPTION_KEY, System, private_system, wait_until
from workers.commands.data import add_file
from workers.local import KNOWLEDGE

SLUG, SECRET, VERIFY_TOKEN = "harbour-app", "the-apps-secret", "a verify token"
PATH = f"/webhooks/whatsapp/{SLUG}"
_ids = itertools.count(1)


@dataclass(frozen=True)
class Number:
    """A company's telephone number."""

    id: str
    token: str
    company_id: int
    channel_id: int


def connect(system: System, number_id: str) -> Number:
    token = f"planted-token-of-{number_id}"
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        company = companies.ensure(conn, f"company of {number_id}")
        for path in sorted(KNOWLEDGE.glob("*.md")):
            add_file(conn, company.id, path)
        connected = onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform="whatsapp", company_id=company.id, slug=SLUG,
            webhook_secrets=[SECRET], credentials={"token": token}, me=Me(number_id, app="5550001"),
            verify_token=VERIFY_TOKEN,
        )  # fmt: skip
    webhook = f"http://127.0.0.1:{system.config.gateway.port}{PATH}"
    system.standin.register_number(number_id, token, app_secret=SECRET, webhook=webhook)
    return Number(number_id, token, company.id, connected.channel_id)


@dataclass(frozen=True)
class Harbour:
    system: System
    first: Number
    second: Number

    def post(self, *changes: dict[str, Any], secret: str = SECRET) -> int:
        raw = json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "900", "changes": changes}]}).encode()
        headers = {"content-type": "application/json", "x-hub-signature-256": meta.signature(raw, secret)}
        return self.system.http.post(PATH, content=raw, headers=headers).status_code


@pytest.fixture(scope="module")
def harbour() -> Iterator[Harbour]:
    with private_system() as system:
        first, second = connect(system, "7001001001"), connect(system, "7001001002")
        system.start("gateway", "intake", "reply", "deliver")
        yield Harbour(system, first, second)


def asks(number: Number, customer: str, text: str) -> dict[str, Any]:
    said = {"from": customer, "id": f"wamid.in{next(_ids)}", "timestamp": str(int(time.time())), "type": "text"}
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4940700100", "phone_number_id": number.id},
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": customer}],
        "messages": [{**said, "text": {"body": text}}],
    }
    return {"field": "messages", "value": value}


def answers(harbour: Harbour, number: Number, customer: str) -> list[dict[str, Any]]:
    return harbour.system.standin.wait_effects(
        1, 20, target="whatsapp", kind="message", token=number.token, chat_id=customer
    )


def test_meta_may_subscribe_under_our_verify_token_alone(harbour: Harbour) -> None:
    query = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    ours = harbour.system.http.get(PATH, params={**query, "hub.verify_token": VERIFY_TOKEN})
    other = harbour.system.http.get(PATH, params={**query, "hub.verify_token": "another"})
    assert ((ours.status_code, ours.text), other.status_code) == ((200, "1158201444"), 403)


def test_a_question_is_answered_and_a_late_failure_is_kept(harbour: Harbour) -> None:
    system, number = harbour.system, harbour.first
    assert harbour.post(asks(number, "4917010001", "How many days do I have to return shoes?")) == 200

    [answer] = answers(harbour, number, "4917010001")
    assert "30 days" in answer["text"]
    reference = read_ref(answer["ref"])
    assert reference is not None
    assert reference[0] == number.company_id

    assert system.standin.post_status(number.id, answer["message_id"], "failed", 131026) == 200

    def kept() -> list[tuple[Any, ...]]:
        query = "SELECT company_id FROM webhook_events WHERE kind = 'delivery' AND channel_id = %s"
        return system.rows(query, number.channel_id)

    wait_until(lambda: kept() == [(number.company_id,)], "the status stands in the ledger", 20)


def test_a_request_for_two_companies_reaches_both_and_mixes_nothing(harbour: Harbour) -> None:
    question = "How many days do I have to return shoes?"
    both = [asks(harbour.first, "4917020001", question), asks(harbour.second, "4917020002", question)]
    assert harbour.post(*both) == 200

    found = [(answers(harbour, harbour.first, "4917020001")), (answers(harbour, harbour.second, "4917020002"))]

    assert [one["number_id"] for [one] in found] == [harbour.first.id, harbour.second.id]
    for number, customer in ((harbour.first, "4917020001"), (harbour.second, "4917020002")):
        [(company,)] = harbour.system.rows("SELECT company_id FROM contacts WHERE external_id = %s", customer)
        assert company == number.company_id


def test_a_forged_request_is_refused_and_leaves_nothing(harbour: Harbour) -> None:
    assert harbour.post(asks(harbour.first, "4917030001", "hello?"), secret="another") == 401
    balance = harbour.system.wait_at_rest()
    assert balance.closes
    assert harbour.system.rows("SELECT 1 FROM contacts WHERE external_id = '4917030001'") == []
    assert "planted-token" not in harbour.system.all_logs()
