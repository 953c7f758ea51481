"""What the drill counts of a chat is what the tables hold of it."""

from __future__ import annotations

from typing import cast

from tests.factories import Bot, make_bot
from tests.integration.station import Station
from workers.sandbox.checks import Chat, chats_of
from workers.sandbox.system import System


def test_each_chat_is_counted_by_itself_with_its_turns_and_sends(station: Station, bot: Bot) -> None:
    station.learn(bot)
    for chat in (5, 6):
        station.receive(bot, "When do you open?", chat=chat)
        station.answer()
    station.deliver_all()
    station.receive(bot, "And when", "do you close?", chat=6)
    station.queue(bot, "one", "two", chat=7)
    station.execute("UPDATE outbound SET state = 'unknown_outcome' WHERE text = 'one'")
    station.execute("UPDATE outbound SET state = 'sent', meaning = 'settled_by_platform' WHERE text = 'two'")
    other = make_bot(station.inbox.server.admin_url)
    station.receive(other, "Hello")

    chats = chats_of(cast(System, station), {bot.channel_id})

    assert chats == {
        (bot.channel_id, "5"): Chat(stored=1, replies=1, turns=1, sent=1),
        (bot.channel_id, "6"): Chat(stored=3, replies=1, turns=1, sent=1),
        (bot.channel_id, "7"): Chat(stored=0, replies=1, turns=0, sent=1, unknown_outcomes=1, settled=1),
    }
