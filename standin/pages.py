"""Pages of Messenger and accounts of Instagram: their send API, with its limits, windows and echoes.

https://developers.facebook.com/docs/messenger-platform/reference/send-api
https://developers.facebook.com/docs/messenger-platform/error-codes
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import orjson

from standin.graph_wire import Node, Params, Refused
from standin.world import World

DAY_S = 86_400.0
TEXT_CHARACTERS_MAX, TEXT_BYTES_MAX, METADATA_MAX = 2000, 1000, 1000
PER_S = {"page": 300.0, "instagram": 100.0}
ACTIONS = ("typing_on", "typing_off", "mark_seen", "react", "unreact")
TYPES = ("RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY")
TAGS = ("HUMAN_AGENT", "ACCOUNT_UPDATE", "CONFIRMED_EVENT_UPDATE", "POST_PURCHASE_UPDATE", "CUSTOMER_FEEDBACK")
ECHO_LATER_S = 0.3

Result = tuple[dict[str, Any], Callable[[], Awaitable[None]] | None]
"""The answer's body, and what must have happened before it leaves."""


def send(world: World, node: Node, params: Params) -> Result:
    """`POST /{page or account}/messages`. Raises Refused."""
    recipient = _recipient(params)
    chat = str(next(iter(recipient.values())))
    if params.get("sender_action") is not None:
        return _action(world, node, params, chat)
    text, metadata = _text(node, params)
    _may_be_written_to(world, node, params, recipient)
    if world.limits.spend((node.kind, node.id), PER_S[node.kind]) is not None:
        raise Refused(613, "(#613) Calls to this api have exceeded the rate limit.")
    mid = _new_mid(node)
    world.effects.append(
        target="graph", kind="message", platform=node.kind, node=node.id, token=node.token, chat_id=chat, text=text,
        ref=metadata, tag=params.get("tag"), messaging_type=params.get("messaging_type"), message_id=mid,
        recipient=recipient,
    )  # fmt: skip
    waits = _echo(world, node, recipient, mid, text, metadata) if node.echo_url else None
    return {"recipient_id": chat, "message_id": mid}, waits


def _recipient(params: Params) -> dict[str, Any]:
    recipient = params.get("recipient")
    if not isinstance(recipient, dict) or len(recipient) != 1 or not set(recipient) <= {"id", "user_ref", "comment_id"}:
        raise Refused(100, "(#100) The parameter recipient is required")
    return recipient


def _action(world: World, node: Node, params: Params, chat: str) -> Result:
    if params["sender_action"] not in ACTIONS:
        raise Refused(100, f"(#100) Param sender_action must be one of {{{', '.join(ACTIONS)}}}")
    if params.get("message") is not None:
        raise Refused(100, "(#100) sender_action must be sent without message")
    world.effects.append(
        target="graph", kind="chat_action", platform=node.kind, node=node.id, token=node.token, chat_id=chat,
        action=params["sender_action"],
    )  # fmt: skip
    return {"recipient_id": chat}, None


def _text(node: Node, params: Params) -> tuple[str, str | None]:
    message = params.get("message")
    if not isinstance(message, dict):
        raise Refused(100, "(#100) The parameter message is required")
    text, metadata = message.get("text"), message.get("metadata")
    if not isinstance(text, str) or not text.strip():
        raise Refused(100, "(#100) Param message[text] must be a non-empty UTF-8 encoded string")
    length, most = (
        (len(text.encode("utf-16-le")) // 2, TEXT_CHARACTERS_MAX)
        if node.kind == "page"
        else (len(text.encode()), TEXT_BYTES_MAX)
    )
    if length > most:
        raise Refused(100, f"(#100) Length of param message[text] must be less than or equal to {most}")
    if metadata is not None and (not isinstance(metadata, str) or len(metadata) > METADATA_MAX):
        raise Refused(100, f"(#100) Length of param message[metadata] must be less than or equal to {METADATA_MAX}")
    return text, metadata if node.kind == "page" else None


def _may_be_written_to(world: World, node: Node, params: Params, recipient: dict[str, Any]) -> None:
    kind, tag = params.get("messaging_type"), params.get("tag")
    if kind is not None and kind not in TYPES:
        raise Refused(100, f"(#100) Param messaging_type must be one of {{{', '.join(TYPES)}}}")
    if (kind == "MESSAGE_TAG") != (tag is not None) or (tag is not None and tag not in TAGS):
        raise Refused(100, "(#100) Invalid parameter: messages of type MESSAGE_TAG need a valid tag", subcode=2018046)
    chat = world.chats.get(str(next(iter(recipient.values()))))
    condition = chat.condition if chat else "ok"
    if condition == "not_found" or ("id" in recipient and not str(recipient["id"]).isdigit()):
        raise Refused(100, "(#100) No matching user found", subcode=2018001)
    if condition in ("unreachable", "blocked", "deactivated"):
        raise Refused(551, "(#551) This person isn't available right now.", subcode=1545041)
    if condition == "other_app":
        words = "(#10) Message failed to send because another app is controlling this thread now."
        raise Refused(10, words, subcode=2018300)
    if chat and chat.silent_s > (7 * DAY_S if tag == "HUMAN_AGENT" else DAY_S):
        words = "(#10) This message is sent outside of allowed window."
        raise Refused(10, words, subcode=2018278 if node.kind == "page" else 2534022, status=403)


def _new_mid(node: Node) -> str:
    if node.kind == "page":
        return "m_" + secrets.token_urlsafe(48)
    return base64.urlsafe_b64encode(f"ig_dm_item:1:IGMessageID:{node.id}:{secrets.token_hex(20)}".encode()).decode()


def _echo(
    world: World, node: Node, recipient: dict[str, Any], mid: str, text: str, metadata: str | None
) -> Callable[[], Awaitable[None]] | None:
    """Tell the application's webhook what was sent: an account of Instagram without who sent it."""
    message: dict[str, Any] = {"mid": mid, "is_echo": True, "text": text}
    if node.kind == "page":
        message["app_id"] = int(node.app_id)
        message |= {"metadata": metadata} if metadata is not None else {}
    now = int(time.time() * 1000)
    item = {"sender": {"id": node.id}, "recipient": recipient, "timestamp": now, "message": message}
    body = {"object": node.kind, "entry": [{"id": node.id, "time": now, "messaging": [item]}]}
    posting = asyncio.create_task(_post(world, node, orjson.dumps(body), 0.0 if node.echo_first else ECHO_LATER_S))
    world.tasks.add(posting)
    posting.add_done_callback(world.tasks.discard)
    return (lambda: asyncio.wait_for(asyncio.shield(posting), 10)) if node.echo_first else None


async def _post(world: World, node: Node, raw: bytes, later_s: float) -> None:
    await asyncio.sleep(later_s)
    signature = "sha256=" + hmac.new(node.app_secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"content-type": "application/json", "x-hub-signature-256": signature}
    try:
        # verify: the address is plain HTTP, and reading the machine's certificates takes 15 ms of each echo
        async with httpx.AsyncClient(trust_env=False, timeout=5, verify=False) as http:
            status = (await http.post(str(node.echo_url), content=raw, headers=headers)).status_code
    except httpx.HTTPError:
        status = 0
    world.effects.append(target="graph", kind="echo", platform=node.kind, node=node.id, status=status)
