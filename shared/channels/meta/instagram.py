"""Instagram's direct messages as a platform: professional accounts.

https://developers.facebook.com/docs/instagram-platform/instagram-api-with-instagram-login/messaging-api (texts of up to
1000 bytes in UTF-8), https://developers.facebook.com/docs/instagram-platform/overview#rate-limiting (100 texts a second
and account). There is no metadata: an echo is known to be ours by its message id alone.

An account that is linked to a page of Facebook is reached through it, at Facebook's address (credentials: `page_id`);
one that stands for itself at Instagram's.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from shared.channels.meta import graph as meta
from shared.channels.meta.page import Page
from shared.channels.parts import split_utf8
from shared.clock import Clock
from shared.model import Destination, Rate

API_URL = "https://graph.instagram.com"
PART_LIMIT_BYTES = 1000  # of UTF-8
ACCOUNT_PER_S = 100
CHAT_PER_S = 5  # ours: no number is published, and nobody reads faster


class Instagram(Page):
    name = "instagram"
    in_time: MappingProxyType[str, Any] = MappingProxyType({})

    def __init__(
        self, api_url: str = API_URL, version: str = meta.GRAPH_VERSION, clock: Clock | None = None, *,
        page_api_url: str = meta.GRAPH_URL,
    ) -> None:  # fmt: skip
        super().__init__(api_url, version, clock)
        self.page_api_url = page_api_url

    def url(self, place: Destination) -> str:
        page_id = place.credentials.get("page_id")
        if page_id:
            return meta.node_url(self.page_api_url, self.version, page_id, "messages")
        return super().url(place)

    def split(self, text: str) -> list[str]:
        return split_utf8(text, PART_LIMIT_BYTES)

    def rates(self, channel: str, chat: str) -> tuple[Rate, ...]:
        account = Rate(f"instagram:{channel}", ACCOUNT_PER_S, 1.0, burst=ACCOUNT_PER_S)
        return account, Rate(f"instagram:{channel}:{chat}", CHAT_PER_S, 1.0, burst=CHAT_PER_S)
