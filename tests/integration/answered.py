"""What became of a station's turns."""

from __future__ import annotations

from tasks.inbox import takeover
from tests.factories import Bot
from tests.integration.station import Station


def replies(station: Station) -> list[str]:
    return [text for (text,) in station.rows("SELECT text FROM messages WHERE role = 'bot' ORDER BY id")]


def turn_states(station: Station) -> list[str]:
    return [state for (state,) in station.rows("SELECT state FROM turns ORDER BY id")]


def take_over(station: Station, bot: Bot) -> None:
    with station.r.db.transaction(bot.company_id) as conn:
        takeover.set_bot(conn, bot.company_id, station.conversation(), enabled=False)
