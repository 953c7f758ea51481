"""WhatsApp's Cloud API: answers, refusals and limits as https://developers.facebook.com/docs/whatsapp/cloud-api
words them.

POST /v23.0/<number>/messages · GET /v23.0/<number> · GET /v23.0/<media> and the address that it gives ·
GET /v23.0/debug_token · POST /v23.0/<account>/subscribed_apps. Where the statuses go is in numbers.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import orjson

from standin.faults import Fault
from standin.numbers import DETAILS, TITLES, Fields, Number
from standin.serving import Reply, serve
from standin.wire import Exchange, Request
from standin.world import World

BODY_CHARACTERS_MAX = 4096
REFERENCE_CHARACTERS_MAX = 512
WINDOW_S = 86_400.0
_STATES = {"blocked": 131026, "not_found": 131026, "unreachable": 131026}
_SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"]
_PATH = re.compile(r"/v\d{1,3}\.\d/([^/]+)(?:/([a-z_]+))?/?")
_FILES = "/whatsapp_business/attachments/"
_WA_ID = re.compile(r"\+?\d{5,20}")
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]+")


class Refused(Exception):
    """An answer that holds an error of the Graph API."""

    def __init__(self, status: int, code: int, message: str, details: str | None = None, subcode: int = 0) -> None:
        super().__init__(message)
        self.status, self.code, self.details, self.subcode = status, code, details, subcode


def owns(world: World, request: Request) -> bool:
    """Whether a request is about a number or a file of WhatsApp."""
    match = _PATH.fullmatch(request.path)
    if match is None:
        return request.path == _FILES
    node, edge = match[1], match[2]
    if node == "debug_token":
        return any(number.token == request.query.get("input_token") for number in world.numbers.values())
    if edge == "subscribed_apps":
        return any(number.account_id == node for number in world.numbers.values())
    return node in world.numbers or (request.method == "GET" and node in world.files)


async def handle(world: World, exchange: Exchange) -> None:
    request = exchange.request
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    match = _PATH.fullmatch(request.path)
    node, edge = (match[1], match[2]) if match else (request.query.get("mid", ""), None)
    fields = _fields(request)
    method = _method(request, edge, fields, world, node)
    chat = fields.get("to") or fields.get("recipient")
    attempt = world.attempts.append(
        target="whatsapp", method=method, token=token, number_id=node, chat_id=chat, text=_body(fields), outcome="open"
    )
    perform = partial(_METHODS[method], world, request, node, fields)
    await serve(world, exchange, attempt, partial(_act, world, token, node, perform), _refuse)


def _fields(request: Request) -> Fields:
    try:
        fields = orjson.loads(request.body) if request.body else {}
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _method(request: Request, edge: str | None, fields: Fields, world: World, node: str) -> str:
    if request.path == _FILES:
        return "file"
    if node == "debug_token" or edge == "subscribed_apps":
        return node if edge is None else edge
    if request.method == "GET":
        return "number" if node in world.numbers else "media"
    if edge != "messages":
        return "unknown"
    return "typing" if fields.get("status") == "read" else "messages"


def _body(fields: Fields) -> str | None:
    text = fields.get("text")
    body = text.get("body") if isinstance(text, dict) else None
    return body if isinstance(body, str) else None


def _act(world: World, token: str, node: str, perform: Callable[[], Reply], fault: Fault | None) -> Reply:
    try:
        known = world.numbers.get(node)
        holders = [number for number in world.numbers.values() if number.token == token and not number.revoked]
        if node == "debug_token" and any(token.endswith(f"|{number.app_secret}") for number in world.numbers.values()):
            return perform()  # asked with the application's own token
        if not holders:
            raise Refused(401, 190, "Invalid OAuth access token - Cannot parse access token")
        if known is not None and known not in holders:
            raise Refused(
                400, 100, f"Unsupported post request. Object with ID '{node}' does not exist, cannot be loaded due to "
                "missing permissions, or does not support this operation.", subcode=33,
            )  # fmt: skip
        return perform()
    except Refused as refused:
        return _refusal(refused)


def _refusal(refused: Refused) -> Reply:
    error: Fields = {"message": str(refused), "type": "OAuthException", "code": refused.code}
    if refused.subcode:
        error["error_subcode"] = refused.subcode
    if refused.details is not None:
        error["error_data"] = {"messaging_product": "whatsapp", "details": refused.details}
    return Reply(refused.status, orjson.dumps({"error": {**error, "fbtrace_id": "AStandInTrace"}}))


def _refuse(fault: Fault) -> Reply:
    code = int(fault.code) if fault.code is not None else {401: 190, 429: 130429}.get(fault.status, 131000)
    words = fault.description or TITLES.get(code, "Something went wrong")
    reply = _refusal(Refused(fault.status, code, f"(#{code}) {words}", DETAILS.get(code, words)))
    if fault.retry_after is None:
        return reply
    return Reply(reply.status, reply.body, (("retry-after", str(fault.retry_after)),))


def _send(world: World, request: Request, node: str, fields: Fields) -> Reply:
    number = world.numbers[node]
    text, chat = _checked(fields)
    _reachable(world, number, chat)
    counter = f"{node}:{len(number.sent)}"
    message_id = "wamid." + base64.b64encode(f"{chat}:{counter}".encode()).decode()
    reference = fields.get("biz_opaque_callback_data")
    number.sent[message_id] = {"chat": chat, "ref": reference, "to": "to" if "to" in fields else "recipient"}
    world.effects.append(
        target="whatsapp", kind="message", token=number.token, number_id=node, chat_id=chat, text=text,
        message_id=message_id, ref=reference, preview_url=fields["text"].get("preview_url", False),
        recipient_type=fields.get("recipient_type", "individual"),
    )  # fmt: skip
    contact = {"input": chat, "wa_id": chat} if "to" in fields else {"input": chat, "user_id": chat}
    answer = {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message_id}]}
    return Reply(200, orjson.dumps(answer), latency=world.latency("whatsapp"))


def _checked(fields: Fields) -> tuple[str, str]:
    """Text and addressee of a message. Raises Refused as the Graph API does."""
    if fields.get("messaging_product") != "whatsapp":
        raise Refused(400, 100, "(#100) The parameter messaging_product is required.")
    kind, text, reference = fields.get("type", "text"), _body(fields), fields.get("biz_opaque_callback_data")
    if kind != "text":
        raise Refused(400, 131009, "(#131009) Parameter value is not valid", f"type {kind} is not stood in for")
    if text is None or not text.strip():
        raise Refused(400, 100, "(#100) The parameter text['body'] is required.")
    if len(text) > BODY_CHARACTERS_MAX:
        raise Refused(400, 100, f"(#100) Param text['body'] must be at most {BODY_CHARACTERS_MAX} characters long.")
    if reference is not None and (not isinstance(reference, str) or len(reference) > REFERENCE_CHARACTERS_MAX):
        raise Refused(400, 100, "(#100) Param biz_opaque_callback_data must be at most 512 characters long.")
    return text, _addressee(fields)


def _addressee(fields: Fields) -> str:
    to, recipient = fields.get("to"), fields.get("recipient")
    if fields.get("recipient_type") == "group":
        well_formed = isinstance(to, str) and to.endswith("@g.us")
    elif to is not None:
        well_formed = isinstance(to, str) and _WA_ID.fullmatch(to) is not None
    else:
        to, well_formed = recipient, isinstance(recipient, str) and _USER_ID.fullmatch(recipient) is not None
    if to is None:
        raise Refused(400, 100, "(#100) The parameter to is required.")
    if not well_formed:
        raise Refused(400, 131009, "(#131009) Parameter value is not valid", "Please check the phone number.")
    return str(to)


def _reachable(world: World, number: Number, chat: str) -> None:
    state = world.chats.get(chat)
    code = _STATES.get(state.condition) if state else None
    if state and state.silent_s > WINDOW_S:
        code = 131047
    if code is not None:
        raise _of(code, 400)
    whole, pair = number.wait_s(chat, world.limits.clock()) if world.limits.enforced else (0.0, 0.0)
    if whole:
        raise _of(130429, 429)
    if pair:
        raise _of(131056, 400)


def _of(code: int, status: int) -> Refused:
    return Refused(status, code, f"(#{code}) {TITLES[code]}", DETAILS.get(code, TITLES[code]))


def _read(world: World, request: Request, node: str, fields: Fields) -> Reply:
    """A customer's message is read, and we type."""
    if fields.get("messaging_product") != "whatsapp" or not isinstance(fields.get("message_id"), str):
        raise Refused(400, 100, "(#100) Invalid parameter")
    indicator = fields.get("typing_indicator")
    if indicator is not None and indicator != {"type": "text"}:
        raise Refused(400, 100, "(#100) Invalid parameter")
    number = world.numbers[node]
    world.effects.append(
        target="whatsapp", kind="chat_action", token=number.token, number_id=node, message_id=fields["message_id"],
        action="read" if indicator is None else "typing",
    )  # fmt: skip
    return Reply(200, b'{"success":true}')


