"""What must hold after whatever happened: nothing lost among accepted, nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.e2e.system import System
from tests.factories import Bot


def check_stored_once(system: System, accepted: list[tuple[Bot, dict[str, Any]]]) -> None:
    """Every accepted message is stored, once, and nothing else is."""
    expected = Counter((bot.channel_id, _key(body)) for bot, body in accepted)
    rows = system.rows("SELECT channel_id, dedupe_key FROM messages WHERE role = 'customer'")
    assert Counter(rows) == Counter(set(expected)), "stored messages differ from the accepted ones"


def _key(body: dict[str, Any]) -> str:
    message = body["message"]
    return f"message:{message['chat']['id']}:{message['message_id']}"


def check_one_reply_a_turn(system: System) -> None:
    """Every turn ended, with exactly one reply; each part that counts as sent reached the platform once, and what
    reached the platform beyond that is uncertain here."""
    open_turns = system.rows("SELECT count(*) FROM turns WHERE state NOT IN ('answered', 'handed_over', 'cancelled')")
    assert open_turns == [(0,)], "turns are left open"
    without = system.rows(
        "SELECT count(*) FROM turns t WHERE t.state IN ('answered', 'handed_over') AND (SELECT count(DISTINCT"
        " o.message_id) FROM outbound o WHERE o.company_id = t.company_id AND o.turn_id = t.id) <> 1"
    )
    assert without == [(0,)], "turns without exactly one reply"
    for bot in system.bots:
        _check_platform(system, bot)


def _check_platform(system: System, bot: Bot) -> None:
    arrived = Counter(str(item["chat_id"]) for item in system.standin.messages(token=bot.token))
    rows = system.rows(
        "SELECT c.chat, count(*) FILTER (WHERE o.state = 'sent'), count(*) FILTER (WHERE o.state = 'uncertain')"
        " FROM outbound o JOIN conversations c ON c.company_id = o.company_id AND c.id = o.conversation_id"
        " WHERE o.channel_id = %s GROUP BY 1",
        bot.channel_id,
    )
    known = {str(chat): (int(sent), int(uncertain)) for chat, sent, uncertain in rows}
    for chat in arrived.keys() | known.keys():
        sent, uncertain = known.get(chat, (0, 0))
        assert sent <= arrived[chat] <= sent + uncertain, (
            f"chat {chat}: {arrived[chat]} arrived, {sent} sent and {uncertain} uncertain here"
        )


def check_unread(system: System) -> None:
    """Counters say what the rows say."""
    wrong = system.rows(
        "SELECT count(*) FROM conversations c WHERE c.customer_seq <> (SELECT count(*) FROM messages m"
        " WHERE m.company_id = c.company_id AND m.conversation_id = c.id AND m.role = 'customer')"
        " OR c.message_count <> (SELECT count(*) FROM messages m WHERE m.company_id = c.company_id"
        " AND m.conversation_id = c.id)"
    )
    assert wrong == [(0,)], "a conversation's counters differ from its messages"
    drifted = system.rows(
        "SELECT count(*) FROM company_totals t WHERE t.unread <> (SELECT coalesce(sum(customer_seq - read_seq), 0)"
        " FROM conversations c WHERE c.company_id = t.company_id)"
    )
    assert drifted == [(0,)], "a company's totals differ from its conversations"


def check_all(system: System, accepted: list[tuple[Bot, dict[str, Any]]]) -> None:
    check_stored_once(system, accepted)
    check_one_reply_a_turn(system)
    check_unread(system)
