"""The control API below `/_control`: what tests, the demo and benchmarks set up, break and look at."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

import orjson

from standin import customers, faults, files, graph, meta_customers, numbers, slack
from standin.graph_wire import Node
from standin.records import Log
from standin.wire import Exchange
from standin.world import CONDITIONS, Bot, Chat, Latency, Script, World

FILTERS = ("target", "kind", "method", "token", "chat_id", "model", "outcome", "fault", "key", "platform", "node")
WAIT_S_MAX = 600.0
TOKEN_HEADER, TOKEN_VARIABLE = "x-standin-token", "STANDIN_CONTROL_TOKEN"

Values = dict[str, Any]


async def handle(world: World, exchange: Exchange) -> None:
    """200 with JSON; 400 with {"error": …} on a value or name that does not exist; 403 without the token; 404 on an
    unknown path. The token keeps out whoever the product posts for: its answers go to addresses that companies give,
    and the stand-in's is open to them."""
    request = exchange.request
    given = request.headers.get(TOKEN_HEADER, "").encode()
    if not world.control_token or not hmac.compare_digest(given, world.control_token.encode()):
        return await exchange.answer(403, orjson.dumps({"error": f"{TOKEN_HEADER} should be {TOKEN_VARIABLE}"}))
    perform = ENDPOINTS.get((request.method, request.path.removeprefix("/_control/")))
    if perform is None:
        return await exchange.answer(404, orjson.dumps({"error": f"no {request.method} {request.path}"}))
    try:
        values = orjson.loads(request.body) if request.body else {}
        answer = await perform(world, {**request.query, **values})
        if request.method != "GET":
            world.keep()
    except (ValueError, TypeError, KeyError) as e:
        words = f"missing: {e.args[0]}" if isinstance(e, KeyError) else str(e)
        return await exchange.answer(400, orjson.dumps({"error": words}))
    return await exchange.answer(200, orjson.dumps(answer))


def _only(values: Values, *known: str) -> None:
    """A misspelt name would make a test pass for nothing."""
    if unknown := set(values) - set(known):
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")


async def _register_bot(world: World, values: Values) -> Values:
    """{token, username, first_name?}. A bot that is known keeps its messages."""
    _only(values, "token", "username", "first_name")
    bot = Bot(values["token"], values["username"], values.get("first_name") or values["username"])
    known = world.bots.setdefault(bot.token, bot)
    known.username, known.first_name = bot.username, bot.first_name
    return {"id": bot.id, "username": bot.username}


async def _revoke_bot(world: World, values: Values) -> Values:
    """{token}: from now on it is unknown (401)."""
    return {"revoked": world.bots.pop(values["token"], None) is not None}


async def _register_key(world: World, values: Values) -> Values:
    _only(values, "key")
    world.keys.add(values["key"])
    return {}


async def _revoke_key(world: World, values: Values) -> Values:
    world.keys.discard(values["key"])
    return {}


async def _register_workspace(world: World, values: Values) -> Values:
    """{token, team_id, user_id, bot_id, app_id, team?, webhook?, signing_secret?}: Slack knows the token of this
    installation's bot; its events go to the webhook."""
    _only(values, "token", "team_id", "user_id", "bot_id", "app_id", "team", "webhook", "signing_secret")
    workspace = slack.Workspace(**{"team": values["team_id"], **values})
    world.workspaces[workspace.token] = workspace
    return {}


async def _revoke_workspace(world: World, values: Values) -> Values:
    """{token}: from now on token_revoked."""
    _only(values, "token")
    world.workspaces[values["token"]] = replace(world.workspaces[values["token"]], revoked=True)
    return {}


async def _register_receiver(world: World, values: Values) -> Values:
    """{name, secret}: a program that takes answers at /receiver/<name>."""
    _only(values, "name", "secret")
    world.receivers[values["name"]] = values["secret"]
    return {}


async def _register_node(world: World, values: Values) -> Values:
    """The fields of graph_wire.Node: a page, an account, a number; kind: one of graph.KINDS. A known one is changed."""
    if values["kind"] not in graph.KINDS:
        raise ValueError(f"kind {values['kind']!r} should be one of {', '.join(graph.KINDS)}")
    node = Node(**values)
    world.graph.nodes[node.id] = node
    world.graph.revoked.discard(node.token)
    return {"id": node.id}


async def _revoke_node(world: World, values: Values) -> Values:
    """{token}: from now on it was good once (190)."""
    _only(values, "token")
    world.graph.revoked.add(values["token"])
    return {}


