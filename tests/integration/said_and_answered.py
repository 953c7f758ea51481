"""Saying something to the bot, and looking at what it answered."""

from __future__ import annotations

from tasks.answers.reply import Result
from tests.factories import Bot
from tests.integration.station import Station


def steps(station: Station) -> list[tuple[str, str]]:
    return [(step, reason) for step, reason in station.rows("SELECT step, reason FROM receipts ORDER BY turn_id")]


def bot_said(station: Station) -> list[str]:
    return [text for (text,) in station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY id")]


def say(station: Station, bot: Bot, *said: str) -> list[Result]:
    results = []
    for text in said:
        station.receive(bot, text)
        results.append(station.answer())
    return results


def bot_and_attention(station: Station) -> tuple[bool, str | None]:
    [(enabled, attention)] = station.rows("SELECT bot_enabled, attention FROM conversations")
    return enabled, attention
