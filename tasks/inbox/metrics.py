"""Metrics of attachments."""

from __future__ import annotations

from shared.telemetry.metrics import Counter

MEDIA = Counter("media_total", "Attempts to fetch an attachment, by outcome.", ("platform", "outcome", "reason"))
BOT_LEFT = Counter("bot_left_total", "Conversations in which the bot was turned off, by reason.", ("reason",))
BOT_RETURNED = Counter("bot_returned_total", "Conversations that went back to the bot, by reason.", ("reason",))
