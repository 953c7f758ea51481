"""The demo's other platforms: a signed webhook of each, its answer at that platform's send API, a forgery refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click
import httpx

from shared.channels.connect.standard import new_secret
from shared.channels.meta import graph as meta
from shared.channels.signature import slack_signature, standard_key, standard_signature
from shared.model import Me
from shared.store.db.vault import Vault
from tasks.tenants import onboarding
from workers.commands.setup import as_owner
from workers.local import System, control

QUESTION = "How many days do I have to return shoes?"
SAYS = "30 days"
ANSWER_WITHIN_S = 60.0
APP = "900100"


@dataclass(frozen=True, slots=True)
class DemoPlatform:
    """How the demo speaks as one platform. account: the channel's id there. register: what the stand-in is told. body:
    a customer's question. sign: raw body and secret → headers. sent: where the answer is found."""

    platform: str
    title: str
    secret: str
    account: str
    credentials: Mapping[str, str]
    register: tuple[str, Mapping[str, Any]]
    body: Mapping[str, Any]
    sign: Callable[[bytes, str], dict[str, str]]
    sent: Mapping[str, Any]
    handle: str | None = None


def _meta_headers(raw: bytes, secret: str) -> dict[str, str]:
    return {"x-hub-signature-256": meta.signature(raw, secret)}


def _slack_headers(raw: bytes, secret: str) -> dict[str, str]:
    now = str(int(time.time()))
    return {"x-slack-request-timestamp": now, "x-slack-signature": slack_signature(raw, now, secret)}


def _standard_headers(raw: bytes, secret: str) -> dict[str, str]:
    now, key = str(int(time.time())), standard_key(secret) or b""
    return {"webhook-id": "msg_demo_1", "webhook-timestamp": now,
            "webhook-signature": standard_signature(raw, "msg_demo_1", now, key)}  # fmt: skip


def _page_body(kind: str, page: str, customer: str) -> dict[str, Any]:
    now = int(time.time() * 1000)
    said = {"sender": {"id": customer}, "recipient": {"id": page}, "timestamp": now,
            "message": {"mid": f"m_demo_{page}", "text": QUESTION}}  # fmt: skip
    return {"object": kind, "entry": [{"id": page, "time": now, "messaging": [said]}]}


def _number_body(number: str, customer: str) -> dict[str, Any]:
    said = {"from": customer, "id": "wamid.demo1", "timestamp": str(int(time.time())), "type": "text",
            "text": {"body": QUESTION}}  # fmt: skip
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "49407001", "phone_number_id": number},
        "contacts": [{"profile": {"name": "Ada"}, "wa_id": customer}],
        "messages": [said],
    }
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}


def _places(system: System) -> list[DemoPlatform]:
    ours, theirs = new_secret(), new_secret()
    page, account, number, team = "700201", "700202", "700203", "T0DEMO"
    event = {"type": "message", "channel": "D0ADA", "channel_type": "im", "user": "U0ADA", "text": QUESTION,
             "ts": f"{int(time.time())}.000100"}  # fmt: skip
    node = {"app_id": APP, "app_secret": "demo-app-secret"}
    return [
        DemoPlatform(
            "messenger", "a Facebook page", "demo-app-secret", page, {"token": "demo-page"},
            ("nodes", {"id": page, "kind": "page", "token": "demo-page", **node}),
            _page_body("page", page, "4401"), _meta_headers, {"target": "graph", "kind": "message", "node": page},
        ),
        DemoPlatform(
            "instagram", "an Instagram account", "demo-app-secret", account, {"token": "demo-account"},
            ("nodes", {"id": account, "kind": "instagram", "token": "demo-account", **node}),
            _page_body("instagram", account, "4402"), _meta_headers,
            {"target": "graph", "kind": "message", "node": account},
        ),
        DemoPlatform(
            "whatsapp", "a WhatsApp number", "demo-app-secret", number, {"token": "demo-number"},
            ("numbers", {"number_id": number, "token": "demo-number", "account_id": "1",
                         "display": "49407001", "app_secret": "demo-app-secret",
                         "webhook": f"{system.gateway_url}/webhooks/whatsapp/demo-whatsapp"}),
            _number_body(number, "491701"), _meta_headers,
            {"target": "whatsapp", "kind": "message", "chat_id": "491701"},
        ),
        DemoPlatform(
            "slack", "a Slack workspace", "demo-signing-secret", team, {"token": "xoxb-demo"},
            ("workspaces",
             {"token": "xoxb-demo", "team_id": team, "user_id": "U0BOT", "bot_id": "B0BOT", "app_id": "A0"}),
            {"type": "event_callback", "team_id": team, "api_app_id": "A0", "event_id": "Ev1", "event": event},
            _slack_headers, {"target": "slack", "kind": "message", "chat_id": "D0ADA"}, handle="U0BOT",
        ),
        DemoPlatform(
            "standard", "a program of somebody's own", ours, "shop",
            {"url": f"{system.standin_url}/receiver/shop", "secret": theirs},
            ("receivers", {"name": "shop", "secret": theirs}),
            {"type": "message.received",
             "data": {"id": "m1", "conversation": "order-4711", "sender": {"id": "ada"}, "text": QUESTION}},
            _standard_headers, {"target": "receiver", "kind": "answer", "chat_id": "order-4711"},
        ),
    ]  # fmt: skip


def play(system: System) -> list[str]:
    """A conversation on each; returns the promises that were not held."""
    assert system.standin_url is not None
    places, failures = _places(system), list[str]()
    for place in places:
        _connect(system, place)
    with httpx.Client(base_url=system.gateway_url, timeout=10, trust_env=False) as http:
        for place in places:
            forged, accepted = (_post(http, place, secret) for secret in (f"{place.secret}x", place.secret))
            if (forged, accepted) != (401, 200):
                failures.append(
                    f"{place.platform}: a forged webhook gets 401, a signed one 200 (got {forged}, {accepted})"
                )
    for place in places:
        failures += _answered(system.standin_url, place)
    return failures


def _connect(system: System, place: DemoPlatform) -> None:
    assert system.standin_url is not None
    path, values = place.register
    control(system.standin_url, "POST", path, **values)
    config = system.settings
    with as_owner(config) as conn:
        onboarding.connect_account(
            conn, Vault(config.system.fernet_keys), platform=place.platform, company_id=system.company_id,
            slug=f"demo-{place.platform}", webhook_secrets=[place.secret], credentials=place.credentials,
            me=Me(place.account, place.handle, APP if place.secret == "demo-app-secret" else None),
        )  # fmt: skip


def _post(http: httpx.Client, place: DemoPlatform, secret: str) -> int:
    raw = json.dumps(place.body).encode()
    headers = {"content-type": "application/json", **place.sign(raw, secret)}
    return http.post(f"/webhooks/{place.platform}/demo-{place.platform}", content=raw, headers=headers).status_code


def _answered(standin_url: str, place: DemoPlatform) -> list[str]:
    found = control(standin_url, "GET", "wait", count=1, timeout_s=ANSWER_WITHIN_S, **place.sent)["items"]
    said = str(found[0].get("text", "")) if found else ""
    click.echo(f"\n── {place.title} ({place.platform}) " + "─" * 40)
    click.echo(f"customer  {QUESTION}")
    click.echo("answer    " + said.replace("\n", "\n          "))
    wanted = f"{place.platform}: one answer that says {SAYS!r}"
    return [] if len(found) == 1 and SAYS in said else [f"{wanted} (got {len(found)}: {said[:80]!r})"]