def _number(world: World, request: Request, node: str, fields: Fields) -> Reply:
    number = world.numbers[node]
    shown = {"id": node, "display_phone_number": number.display, "verified_name": "Stand-in", "quality_rating": "GREEN"}
    return Reply(200, orjson.dumps(shown))


def _media(world: World, request: Request, node: str, fields: Fields) -> Reply:
    file = world.files.get(node)
    if file is None:
        raise Refused(400, 100, f"Unsupported get request. Object with ID '{node}' does not exist", subcode=33)
    shown = {
        "messaging_product": "whatsapp", "id": node, "mime_type": file.mime, "file_size": len(file.content),
        "sha256": hashlib.sha256(file.content).hexdigest(),
        "url": f"http://{request.headers.get('host', '')}{_FILES}?mid={node}",
    }  # fmt: skip
    return Reply(200, orjson.dumps(shown))


def _file(world: World, request: Request, node: str, fields: Fields) -> Reply:
    file = world.files.get(node)
    if file is None:
        return Reply(404, b"")
    return Reply(200, file.content, content_type=file.mime)


def _debug_token(world: World, request: Request, node: str, fields: Fields) -> Reply:
    named = request.query.get("input_token")
    good = any(number.token == named and not number.revoked for number in world.numbers.values())
    data = {"type": "SYSTEM_USER", "is_valid": good, "expires_at": 0, "scopes": _SCOPES if good else []}
    return Reply(200, orjson.dumps({"data": data}))


def _subscribed_apps(world: World, request: Request, node: str, fields: Fields) -> Reply:
    if request.method == "POST":
        world.effects.append(target="whatsapp", kind="subscription", account_id=node)
        return Reply(200, b'{"success":true}')
    shown = [{"whatsapp_business_api_data": {"id": "5550001", "name": "Stand-in"}}]
    return Reply(200, orjson.dumps({"data": shown}))


def _unknown(world: World, request: Request, node: str, fields: Fields) -> NoReturn:
    raise Refused(400, 100, "Unsupported post request.", subcode=33)


_METHODS: dict[str, Callable[[World, Request, str, Fields], Reply]] = {
    "messages": _send,
    "typing": _read,
    "number": _number,
    "media": _media,
    "file": _file,
    "debug_token": _debug_token,
    "subscribed_apps": _subscribed_apps,
    "unknown": _unknown,
}
