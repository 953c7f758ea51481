"""The Telegram Bot API as a platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from shared.channels.base import Platform
from shared.channels.fields import inner
from shared.channels.http import BROKEN, not_said
from shared.channels.markup import to_html
from shared.channels.parts import split_utf16
from shared.channels.signature import equals_any
from shared.channels.telegram import health as telegram_health
from shared.channels.telegram import send as telegram_send
from shared.channels.telegram import update as telegram_update
from shared.errors import AttachmentGone, ServiceFailed
from shared.model import Attachment, ChannelHealth, Destination, InboundEvent, Location, Me, Outgoing, Rate, SendOutcome
from shared.text import storable

API_URL = "https://api.telegram.org"
PART_LIMIT_UNITS = 4096  # of UTF-16, after Telegram has taken the markup out


class Telegram(Platform):
    """api_url: without the token, as `https://api.telegram.org`."""

    name = "telegram"
    local_delivery = False
    tells_fate = False

    def __init__(self, api_url: str = API_URL) -> None:
        self.api_url = api_url

    signs_body = False
    has_automatic_replies = True
    """Of a business account: its greeting, or that nobody is there."""

    def is_shared(self, chat: str) -> bool:
        return chat.startswith("-")

    def verify(self, headers: Mapping[str, str], raw: bytes, secrets: Sequence[str]) -> bool:
        return equals_any(headers.get("x-telegram-bot-api-secret-token"), secrets)

    def handshake(self, query: Mapping[str, str], verify_token: str) -> str | None:
        return None

    def challenge(self, body: Mapping[str, Any]) -> str | None:
        return None

    def account(self, body: Mapping[str, Any]) -> str | None:
        return None

    def moves_for_good(self, chat: str) -> bool:
        """A group's id is negative, and changes once, when it becomes a supergroup."""
        return chat.startswith("-")

    def shard_key(self, body: Mapping[str, Any]) -> str:
        return telegram_update.shard_key(body)

    def parse(self, body: Mapping[str, Any], me: Me) -> list[InboundEvent]:
        return telegram_update.parse(body, me)

    def split(self, text: str) -> list[str]:
        return split_utf16(text, PART_LIMIT_UNITS)

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        chat = telegram_send.chat_of(chat)
        bot = Rate(f"telegram:{channel}", 30, 1.0, burst=30)
        one_chat = Rate(f"telegram:{channel}:{chat}", 1, 1.0)
        if not chat.startswith("-"):
            return bot, one_chat
        return bot, one_chat, Rate(f"telegram:{channel}:{chat}:group", 20, 60.0)

    async def send(self, http: httpx.AsyncClient, outgoing: Outgoing) -> SendOutcome:
        url = telegram_send.method_url(self.api_url, _token(outgoing.place), "sendMessage")
        text = storable(outgoing.text)
        fields = {
            **telegram_send.addressee(outgoing.place.chat),
            "text": text,
            "link_preview_options": {"is_disabled": True},
        }
        formatted = to_html(text)
        if formatted is not None:
            result = await telegram_send.deliver(http, url, {**fields, "text": formatted, "parse_mode": "HTML"})
            if result.meaning not in telegram_send.MARKUP_REFUSED:
                return result
        return await telegram_send.deliver(http, url, fields)

    async def locate(self, http: httpx.AsyncClient, place: Destination, attachment: Attachment) -> Location:
        """Files of up to 20 MB; the address is good for an hour. https://core.telegram.org/bots/api#getfile"""
        if attachment.id is None:
            raise AttachmentGone
        token = _token(place)
        url = telegram_send.method_url(self.api_url, token, "getFile")
        try:
            response = await telegram_send.call(http, url, {"file_id": attachment.id})
        except BROKEN as e:
            raise ServiceFailed(type(e).__name__) from e
        path = inner(response.body, "result").get("file_path")
        if response.status == 200 and isinstance(path, str):
            return Location(telegram_send.file_url(self.api_url, token, path), ours=True)
        if response.status == 400:  # too big for bots, or an id that is none any more
            raise AttachmentGone
        raise not_said("getFile", response, telegram_send.retry_after_s(response))

    async def health(self, http: httpx.AsyncClient, place: Destination) -> ChannelHealth:
        url = telegram_send.method_url(self.api_url, _token(place), "getWebhookInfo")
        try:
            return telegram_health.read(await telegram_send.call(http, url, {}))
        except BROKEN:
            return ChannelHealth("unknown")

    async def typing(self, http: httpx.AsyncClient, place: Destination) -> None:
        url = telegram_send.method_url(self.api_url, _token(place), "sendChatAction")
        try:
            await telegram_send.call(http, url, {**telegram_send.addressee(place.chat), "action": "typing"})
        except BROKEN:
            return  # a courtesy: the answer itself will meet whatever is wrong


def _token(place: Destination) -> str:
    return place.credentials.get("token", "")
