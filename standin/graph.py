"""The Graph API: `/{version}/{node}/{edge}`. What a node has is decided by what it was registered as.

Another kind of node is more lines in EDGES: (kind, method, edge) → what it does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from standin import pages
from standin.faults import Fault
from standin.graph_wire import Node, Params, Refused, check_proof, params_of, token_of, unknown_object
from standin.pages import Result
from standin.serving import Reply, serve
from standin.wire import Exchange, Request
from standin.world import World

PATH = re.compile(r"/v[0-9]+\.[0-9]+/([^/]+)(?:/([^/]+))?/?")
SCOPES = {
    "page": ["pages_messaging", "pages_manage_metadata", "pages_show_list", "human_agent"],
    "instagram": ["instagram_business_basic", "instagram_business_manage_messages", "human_agent"],
}
STATUS_WORDS = {1: "An unknown error occurred", 2: "Service temporarily unavailable"}

Perform = Callable[[World, Node, Params], Result]


async def handle(world: World, exchange: Exchange) -> None:
    request = exchange.request
    match = PATH.fullmatch(request.path)
    node_id, edge = (match[1], match[2] or "") if match else ("", "")
    try:
        params = params_of(request)
    except Refused:
        params = {}
    attempt = world.attempts.append(
        target="graph", method=edge or node_id, token=token_of(request, params), node=node_id,
        chat_id=_chat_id(params), outcome="open",
    )  # fmt: skip
    await serve(world, exchange, attempt, partial(_act, world, request, node_id, edge), _refuse)


def _chat_id(params: Params) -> str | None:
    """Who is written to: `recipient` of pages and accounts, `to` of phone numbers."""
    recipient = params.get("recipient")
    if isinstance(recipient, dict) and recipient:
        return str(next(iter(recipient.values())))
    return str(params["to"]) if params.get("to") is not None else None


def _act(world: World, request: Request, node_id: str, edge: str, fault: Fault | None) -> Reply:
    try:
        params = params_of(request)
        token = token_of(request, params)
        if node_id == "debug_token":
            answer, before = _debug_token(world, token, params), None
        else:
            node = world.graph.by_token(token)
            check_proof(node, params)
            if node_id not in ("me", node.id, node.page_id):
                raise unknown_object(request.method, node_id)
            perform = EDGES.get((node.kind, request.method, edge))
            if perform is None:
                raise unknown_object(request.method, node_id)
            answer, before = perform(world, node, params)
    except Refused as refused:
        return Reply(refused.status, refused.body())
    return Reply(200, orjson.dumps(answer), latency=world.latency("graph"), before=before)


def _refuse(fault: Fault) -> Reply:
    """A `status` fault: `code` is the error's, written as `190` or `190/463`."""
    code, _, subcode = (fault.code or ("4" if fault.status == 429 else "2")).partition("/")
    words = fault.description or STATUS_WORDS.get(int(code), f"(#{code}) Refused")
    refused = Refused(
        int(code), words, subcode=int(subcode) if subcode else None, status=fault.status, transient=fault.status >= 500
    )
    headers = (("retry-after", str(fault.retry_after)),) if fault.retry_after is not None else ()
    return Reply(refused.status, refused.body(), headers)


def _debug_token(world: World, token: str, params: Params) -> dict[str, Any]:
    """What a token is good for; asked with the application's own (`<id>|<secret>`) or any good one."""
    apps = {f"{node.app_id}|{node.app_secret}" for node in world.graph.nodes.values()}
    if token not in apps:
        world.graph.by_token(token)
    try:
        node = world.graph.by_token(str(params.get("input_token") or ""))
    except Refused as refused:
        error = {name: refused.error[name] for name in ("code", "message")}
        if "error_subcode" in refused.error:
            error["subcode"] = refused.error["error_subcode"]
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    data = {
        "app_id": node.app_id, "type": node.kind.upper(), "application": "Switchboard", "is_valid": True,
        "expires_at": 0, "data_access_expires_at": 0, "profile_id": node.id, "scopes": SCOPES.get(node.kind, []),
    }  # fmt: skip
    return {"data": data}


def _page(world: World, node: Node, params: Params) -> Result:
    return {"id": node.id, "name": node.name}, None


def _account(world: World, node: Node, params: Params) -> Result:
    """`id` is what the application knows the account by, `user_id` what webhooks call it. The token of a page speaks
    for that, and tells the account that is linked to it."""
    if node.page_id is not None:
        linked = {"id": node.id, "username": node.name}
        return {"id": node.page_id, "name": node.name, "instagram_business_account": linked}, None
    return {"id": f"9{node.id}", "user_id": node.id, "username": node.name, "account_type": "BUSINESS"}, None


def _subscriptions(world: World, node: Node, params: Params) -> Result:
    data = [{"id": app, "name": "Switchboard", "subscribed_fields": fields} for app, fields in node.subscribed.items()]
    return {"data": data}, None


def _subscribe(world: World, node: Node, params: Params) -> Result:
    fields = params.get("subscribed_fields")
    listed = fields if isinstance(fields, list) else str(fields or "").split(",")
    wanted = [str(name).strip() for name in listed if str(name).strip()]
    if not wanted:
        raise Refused(100, "(#100) The parameter subscribed_fields is required")
    node.subscribed[node.app_id] = wanted
    world.effects.append(target="graph", kind="subscription", platform=node.kind, node=node.id, fields=wanted)
    return {"success": True}, None


def _unsubscribe(world: World, node: Node, params: Params) -> Result:
    node.subscribed.pop(node.app_id, None)
    return {"success": True}, None


EDGES: dict[tuple[str, str, str], Perform] = {
    ("page", "GET", ""): _page,
    ("instagram", "GET", ""): _account,
    **{
        (kind, method, edge): perform
        for kind in ("page", "instagram")
        for method, edge, perform in (
            ("POST", "messages", pages.send),
            ("GET", "subscribed_apps", _subscriptions),
            ("POST", "subscribed_apps", _subscribe),
            ("DELETE", "subscribed_apps", _unsubscribe),
        )
    },
}
KINDS = tuple(sorted({kind for kind, _, _ in EDGES}))
