"""Messenger as a platform: pages of Facebook.

https://developers.facebook.com/docs/messenger-platform/reference/send-api (texts of 2000 characters, metadata of 1000)
https://developers.facebook.com/docs/messenger-platform/overview#rate-limiting (300 texts a second and page)
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from shared.channels.meta import graph as meta
from shared.channels.meta.page import Page
from shared.channels.parts import split_utf16
from shared.clock import Clock
from shared.model import Outgoing, Rate

PART_LIMIT_UNITS = 2000  # "characters": of UTF-16, which are never fewer than characters, so that both readings hold
PAGE_PER_S = 300
CHAT_PER_S = 5  # ours: no number is published, and nobody reads faster


class Messenger(Page):
    name = "messenger"
    in_time = MappingProxyType({"messaging_type": "RESPONSE"})

    def __init__(
        self, api_url: str = meta.GRAPH_URL, version: str = meta.GRAPH_VERSION, clock: Clock | None = None
    ) -> None:
        super().__init__(api_url, version, clock)

    def split(self, text: str) -> list[str]:
        return split_utf16(text, PART_LIMIT_UNITS)

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        page = Rate(f"messenger:{channel}", PAGE_PER_S, 1.0, burst=PAGE_PER_S)
        return page, Rate(f"messenger:{channel}:{chat}", CHAT_PER_S, 1.0, burst=CHAT_PER_S)

    def message(self, outgoing: Outgoing) -> dict[str, Any]:
        """The metadata comes back in the echo, which so settles a send of unknown fate."""
        return {**super().message(outgoing), "metadata": outgoing.ref}
