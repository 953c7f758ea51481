"""The Telegram Bot API: answers, refusals and limits as https://core.telegram.org/bots/api words them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import orjson

from standin.entities import CannotParse, parse_html, utf16_units
from standin.faults import Fault
from standin.serving import Reply, serve
from standin.wire import Exchange, Request
from standin.world import Bot, World

MESSAGE_UNITS_MAX = 4096
FILE_BYTES_MAX = 20 * 1024 * 1024
CHAT_ACTIONS = (
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
)  # fmt: skip
STATUS_WORDS = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip

_PATH = re.compile(r"/bot([^/]*)/([^/]*)/?")
_TOKEN = re.compile(r"[1-9]\d*:[A-Za-z0-9_-]+")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

Params = dict[str, Any]
Result = dict[str, Any]


class Refused(Exception):
    """An answer with ok false."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


async def handle(world: World, exchange: Exchange) -> None:
    """One call of `/bot<token>/<method>`, whose name may be written in any case."""
    match = _PATH.fullmatch(exchange.request.path)
    token, name = (match[1], match[2]) if match else ("", "")
    method, perform = METHODS.get(name.lower(), (name, _no_method))
    params = _params(exchange.request)
    attempt = world.attempts.append(
        target="telegram",
        method=method,
        token=token,
        chat_id=_chat_id(params or {}),
        text=(params or {}).get("text"),
        outcome="open",
    )
    await serve(world, exchange, attempt, partial(_act, world, token, perform, params), _refuse)


