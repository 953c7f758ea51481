"""`POST /{version}/{app}/subscriptions`: an application sets its callback address, which Meta tries at once.

https://developers.facebook.com/docs/graph-api/reference/app/subscriptions
"""

from __future__ import annotations

import re
import secrets
from functools import partial

import httpx

from standin.faults import Fault
from standin.graph_wire import Refused, params_of, token_of
from standin.serving import Reply, serve
from standin.wire import Exchange
from standin.world import World

PATH = re.compile(r"/v[0-9]+\.[0-9]+/([0-9]+)/subscriptions/?")


async def handle(world: World, exchange: Exchange) -> None:
    match = PATH.fullmatch(exchange.request.path)
    app_id = match[1] if match else ""
    attempt = world.attempts.append(target="graph", method="subscriptions", node=app_id, outcome="open")
    reply = await _perform(world, exchange, app_id)
    await serve(world, exchange, attempt, lambda _: reply, partial(_refuse))


def _refuse(fault: Fault) -> Reply:
    refused = Refused(2, fault.description or "Service temporarily unavailable", status=fault.status, transient=True)
    return Reply(refused.status, refused.body())


async def _perform(world: World, exchange: Exchange, app_id: str) -> Reply:
    try:
        params = params_of(exchange.request)
        secret = token_of(exchange.request, params).removeprefix(f"{app_id}|")
        apps = {(node.app_id, node.app_secret) for node in world.graph.nodes.values()}
        apps |= {(app_id, number.app_secret) for number in world.numbers.values()}
        if (app_id, secret) not in apps:
            raise Refused(190, "Invalid OAuth access token signature.", status=401)
        callback = str(params.get("callback_url") or "")
        if not callback.startswith("http") or not params.get("object") or not params.get("verify_token"):
            raise Refused(100, "(#100) object, callback_url and verify_token are required")
        await _shake_hands(callback, str(params["verify_token"]))
    except Refused as refused:
        return Reply(refused.status, refused.body())
    world.effects.append(
        target="graph", kind="app_subscription", node=app_id, platform=str(params["object"]), url=callback,
        fields=str(params.get("fields") or "").split(","),
    )  # fmt: skip
    return Reply(200, b'{"success":true}')


async def _shake_hands(callback: str, verify_token: str) -> None:
    """Raises Refused where the address does not give the challenge back."""
    challenge = str(secrets.randbelow(10**10))
    query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            answer = await http.get(callback, params=query)
        held = answer.status_code == 200 and answer.text == challenge
    except httpx.HTTPError:
        held = False
    if not held:
        raise Refused(2200, "(#2200) Callback verification failed")
