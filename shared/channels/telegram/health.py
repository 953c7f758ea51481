"""What getWebhookInfo says of a bot's webhook. https://core.telegram.org/bots/api#webhookinfo"""

from __future__ import annotations

import time

from shared.channels.fields import inner, number_id
from shared.channels.http import Response
from shared.model import ChannelHealth

ERROR_IS_NEW_S = 600
PENDING_MAX = 100
"""Beyond it Telegram holds more for us than a moment's worth."""


def read(response: Response, now_s: float | None = None) -> ChannelHealth:
    if response.status in (401, 404):
        return ChannelHealth("failing", "bad_token")
    info = inner(response.body, "result")
    if response.status != 200 or not info:
        return ChannelHealth("unknown")
    pending = int(number_id(info.get("pending_update_count")) or 0)
    if not info.get("url"):
        return ChannelHealth("failing", "not_registered", pending)
    failed_s = int(number_id(info.get("last_error_date")) or 0)
    if failed_s > (time.time() if now_s is None else now_s) - ERROR_IS_NEW_S:
        return ChannelHealth("failing", "delivery_errors", pending)
    if pending > PENDING_MAX:
        return ChannelHealth("failing", "backlog", pending)
    return ChannelHealth("ok", None, pending)
