"""Checks what must hold after any fault: no accepted message is lost, nothing arrives twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.local import control
from workers.sandbox import places
from workers.sandbox.bots import Bot
from workers.sandbox.system import System
from workers.sandbox.traffic import Customer, read_answers


def arrivals(system: System, bot: Bot | None = None) -> dict[str, list[float]]:
    """chat → when each message to it reached its platform (seconds since the epoch). bot: of this channel alone."""
    found: dict[str, list[float]] = {}
    kinds = places.TARGETS if bot is None else [places.target_of(bot)]
    for target, kind in kinds:
        filters = {} if bot is None else places.filter_of(bot)
        for item in control(system.standin_url, "GET", "effects", target=target, kind=kind, **filters)["items"]:
            found.setdefault(str(item["chat_id"]), []).append(float(item["at"]))
    return found


# ------------------------------------------------------------ the tables and the platform as a whole


def replies(system: System) -> list[str]:
    """Every turn ended, with exactly one reply; each part that counts as sent reached the platform once, and what
    reached the platform beyond that has an unknown outcome here."""
    found = []
    open_turns = system.rows("SELECT count(*) FROM turns WHERE state IN ('waiting', 'answering')")
    if open_turns != [(0,)]:
        found.append(f"{open_turns[0][0]} turns are left open")
    without = system.rows(
        """
        SELECT count(*)
        FROM turns t
        WHERE t.state IN ('answered', 'handed_over')
          AND (
              SELECT count(DISTINCT o.message_id)
              FROM outbound o
              WHERE o.company_id = t.company_id
                AND o.turn_id = t.id
          ) <> 1
        """
    )
    if without != [(0,)]:
        found.append(f"{without[0][0]} turns without exactly one reply")
    wanted_none = system.rows(
        """
        SELECT count(*)
        FROM turns t
        WHERE t.state = 'no_reply'
          AND EXISTS (SELECT 1 FROM outbound o WHERE o.company_id = t.company_id AND o.turn_id = t.id)
        """
    )
    if wanted_none != [(0,)]:
        found.append(f"{wanted_none[0][0]} turns that want no reply have one")
    for bot in (*system.bots, *system.places):
        found += _platform(system, bot)
    return found


def _platform(system: System, bot: Bot) -> list[str]:
    arrived = {chat: len(times) for chat, times in arrivals(system, bot).items()}
    rows = system.rows(
        """
        SELECT
            c.chat, count(*) FILTER (WHERE o.state = 'sent'), count(*) FILTER (WHERE o.state = 'unknown_outcome')
        FROM outbound o
        JOIN conversations c ON c.company_id = o.company_id
          AND c.id = o.conversation_id
        WHERE o.channel_id = %s
        GROUP BY 1
        """,
        bot.channel_id,
    )
    known = {str(chat): (int(sent), int(unknown)) for chat, sent, unknown in rows}
    found = []
    for chat in arrived.keys() | known.keys():
        sent, unknown = known.get(chat, (0, 0))
        if not sent <= arrived.get(chat, 0) <= sent + unknown:
            found.append(
                f"chat {chat}: {arrived.get(chat, 0)} arrived, {sent} sent and {unknown} of unknown outcome here"
            )
    return found


def counters(system: System) -> list[str]:
    """Compare counters with the rows that they count."""
    wrong = system.rows(
        """
        SELECT count(*)
        FROM conversations c
        WHERE c.customer_seq <> (
            SELECT count(*)
            FROM messages m
            WHERE m.company_id = c.company_id
              AND m.conversation_id = c.id
              AND m.role = 'customer'
        )
          OR c.message_count <> (
              SELECT count(*)
              FROM messages m
              WHERE m.company_id = c.company_id
                AND m.conversation_id = c.id
          )
        """
    )
    drifted = system.rows(
        """
        SELECT count(*)
        FROM company_totals t
        WHERE t.unread <> (
            SELECT coalesce(sum(unread_of(customer_seq, read_seq, read_beyond)), 0)
            FROM conversations c
            WHERE c.company_id = t.company_id
        )
        """
    )
    found = []
    if wrong != [(0,)]:
        found.append(f"the counters of {wrong[0][0]} conversations differ from their messages")
    if drifted != [(0,)]:
        found.append(f"the totals of {drifted[0][0]} companies differ from their conversations")
    return found


def stored_once(system: System, accepted: Iterable[tuple[Bot, dict[str, Any]]]) -> list[str]:
    """Check that every accepted message is stored once, and nothing else is."""
    expected = Counter((bot.channel_id, _key(body)) for bot, body in accepted)
    rows = Counter(system.rows("SELECT channel_id, dedupe_key FROM messages WHERE role = 'customer'"))
    return [] if rows == Counter(set(expected)) else ["stored messages differ from the accepted ones"]


def _key(body: dict[str, Any]) -> str:
    message = body["message"]
    return f"message:{message['chat']['id']}:{message['message_id']}"


# ------------------------------------------------------------ customer by customer


@dataclass(slots=True)
class Totals:
    """accepted: messages. once: those whose chat got exactly what its turns want. unknown_outcomes: sends for a person.
    settled: sends of which the platform itself said afterwards that they arrived.
    unheard: those of unknown outcome of which it says so and we do not know it."""

    accepted: int = 0
    once: int = 0
    lost: int = 0
    doubled: int = 0
    unknown_outcomes: int = 0
    dead_letters: int = 0
    settled: int = 0
    unheard: int = 0


@dataclass(frozen=True, slots=True)
class Chat:
    """What the tables know of a customer's chat."""

    stored: int = 0
    replies: int = 0
    turns: int = 0
    sent: int = 0
    unknown_outcomes: int = 0
    settled: int = 0


