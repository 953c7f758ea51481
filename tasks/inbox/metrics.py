"""Metrics of attachments."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

MEDIA = Counter("media_total", "Attempts to fetch an attachment by how they ended.", ("platform", "outcome", "reason"))
BOT_LEFT = Counter("bot_left_total", "Conversations that left the bot, by why.", ("reason",))
BOT_RETURNED = Counter("bot_returned_total", "Conversations that came back to the bot, by why.", ("reason",))
