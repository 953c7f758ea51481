"""A program that takes answers as Standard Webhooks, and checks that they are what the specification wants.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
import time
from functools import partial
from typing import Any

import orjson

from standin.faults import Fault
from standin.serving import Reply, serve
from standin.wire import Exchange, Request
from standin.world import World

TOLERANCE_S = 300


async def handle(world: World, exchange: Exchange) -> None:
    """A post to `/receiver/<name>`: 200 taken (a webhook-id that came before is taken and has no effect again) ·
    400 no JSON object · 401 the signature does not fit · 404 nobody of that name. Faults make it answer otherwise."""
    request = exchange.request
    name = request.path.removeprefix("/receiver/")
    body = _body(request)
    found = (body or {}).get("data")
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    attempt = world.attempts.append(
        target="receiver", method="receive", token=name, chat_id=data.get("conversation"), text=data.get("text"),
        key=request.headers.get("webhook-id"), outcome="open",
    )  # fmt: skip
    await serve(world, exchange, attempt, partial(_act, world, name, request, body, data), _refuse)


def _body(request: Request) -> dict[str, Any] | None:
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _act(
    world: World, name: str, request: Request, body: dict[str, Any] | None, data: dict[str, Any], fault: Fault | None
) -> Reply:
    secret = world.receivers.get(name)
    if secret is None:
        return Reply(404, b"")
    if request.method != "POST" or body is None:
        return Reply(400, b"")
    if not _signed(request, secret):
        return Reply(401, b"")
    webhook_id = request.headers["webhook-id"]
    if (name, webhook_id) not in world.answered:
        world.answered.add((name, webhook_id))
        world.effects.append(
            target="receiver", kind="answer", token=name, key=webhook_id, chat_id=data.get("conversation"),
            text=data.get("text"), body=body,
        )  # fmt: skip
    return Reply(200, b"", latency=world.latency("receiver"))


def _signed(request: Request, secret: str) -> bool:
    webhook_id, sent_at = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not webhook_id or not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{webhook_id}.{sent_at}.".encode() + request.body
    expected = b"v1," + base64.b64encode(hmac.digest(key, content, "sha256"))
    return any(
        hmac.compare_digest(one.encode(), expected) for one in request.headers.get("webhook-signature", "").split(" ")
    )


def _refuse(fault: Fault) -> Reply:
    headers = (("retry-after", str(fault.retry_after)),) if fault.retry_after is not None else ()
    return Reply(fault.status, b"", headers)