async def _register_number(world: World, values: Values) -> Values:
    """{number_id, token, display, account_id, app_secret, webhook?, pair_per_s?}: a number of WhatsApp's, sending with
    that token; statuses go to the webhook. One that is known keeps its messages."""
    _only(values, "number_id", "token", "display", "account_id", "app_secret", "webhook", "pair_per_s")
    given = {"id": str(values.pop("number_id")), **values}
    number = numbers.Number(**given)
    if (known := world.numbers.get(number.id)) is not None:
        number.sent = known.sent
    world.numbers[number.id] = number
    return {}


async def _revoke_number(world: World, values: Values) -> Values:
    """{number_id}: from now on its token is none (190)."""
    _only(values, "number_id")
    world.numbers[str(values["number_id"])].revoked = True
    return {}


async def _post_status(world: World, values: Values) -> Values:
    """{number_id, message_id, status: sent | delivered | read | failed, code?}: posts it to the number's webhook."""
    _only(values, "number_id", "message_id", "status", "code")
    if values["status"] not in numbers.STATUSES:
        raise ValueError(f"status {values['status']!r} should be one of {', '.join(numbers.STATUSES)}")
    number = world.numbers[str(values["number_id"])]
    code = int(values["code"]) if "code" in values else None
    return {"answered": await numbers.post_status(number, values["message_id"], values["status"], code)}


async def _post_message(world: World, values: Values) -> Values:
    """{token, chat_id, kind?, text?, topic?, more?}: a customer's message, posted to the bot's webhook."""
    _only(values, "token", "chat_id", "kind", "text", "topic", "more")
    bot, chat_id = world.bots[values.pop("token")], int(values.pop("chat_id"))
    update = customers.telegram_message(bot, chat_id, **values)
    return {"answered": await customers.post_update(bot, update), "update": update}


async def _post_update(world: World, values: Values) -> Values:
    """{token, name, value}: any other update, such as an edited_message or a message_reaction."""
    _only(values, "token", "name", "value")
    bot = world.bots[values["token"]]
    update = customers.telegram_update(bot, values["name"], values["value"])
    return {"answered": await customers.post_update(bot, update), "update": update}


async def _post_event(world: World, values: Values) -> Values:
    """{token, event}: an event of Slack's, posted to the workspace's webhook."""
    _only(values, "token", "event")
    return {"answered": await customers.post_event(world.workspaces[values["token"]], values["event"])}


async def _post_whatsapp(world: World, values: Values) -> Values:
    """{number_id, field, value}, or {number_id, kind, wa_id?, message_id, contacts?, more?}: a change, or a customer's
    message of one of meta_customers.WHATSAPP's kinds, posted to the number's webhook."""
    _only(values, "number_id", "field", "value", "kind", "wa_id", "message_id", "contacts", "more")
    number, value, kind = world.numbers[str(values["number_id"])], values.get("value") or {}, values.get("kind")
    if kind is not None:
        said = meta_customers.whatsapp_message(
            kind, values.get("wa_id"), values["message_id"], values.get("more") or {}
        )  # fmt: skip
        value = {"contacts": values.get("contacts") or [], "messages": [said]}
    return {"answered": await meta_customers.post_whatsapp(number, values.get("field") or "messages", value)}


async def _post_page(world: World, values: Values) -> Values:
    """{node_id, items}: items of `messaging`, posted to the application's webhook."""
    _only(values, "node_id", "items")
    node = next(one for one in world.graph.nodes.values() if one.id == str(values["node_id"]))
    return {"answered": await meta_customers.post_page(node, values["items"])}


async def _add_fault(world: World, values: Values) -> Values:
    """The fields of faults.Fault."""
    return {"id": world.faults.add(faults.from_json(values))}


async def _list_faults(world: World, values: Values) -> Values:
    return {"faults": [asdict(fault) for fault in world.faults.waiting()]}


async def _clear_faults(world: World, values: Values) -> Values:
    """{id?}: one, or all. Requests that hang already go on hanging."""
    _only(values, "id")
    world.faults.clear(int(values["id"]) if "id" in values else None)
    return {}


async def _set_chat(world: World, values: Values) -> Values:
    """{chat_id, state, migrate_to_chat_id?, silent_s?}. state: one of world.CONDITIONS; each platform knows some."""
    _only(values, "chat_id", "state", "migrate_to_chat_id", "silent_s")
    if values["state"] not in CONDITIONS:
        raise ValueError(f"state {values['state']!r} should be one of {', '.join(CONDITIONS)}")
    if (values["state"] == "migrated") != bool(values.get("migrate_to_chat_id")):
        raise ValueError("migrate_to_chat_id belongs to the state migrated, and to no other")
    world.chats[str(values["chat_id"])] = Chat(
        values["state"], values.get("migrate_to_chat_id"), float(values.get("silent_s", 0))
    )
    return {}


