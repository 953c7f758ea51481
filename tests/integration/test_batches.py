"""Big bodies and crossing streams: a thousand updates of several pages and companies, and one sender in two streams."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared.embedded import Database
from shared.model import InboundEvent
from shared.store.db.pool import Conn
from tasks.inbound import intake
from tests.factories import Bot, Inbox, make_bot
from tests.integration.explain import Watched
from tests.scripted import Scripted, event, message, post, speak

PAGES = 5


@pytest.fixture
def inbox(database: Database, redis_url: str) -> Iterator[Inbox]:
    inbox = Inbox(database, redis_url)
    speak(inbox)
    yield inbox
    inbox.close()


class Counting(Watched):
    """Stands where a connection does and counts the statements."""

    def __init__(self, conn: Conn) -> None:
        super().__init__(conn)
        self.asked = 0

    def see(self, query: Any, params: Any) -> None:
        self.asked += 1


def _pages(inbox: Inbox) -> list[Bot]:
    """Pages of three companies under one app, each with an account of its own."""
    bots = [make_bot(inbox.server.admin_url) for _ in range(PAGES)]
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        # the bots stand for pages, of which an application may have many
        conn.execute("DROP INDEX channels_one_of_an_app")
        for bot in bots:
            conn.execute("UPDATE channels SET app_id = %s WHERE id = %s", (bots[0].app_id, bot.channel_id))
            conn.execute(
                "UPDATE channels SET external_id = %s WHERE id = %s", (f"page-{bot.channel_id}", bot.channel_id)
            )
    return bots


def _story(bots: list[Bot], count: int) -> list[InboundEvent]:
    """Messages, edits, deletions, echoes, reactions and statuses in turn, for the pages in turn."""
    events = []
    for number in range(count):
        page, chat = f"page-{bots[number % PAGES].channel_id}", f"c{number % 40}"
        made = (
            message(f"m{number}", f"id{number}", chat=chat, account=page),
            event("edited", f"e{number}", targets=(f"id{number - 6}",), chat=chat, account=page, at_s=number),
            event("deleted", targets=(f"id{number - 7}",), chat=chat, account=page, at_s=number),
            event("echo", f"o{number}", external_id=f"id{number}", chat=chat, account=page, app="another"),
            event("reaction", "👍", targets=(f"id{number}",), status="added", chat=chat, account=page),
            event("delivery", targets=(f"p{number}",), status="delivered", chat=chat, account=page),
        )  # fmt: skip
        events.append(made[number % len(made)])
    return events


def _store(inbox: Inbox, bot: Bot, events: list[InboundEvent]) -> int:
    """Store one request; returns how many statements that took."""
    stream = post(inbox, bot, *events)
    entries = inbox.reader.new(stream, 10)
    with inbox.db.transaction() as conn:
        counting: Any = Counting(conn)
        intake.store_batch(counting, {stream: entries}, {"telegram": Scripted()}, inbox.settings, recovering=False)
    inbox.reader.done(stream, [entry.entry_id for entry in entries])
    return int(counting.asked)


def test_a_thousand_updates_of_five_companies_cost_no_more_statements_than_thirty(inbox: Inbox) -> None:
    bots = _pages(inbox)
    few = _store(inbox, bots[0], _story(bots, 30))

    many = _store(inbox, bots[0], _story(bots, 1000))

    assert many <= few + PAGES  # attachments are forgotten company by company
    assert few < 60
    assert inbox.rows("SELECT count(DISTINCT company_id), count(*) FROM webhook_events") == [(PAGES, 1030)]
    gaps = inbox.rows("SELECT conversation_id FROM messages GROUP BY 1 HAVING count(*) <> max(seq) OR min(seq) <> 1")
    assert gaps == []
    assert (
        inbox.rows(
            "SELECT c.id FROM conversations c WHERE customer_seq <> (SELECT count(*) FROM messages m"
            " WHERE m.conversation_id = c.id AND role = 'customer')"
        )
        == []
    )


def test_one_sender_s_events_in_two_streams_at_once_come_to_the_same(inbox: Inbox) -> None:
    """A batch of several senders has its page's key, a lone event its sender's: copies and edits cross."""
    bot = make_bot(inbox.server.admin_url)
    senders = [f"c{n}" for n in range(8)]
    said = [message("first", f"{chat}-1", chat=chat) for chat in senders]
    edited = [event("edited", "second", targets=(f"{chat}-1",), chat=chat, at_s=9) for chat in senders]
    streams = set()
    for chat, one, change in zip(senders, said, edited, strict=True):
        streams.add(post(inbox, bot, one, key=chat))
        streams.add(post(inbox, bot, change, one, key=f"other-{chat}"))
    streams.add(post(inbox, bot, *reversed(said), *edited, key=""))
    assert len(streams) > 1
    drains = [inbox.new_drain() for _ in range(2)]
    for drain in drains:
        drain._platforms = {"telegram": Scripted()}

    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            order = sorted(streams, reverse=bool(number))
            for _ in range(3):
                for stream in order:
                    drains[number].drain(stream)
        except BaseException as e:  # noqa: BLE001
            failed.append(e)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    inbox.drain_all()

    assert failed == []
    assert inbox.rows("SELECT text, count(*) FROM messages GROUP BY 1") == [("second", len(senders))]
    assert inbox.rows("SELECT count(*) FROM early_changes") == [(0,)]
    assert inbox.rows("SELECT count(*) FROM webhook_events WHERE outcome = 'dead_letter'") == [(0,)]
