"""Telegram's send API: requests, and what its answers mean."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from shared.channels.fields import number_id
from shared.channels.http import RETRY_AFTER_MAX_S, Response, exchange, post
from shared.model import SendOutcome
from shared.text import storable

# The first phrase found in the description, in this order; in lower case.
_BAD_REQUESTS = (
    ("can't parse entities", "bad_markup"),
    ("chat not found", "chat_not_found"),
    ("user not found", "chat_not_found"),
    ("peer_id_invalid", "chat_not_found"),
    ("message is too long", "message_too_long"),
    ("message_too_long", "message_too_long"),
    ("message text is empty", "message_empty"),
    ("text must be non-empty", "message_empty"),
    ("not enough rights", "no_rights"),
    ("have no rights", "no_rights"),
    ("chat_write_forbidden", "no_rights"),
    ("topic_closed", "no_rights"),
    ("topic_deleted", "chat_deleted"),
    ("message thread not found", "chat_deleted"),
)
_FORBIDDEN = (
    ("blocked by the user", "blocked"),
    ("deactivated", "deactivated"),
    ("kicked", "kicked"),
    ("not a member", "kicked"),
    ("was deleted", "chat_deleted"),
    ("can't initiate conversation", "not_started"),
    ("can't send messages to bots", "to_bot"),
    ("not enough rights", "no_rights"),
)
MARKUP_REFUSED = ("bad_markup", "message_too_long", "message_empty")
"""Refusals of a formatted text (nothing was sent) after which the same text may go without its markup."""


class _TokenMask(logging.Filter):
    """httpx logs each request's URL, and Telegram's URLs hold the bot's token."""

    _token = re.compile(r"/bot[^/\s\"']+")

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = self._token.sub("/bot***", message)
        if masked != message:
            record.msg, record.args = masked, ()
        return True


logging.getLogger("httpx").addFilter(_TokenMask())


def method_url(api_url: str, token: str, method: str) -> str:
    # quoted, because a token with a slash or a line break would change what the URL means or how it fails
    return f"{api_url.rstrip('/')}/bot{quote(token, safe=':')}/{method}"


def file_url(api_url: str, token: str, path: str) -> str:
    """Where a file's bytes are. path: as getFile gives it, `photos/file_1.jpg`."""
    return f"{api_url.rstrip('/')}/file/bot{quote(token, safe=':')}/{quote(path.lstrip('/'))}"


def addressee(chat: str) -> dict[str, Any]:
    """The fields that name a chat: its id, the topic of an `<id>:<topic>`, the business connection of a
    `business:<connection>:<id>`."""
    if chat.startswith("business:"):
        _, connection, number = (*chat.split(":", 2), "")[:3]
        return {"business_connection_id": storable(connection), "chat_id": _chat_id(number)}
    number, _, topic = chat.partition(":")
    if number_id(topic) is not None:
        return {"chat_id": _chat_id(number), "message_thread_id": int(topic)}
    return {"chat_id": _chat_id(chat)}


def chat_of(chat: str) -> str:
    """The chat of an address, without its topic: what Telegram's limits count."""
    return chat if chat.startswith("business:") else chat.partition(":")[0]


def _chat_id(chat: str) -> int | str:
    number = number_id(chat)
    return int(number) if number is not None else storable(chat)


async def deliver(http: httpx.AsyncClient, url: str, fields: dict[str, Any]) -> SendOutcome:
    """Post one message and say what became of it."""
    answer = await exchange(http, url, orjson.dumps(fields), {})
    return answer if isinstance(answer, SendOutcome) else outcome(answer)


async def call(http: httpx.AsyncClient, url: str, fields: dict[str, Any]) -> Response:
    """Any other method. Raises one of http.BROKEN."""
    return await post(http, url, orjson.dumps(fields), {})


def outcome(response: Response) -> SendOutcome:
    """What an answer of sendMessage means."""
    status = response.status
    if 200 <= status < 300:
        if response.body.get("ok") is True:
            return _sent(response)
        code = response.body.get("error_code")
        if response.body.get("ok") is not False or type(code) is not int or not 400 <= code < 600:
            return SendOutcome("unknown_outcome", "unreadable_answer", http_status=status)
        status = code
    return _refused(status, response)


def _sent(response: Response) -> SendOutcome:
    result = response.body.get("result")
    message_id = number_id(result.get("message_id")) if isinstance(result, dict) else None
    if message_id is None:
        return SendOutcome("unknown_outcome", "unreadable_answer", http_status=response.status)
    return SendOutcome("sent", "sent", platform_message_id=message_id, http_status=response.status)


def _refused(status: int, response: Response) -> SendOutcome:
    if status == 400:
        return _bad_request(response)
    if status in (401, 404):  # 404 is Telegram's answer to a token that is none
        return SendOutcome("reauth", "bad_token", http_status=status)
    if status == 403:
        return SendOutcome("failed", _phrase(response, _FORBIDDEN, "forbidden"), http_status=status)
    if status == 413:
        return SendOutcome("failed", "message_too_long", http_status=status)
    if status == 429:
        return SendOutcome("retry", "rate_limited", retry_after_s=retry_after_s(response), http_status=status)
    if status in (500, 503):
        return SendOutcome("retry", "platform_error", retry_after_s=retry_after_s(response), http_status=status)
    if 300 <= status < 400:
        return SendOutcome("retry", "redirected", http_status=status)
    if 400 <= status < 500:
        return SendOutcome("failed", "bad_request", http_status=status)
    # 502, 504 and their like come from somebody in between, who cannot know what Telegram did
    return SendOutcome("unknown_outcome", "gateway_error", http_status=status)


def _bad_request(response: Response) -> SendOutcome:
    parameters = response.body.get("parameters")
    moved_to = number_id(parameters.get("migrate_to_chat_id")) if isinstance(parameters, dict) else None
    if moved_to is not None:
        return SendOutcome("retry", "chat_migrated", retry_after_s=0.0, http_status=400, migrated_to=moved_to)
    return SendOutcome("failed", _phrase(response, _BAD_REQUESTS, "bad_request"), http_status=400)


def _phrase(response: Response, phrases: tuple[tuple[str, str], ...], otherwise: str) -> str:
    description = response.body.get("description")
    said = description.lower() if isinstance(description, str) else ""
    return next((meaning for phrase, meaning in phrases if phrase in said), otherwise)


def retry_after_s(response: Response) -> float | None:
    """How long Telegram asks us to wait, at most a day; None if it does not say."""
    parameters = response.body.get("parameters")
    asked = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if asked is None:
        return response.retry_after_s
    try:
        return None if isinstance(asked, bool) else min(max(float(asked), 0.0), RETRY_AFTER_MAX_S)
    except (TypeError, ValueError, OverflowError):
        return None  # no number: as if it had not said
