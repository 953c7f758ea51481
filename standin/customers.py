"""What customers of Telegram and Slack send, posted to the product's webhook as the platform posts it.

https://core.telegram.org/bots/api#update · https://docs.slack.dev/apis/events-api
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from standin.entities import utf16_units
from standin.slack import Workspace
from standin.world import Bot

Fields = dict[str, Any]

_FILE = {"file_id": "BAAD1", "file_unique_id": "u1", "file_size": 48_211}
_ROME = {"latitude": 41.8902, "longitude": 12.4922}
CONTENTS: Mapping[str, Fields] = {
    "text": {},
    "photo": {"photo": [{**_FILE, "width": 90, "height": 60}]},
    "animation": {"animation": {**_FILE, "file_name": "wave.mp4", "duration": 2, "width": 90, "height": 60}},
    "audio": {"audio": {**_FILE, "performer": "Ina", "title": "Harbour", "duration": 185}},
    "document": {"document": {**_FILE, "file_name": "receipt.pdf", "mime_type": "application/pdf"}},
    "sticker": {"sticker": {**_FILE, "emoji": "👟", "width": 512, "height": 512, "type": "regular"}},
    "video": {"video": {**_FILE, "file_name": "sole.mp4", "duration": 9, "width": 90, "height": 60}},
    "video_note": {"video_note": {**_FILE, "length": 240, "duration": 5}},
    "voice": {"voice": {**_FILE, "duration": 7, "mime_type": "audio/ogg"}},
    "checklist": {"checklist": {"title": "Return", "tasks": [{"id": 1, "text": "print the label"}]}},
    "contact": {"contact": {"phone_number": "+39 06 1234", "first_name": "Ada", "last_name": "Rossi"}},
    "dice": {"dice": {"emoji": "🎲", "value": 5}},
    "game": {"game": {"title": "Shoe run", "description": "Jump over laces", "photo": []}},
    "location": {"location": _ROME},
    "venue": {"venue": {"location": _ROME, "title": "Colosseum", "address": "Piazza 1"}, "location": _ROME},
    "poll": {"poll": {"id": "9", "question": "Which colour?", "options": [{"text": "red", "voter_count": 0},
                                                                         {"text": "blue", "voter_count": 0}],
                      "total_voter_count": 0, "is_closed": False, "is_anonymous": True, "type": "regular",
                      "allows_multiple_answers": False}},
    "invoice": {"invoice": {"title": "Shoes", "description": "Size 42", "start_parameter": "s", "currency": "EUR",
                            "total_amount": 8_900}},
    "story": {"story": {"chat": {"id": -1001, "type": "channel", "title": "News"}, "id": 3}},
    "rich_message": {"rich_message": {"blocks": [{"type": "heading", "text": "Returns", "size": 2}]}},
    "new_chat_members": {"new_chat_members": [{"id": 9, "is_bot": False, "first_name": "Bo"}]},
}  # fmt: skip
"""Kind of message → the fields of its content."""


def telegram_message(
    bot: Bot, chat_id: int, *, kind: str = "text", text: str | None = None, topic: int | None = None,
    more: Fields | None = None,
) -> Fields:  # fmt: skip
    """An update with a new message of a customer: in a private chat where chat_id is positive, else in a group. topic:
    of a forum. more: fields of the message that are put in its place. Raises ValueError for an unknown kind."""
    if kind not in CONTENTS:
        raise ValueError(f"kind {kind!r} should be one of {', '.join(CONTENTS)}")
    bot.last_message_id += 1
    person = {"id": abs(chat_id) % 10**9, "is_bot": False, "first_name": f"Customer {abs(chat_id) % 10**9}"}
    private = {"id": chat_id, "type": "private", "first_name": person["first_name"]}
    group = {"id": chat_id, "type": "supergroup" if chat_id < -(10**12) else "group", "title": f"Group {chat_id}"}
    message = {"message_id": bot.last_message_id, "date": int(time.time()), "from": person,
               "chat": private if chat_id > 0 else group, **CONTENTS[kind]}  # fmt: skip
    if text is not None:
        said = "text" if kind == "text" else "caption"
        message[said] = text
        if entities := _entities(text):
            message["entities" if kind == "text" else "caption_entities"] = entities
    if topic is not None:
        message |= {"message_thread_id": topic, "is_topic_message": True}
        message["chat"] = {**message["chat"], "is_forum": True}
    return telegram_update(bot, "message", {**message, **(more or {})})


def telegram_update(bot: Bot, name: str, value: Fields) -> Fields:
    bot.updates += 1
    return {"update_id": bot.updates, name: value}


def _entities(text: str) -> list[Fields]:
    """Mentions and commands, with offsets in UTF-16 units."""
    found, offset = [], 0
    for word in text.split(" "):
        kind = {"@": "mention", "/": "bot_command"}.get(word[:1])
        if kind and len(word) > 1:
            found.append({"type": kind, "offset": offset, "length": utf16_units(word)})
        offset += utf16_units(word) + 1
    return found


async def post_update(bot: Bot, update: Fields) -> int:
    """Post it to the bot's webhook; returns what was answered. Raises ValueError where there is none."""
    url = bot.webhook.get("url")
    if not url:
        raise ValueError(f"{bot.username} has no webhook: call setWebhook")
    headers = {"x-telegram-bot-api-secret-token": str(bot.webhook.get("secret_token") or "")}
    return await _post(url, orjson.dumps(update), headers)


async def post_event(workspace: Workspace, event: Fields) -> int:
    """Post an event of Slack's in its envelope, signed; as post_update."""
    if workspace.webhook is None:
        raise ValueError(f"workspace {workspace.team_id} has no webhook")
    now = str(int(time.time()))
    body = {
        "token": "not-used", "team_id": workspace.team_id, "api_app_id": workspace.app_id, "type": "event_callback",
        "event_id": f"Ev{time.time_ns()}", "event_time": int(now), "event": event,
        "authorizations": [{"team_id": workspace.team_id, "user_id": workspace.user_id, "is_bot": True}],
    }  # fmt: skip
    raw = orjson.dumps(body)
    digest = hmac.new(workspace.signing_secret.encode(), b"v0:" + now.encode() + b":" + raw, hashlib.sha256).hexdigest()
    headers = {"x-slack-request-timestamp": now, "x-slack-signature": f"v0={digest}"}
    return await _post(workspace.webhook, raw, headers)


async def _post(url: str, raw: bytes, headers: dict[str, str]) -> int:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        answer = await http.post(url, content=raw, headers={"content-type": "application/json", **headers})
    return answer.status_code