def _params(request: Request) -> Params | None:
    """Query string and body together, the body wins; None when the body is no JSON object though it says so."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" and request.body:
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return None
        return {**request.query, **body} if isinstance(body, dict) else None
    if kind == "application/x-www-form-urlencoded":
        return {**request.query, **dict(parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True))}
    return dict(request.query)


def _chat_id(params: Params) -> int | str | None:
    """Numeric ids as numbers, however they were written."""
    value = params.get("chat_id")
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return value if isinstance(value, int | str) else None


def _act(
    world: World,
    token: str,
    perform: Callable[[World, Bot, Params], Result],
    params: Params | None,
    fault: Fault | None,
) -> Reply:
    try:
        if not _TOKEN.fullmatch(token):
            raise Refused(404, "Not Found")
        if token not in world.bots:
            raise Refused(401, "Unauthorized")
        if params is None:
            raise Refused(400, "Bad Request: can't parse JSON object")
        answer = {"ok": True, **perform(world, world.bots[token], params)}
    except Refused as refused:
        return _refusal(refused.code, refused.description, refused.parameters)
    return Reply(200, orjson.dumps(answer), latency=world.latency("telegram"))


def _refusal(code: int, description: str, parameters: dict[str, int]) -> Reply:
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    headers: tuple[tuple[str, str], ...] = ()
    if parameters:
        body["parameters"] = parameters
    if "retry_after" in parameters:
        headers = (("retry-after", str(parameters["retry_after"])),)
    return Reply(code, orjson.dumps(body), headers)


def _refuse(fault: Fault) -> Reply:
    if fault.status == 429:
        after = fault.retry_after if fault.retry_after is not None else 1
        words = fault.description or f"Too Many Requests: retry after {after}"
        return _refusal(429, words, {"retry_after": after})
    return _refusal(fault.status, fault.description or STATUS_WORDS.get(fault.status, "Error"), {})


def _no_method(world: World, bot: Bot, params: Params) -> NoReturn:
    raise Refused(404, "Not Found: method not found")


def _get_me(world: World, bot: Bot, params: Params) -> Result:
    rights = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
    return {"result": {**_user(bot), **rights}}


def _send_message(world: World, bot: Bot, params: Params) -> Result:
    text, entities = _text(params)
    chat_id = _reachable(world, params, text)
    retry_after = world.limits.take(bot.token, str(chat_id))
    if retry_after is not None:
        raise Refused(429, f"Too Many Requests: retry after {retry_after}", retry_after=retry_after)
    bot.last_message_id += 1
    message = _message(bot, chat_id, bot.last_message_id, text, entities)
    bot.texts[str(chat_id), bot.last_message_id] = text
    topic = params.get("message_thread_id")
    _record(world, bot, "message", params, chat_id, message_id=bot.last_message_id, text=text, topic=topic)
    return {"result": message}


def _get_file(world: World, bot: Bot, params: Params) -> Result:
    file = world.files.get(str(params.get("file_id") or ""))
    if file is None:
        raise Refused(400, "Bad Request: invalid file_id")
    if len(file.content) > FILE_BYTES_MAX:
        raise Refused(400, "Bad Request: file is too big")
    return {"result": {"file_id": params["file_id"], "file_size": len(file.content), "file_path": file.path}}


def _edit_message_text(world: World, bot: Bot, params: Params) -> Result:
    text, entities = _text(params)
    chat_id = _reachable(world, params, text)
    try:
        message_id = int(params.get("message_id") or 0)
    except (TypeError, ValueError):
        message_id = 0  # as Telegram reads what is no number: an id that no message has
    before = bot.texts.get((str(chat_id), message_id))
    if before is None:
        raise Refused(400, "Bad Request: message to edit not found")
    if before == text:
        raise Refused(
            400,
            "Bad Request: message is not modified: specified new message content and reply markup are exactly "
            "the same as a current content and reply markup of the message",
        )
    bot.texts[str(chat_id), message_id] = text
    _record(world, bot, "edit", params, chat_id, message_id=message_id, text=text)
    return {"result": {**_message(bot, chat_id, message_id, text, entities), "edit_date": int(time.time())}}


def _send_chat_action(world: World, bot: Bot, params: Params) -> Result:
    if params.get("action") not in CHAT_ACTIONS:
        raise Refused(400, "Bad Request: wrong parameter action in request")
    chat_id = _reachable(world, params, "")
    _record(world, bot, "chat_action", params, chat_id, action=params["action"])
    return {"result": True}


def _answer_callback_query(world: World, bot: Bot, params: Params) -> Result:
    query_id = params.get("callback_query_id")
    if not query_id:
        raise Refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
    _record(world, bot, "callback_answer", params, None, callback_query_id=str(query_id), text=params.get("text"))
    return {"result": True}


def _set_webhook(world: World, bot: Bot, params: Params) -> Result:
    url = str(params.get("url") or "")
    if not url:
        return _delete_webhook(world, bot, params)
    parts = urlsplit(url)
    # The real one takes https alone; a system under test on this machine has no certificate.
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise Refused(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    secret = params.get("secret_token")
    if secret and not _SECRET.fullmatch(str(secret)):
        raise Refused(400, "Bad Request: secret token contains unallowed characters")
    bot.webhook = {"url": url, "secret_token": secret, "allowed_updates": params.get("allowed_updates")}
    _record(world, bot, "webhook", params, None, **bot.webhook)
    return {"result": True, "description": "Webhook was set"}


def _delete_webhook(world: World, bot: Bot, params: Params) -> Result:
    was_set = bool(bot.webhook)
    bot.webhook = {}
    _record(world, bot, "webhook", params, None, url="")
    return {"result": True, "description": "Webhook was deleted" if was_set else "Webhook is already deleted"}


def _get_webhook_info(world: World, bot: Bot, params: Params) -> Result:
    info = {"url": bot.webhook.get("url", ""), "has_custom_certificate": False, "pending_update_count": 0}
    if bot.webhook.get("allowed_updates"):
        info["allowed_updates"] = bot.webhook["allowed_updates"]
    return {"result": info}


def _text(params: Params) -> tuple[str, list[dict[str, Any]]]:
    text, entities = str(params.get("text") or ""), list[dict[str, Any]]()
    mode = str(params.get("parse_mode") or "").lower()
    if mode not in ("", "html"):
        raise Refused(400, "Bad Request: unsupported parse_mode")  # Markdown is not stood in for
    if mode == "html":
        try:
            text, entities = parse_html(text)
        except CannotParse as e:
            raise Refused(400, f"Bad Request: can't parse entities: {e}") from e
    if not text.strip():
        raise Refused(400, "Bad Request: message text is empty")
    return text.strip(), _shifted(entities, utf16_units(text) - utf16_units(text.lstrip()))


def _shifted(entities: list[dict[str, Any]], by: int) -> list[dict[str, Any]]:
    """The entities after so many units went from the text's beginning."""
    ends = [(entity, entity["offset"] + entity["length"] - by) for entity in entities]
    starts = [(entity, max(0, entity["offset"] - by), end) for entity, end in ends if end > 0]
    return [{**entity, "offset": start, "length": end - start} for entity, start, end in starts]