def tally(system: System, customers: Iterable[Customer]) -> Totals:
    """Compare what each customer was promised with what is stored and with what the platform, or the visitor, got."""
    customers = [customer for customer in customers if customer.messages]
    chats = chats_of(system, {customer.bot.channel_id for customer in customers})
    arrived = arrivals(system)
    found = Totals()
    for customer in customers:
        chat = chats.get((customer.bot.channel_id, customer.chat), Chat())
        if not customer.bot.is_widget:
            got = len(arrived.get(customer.chat, ()))
        else:
            got = read_answers(system.http, customer) if chat.stored else 0
        count(found, customer, chat, got)
    return found


def count(found: Totals, customer: Customer, chat: Chat, got: int) -> None:
    found.accepted += customer.messages
    found.settled += chat.settled
    if customer.dead_letter and chat.stored == 0:
        found.dead_letters += customer.messages
    elif chat.stored > customer.messages or chat.replies > chat.turns or got > chat.sent + chat.unknown_outcomes:
        found.doubled += max(1, got - chat.sent - chat.unknown_outcomes)
    elif chat.stored < customer.messages:
        found.lost += customer.messages - chat.stored
    elif chat.unknown_outcomes:
        found.unknown_outcomes += chat.unknown_outcomes
        if places.tells(customer.bot):
            found.unheard += max(0, got - chat.sent)
    elif chat.replies < max(1, chat.turns) or got < chat.sent or not got:
        found.lost += 1
    else:
        found.once += customer.messages


def chats_of(system: System, channels: Iterable[int]) -> Mapping[tuple[int, str], Chat]:
    """What the tables know of the chats of these channels, by (channel, chat)."""
    rows = system.rows(
        """
        SELECT c.channel_id, c.chat, m.stored, m.replies, t.turns, o.sent, o.unknown_outcomes, o.settled
        FROM conversations c
        CROSS JOIN LATERAL (
            SELECT
                count(*) FILTER (WHERE role = 'customer') AS stored,
                count(*) FILTER (WHERE role = 'bot') AS replies
            FROM messages
            WHERE company_id = c.company_id
              AND conversation_id = c.id
        ) m
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE state IN ('answered', 'handed_over')) AS turns
            FROM turns
            WHERE company_id = c.company_id
              AND conversation_id = c.id
        ) t
        CROSS JOIN LATERAL (
            SELECT
                count(*) FILTER (WHERE state = 'sent') AS sent,
                count(*) FILTER (WHERE state = 'unknown_outcome') AS unknown_outcomes,
                count(*) FILTER (WHERE state = 'sent' AND meaning = 'settled_by_platform') AS settled
            FROM outbound
            WHERE company_id = c.company_id
              AND conversation_id = c.id
        ) o
        WHERE c.channel_id = ANY(%s)
        """,
        list(channels),
    )
    return {(int(row[0]), str(row[1])): Chat(*map(int, row[2:])) for row in rows}