async def _add_file(world: World, values: Values) -> Values:
    """{file_id, file_path, mime, base64}: a file that customers' messages may name."""
    _only(values, "file_id", "file_path", "mime", "base64")
    world.files[str(values["file_id"])] = files.read(values)
    return {}


async def _set_limits(world: World, values: Values) -> Values:
    """{enforced?, chat_per_s?, chat_burst?, bot_per_s?, group_per_min?, context_tokens?}."""
    world.context_tokens = int(values.pop("context_tokens", world.context_tokens))
    world.limits.change(**values)
    return {}


async def _set_latency(world: World, values: Values) -> Values:
    """{target, model?, first_byte_s?, chunk_s?}; zeros take it back."""
    _only(values, "target", "model", "first_byte_s", "chunk_s")
    if values["target"] not in faults.DEFAULT_METHODS:
        raise ValueError(f"target {values['target']!r} should be one of {', '.join(faults.DEFAULT_METHODS)}")
    latency = Latency(float(values.get("first_byte_s", 0)), float(values.get("chunk_s", 0)))
    world.latencies[values["target"], values.get("model")] = latency
    return {}


async def _add_scripts(world: World, values: Values) -> Values:
    """{texts, model?}: what the next completions say, first in first out."""
    _only(values, "texts", "model")
    if not isinstance(values["texts"], list) or not all(isinstance(text, str) for text in values["texts"]):
        raise ValueError("texts should be a list of texts")
    world.scripts.extend(Script(text, values.get("model")) for text in values["texts"])
    return {"waiting": len(world.scripts)}


async def _reset(world: World, values: Values) -> Values:
    """{keep_registrations?}: true keeps bots and keys."""
    _only(values, "keep_registrations")
    world.reset(bool(values.get("keep_registrations")))
    return {}


async def _health(world: World, values: Values) -> Values:
    return {"ok": True, "open_requests": len(world.open)}


async def _wait(world: World, values: Values) -> Values:
    """{count, timeout_s?, log?: effects | attempts, items?: 0 leaves the records out, since?, filters}: answers as
    soon as so many match."""
    _only(values, "count", "timeout_s", "log", "items", "since", *FILTERS)
    log = _log(world, values.get("log", "effects"))
    filters, since = _filters(values), int(values.get("since", 0))
    count, timeout_s = int(values["count"]), min(float(values.get("timeout_s", 10)), WAIT_S_MAX)
    found = await log.wait(filters, count, timeout_s, since)
    wanted = str(values.get("items", "1")) != "0"
    items = log.select(filters, since) if wanted else []
    return {"reached": found >= count, "count": found, "items": items}


async def _effects(world: World, values: Values) -> Values:
    return _select(world.effects, values)


async def _attempts(world: World, values: Values) -> Values:
    return _select(world.attempts, values)


def _select(log: Log, values: Values) -> Values:
    _only(values, "since", "limit", *FILTERS)
    limit = int(values["limit"]) if "limit" in values else None
    return {"items": log.select(_filters(values), int(values.get("since", 0)), limit)}


def _filters(values: Values) -> dict[str, str]:
    return {name: str(values[name]) for name in FILTERS if name in values}


def _log(world: World, name: str) -> Log:
    if name not in ("effects", "attempts"):
        raise ValueError(f"log {name!r} should be effects or attempts")
    return world.effects if name == "effects" else world.attempts


ENDPOINTS: dict[tuple[str, str], Callable[[World, Values], Awaitable[Values]]] = {
    ("GET", "health"): _health,
    ("POST", "tokens"): _register_bot,
    ("DELETE", "tokens"): _revoke_bot,
    ("POST", "keys"): _register_key,
    ("DELETE", "keys"): _revoke_key,
    ("POST", "workspaces"): _register_workspace,
    ("DELETE", "workspaces"): _revoke_workspace,
    ("POST", "receivers"): _register_receiver,
    ("POST", "nodes"): _register_node,
    ("DELETE", "nodes"): _revoke_node,
    ("POST", "numbers"): _register_number,
    ("DELETE", "numbers"): _revoke_number,
    ("POST", "statuses"): _post_status,
    ("POST", "messages"): _post_message,
    ("POST", "updates"): _post_update,
    ("POST", "events"): _post_event,
    ("POST", "whatsapp"): _post_whatsapp,
    ("POST", "pages"): _post_page,
    ("POST", "faults"): _add_fault,
    ("GET", "faults"): _list_faults,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "chats"): _set_chat,
    ("POST", "files"): _add_file,
    ("POST", "limits"): _set_limits,
    ("POST", "latency"): _set_latency,
    ("POST", "script"): _add_scripts,
    ("POST", "reset"): _reset,
    ("GET", "effects"): _effects,
    ("GET", "attempts"): _attempts,
    ("GET", "wait"): _wait,
}