def _reachable(world: World, params: Params, text: str) -> int | str:
    """The chat that `text` may be sent to."""
    chat_id = _chat_id(params)
    if chat_id is None or chat_id == "":
        raise Refused(400, "Bad Request: chat_id is empty")
    chat = world.chats.get(str(chat_id))
    condition = chat.condition if chat else "ok"
    if condition == "not_found" or (isinstance(chat_id, str) and not chat_id.startswith("@")):
        raise Refused(400, "Bad Request: chat not found")
    if utf16_units(text) > MESSAGE_UNITS_MAX:
        raise Refused(400, "Bad Request: message is too long")
    if condition == "blocked":
        raise Refused(403, "Forbidden: bot was blocked by the user")
    if condition == "kicked":
        raise Refused(403, "Forbidden: bot was kicked from the group chat")
    if condition == "deactivated":
        raise Refused(403, "Forbidden: user is deactivated")
    if chat and condition == "migrated":
        moved_to = chat.migrate_to_chat_id or 0
        words = "Bad Request: group chat was upgraded to a supergroup chat"
        raise Refused(400, words, migrate_to_chat_id=moved_to)
    return chat_id


def _record(world: World, bot: Bot, kind: str, params: Params, chat_id: int | str | None, **fields: Any) -> None:
    mode = params.get("parse_mode")
    world.effects.append(target="telegram", kind=kind, token=bot.token, chat_id=chat_id, parse_mode=mode, **fields)


def _message(bot: Bot, chat_id: int | str, message_id: int, text: str, entities: list[dict[str, Any]]) -> Result:
    message = {
        "message_id": message_id,
        "from": _user(bot),
        "chat": _chat(chat_id),
        "date": int(time.time()),
        "text": text,
    }
    return message | ({"entities": entities} if entities else {})


def _user(bot: Bot) -> dict[str, Any]:
    return {"id": bot.id, "is_bot": True, "first_name": bot.first_name, "username": bot.username}


def _chat(chat_id: int | str) -> dict[str, Any]:
    if isinstance(chat_id, str):
        return {"id": -1001000000000, "title": chat_id[1:], "username": chat_id[1:], "type": "channel"}
    if chat_id > 0:
        return {"id": chat_id, "first_name": f"Customer {chat_id}", "type": "private"}
    return {"id": chat_id, "title": f"Group {chat_id}", "type": "supergroup" if chat_id < -(10**12) else "group"}


METHODS: dict[str, tuple[str, Callable[[World, Bot, Params], Result]]] = {
    name.lower(): (name, perform)
    for name, perform in (
        ("getMe", _get_me),
        ("sendMessage", _send_message),
        ("editMessageText", _edit_message_text),
        ("sendChatAction", _send_chat_action),
        ("answerCallbackQuery", _answer_callback_query),
        ("getFile", _get_file),
        ("setWebhook", _set_webhook),
        ("getWebhookInfo", _get_webhook_info),
        ("deleteWebhook", _delete_webhook),
    )
}
