"""A Slack message may come in several events. Whichever comes first, it is answered once and leaves nothing empty."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from shared.store.inbox import reactions
from tests.factories import Bot, Inbox
from tests.integration import accounts
from tests.unit import fixtures_slack as slack

PLAIN = slack.in_channel(text="how long can I return shoes?")
ASKING = slack.in_channel(text="<@U0BERTH> how long can I return shoes?")
MENTION = slack.mention(text="<@U0BERTH> how long can I return shoes?")
EDITED = {
    "type": "message", "subtype": "message_changed", "channel": slack.CHANNEL, "channel_type": "channel",
    "ts": "1760000060.000300", "event_ts": "1760000060.000300", "previous_message": PLAIN,
    "message": {**ASKING, "edited": {"user": slack.CUSTOMER, "ts": "1760000060.000000"}},
}  # fmt: skip
UNKNOWN_NAME = slack.in_channel(text="<@U0SHARED> how long can I return shoes?")
MENTION_BY_IT = slack.mention(text="<@U0SHARED> how long can I return shoes?")
THREAD = f"{slack.CHANNEL}:{slack.TS}"


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return accounts.connect(inbox, "slack", slack.ME.external_id or "", slack.ME.handle)


def receive(inbox: Inbox, bot: Bot, *events: dict[str, Any]) -> None:
    accounts.receive(inbox, bot, "slack", *(slack.callback(event, api_app_id=accounts.OUR_APP) for event in events))


def asked(inbox: Inbox) -> list[tuple[Any, ...]]:
    """The chats and texts of what waits for an answer."""
    return inbox.rows(
        "SELECT c.chat, m.text FROM turns t"
        " JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id"
        " JOIN messages m ON m.company_id = t.company_id AND m.conversation_id = t.conversation_id"
        " AND m.seq BETWEEN t.first_seq AND t.last_seq WHERE t.state = 'waiting' ORDER BY 1, 2"
    )


def empty(inbox: Inbox) -> list[tuple[Any, ...]]:
    return inbox.rows("SELECT chat FROM conversations WHERE message_count = 0")


@pytest.mark.parametrize(
    "events",
    [
        *itertools.permutations((ASKING, MENTION)),
        *itertools.permutations((PLAIN, MENTION, EDITED)),
        *itertools.permutations((PLAIN, MENTION)),
        *itertools.permutations((UNKNOWN_NAME, MENTION_BY_IT)),
        (PLAIN, PLAIN, MENTION, MENTION, PLAIN),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_it_is_answered_once_in_its_thread(
    inbox: Inbox, bot: Bot, events: tuple[dict[str, Any], ...], *, together: bool
) -> None:
    if together:
        for event in events:
            journal(inbox, bot, event)
        inbox.drain_all()
    else:
        receive(inbox, bot, *events)

    assert asked(inbox) == [(THREAD, "how long can I return shoes?")]
    assert empty(inbox) == []
    shown = inbox.rows("SELECT c.chat FROM messages m JOIN conversations c ON c.id = m.conversation_id"
                       " WHERE m.deleted_at IS NULL AND m.text IS NOT NULL")  # fmt: skip
    assert shown == [(THREAD,)]
    assert inbox.rows("SELECT sum(unread_of(customer_seq, read_seq, read_beyond))::int FROM conversations") == [(1,)]
    assert inbox.rows("SELECT unread FROM company_totals") == [(1,)]


def journal(inbox: Inbox, bot: Bot, event: dict[str, Any]) -> str:
    return accounts.journal_one(inbox, bot, "slack", slack.callback(event, api_app_id=accounts.OUR_APP))


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("first", ["plain", "mention"])
def test_in_a_thread_it_stays_one_message(inbox: Inbox, bot: Bot, first: str, *, together: bool) -> None:
    in_thread = {"thread_ts": slack.THREAD}
    plain, mention = {**PLAIN, **in_thread}, {**MENTION, **in_thread, "text": "<@U0BERTH> how long exactly?"}
    events = [plain, mention] if first == "plain" else [mention, plain]
    if together:
        for event in events:
            journal(inbox, bot, event)
        inbox.drain_all()
    else:
        receive(inbox, bot, *events)

    thread = f"{slack.CHANNEL}:{slack.THREAD}"
    assert asked(inbox) == [(thread, "how long exactly?")]
    assert inbox.rows("SELECT chat, message_count, customer_seq FROM conversations") == [(thread, 1, 1)]


def test_what_others_said_meanwhile_stays_theirs(inbox: Inbox, bot: Bot) -> None:
    in_thread = {"thread_ts": slack.THREAD}
    other = {**PLAIN, **in_thread, "ts": "1760000001.000100", "user": "U0BO", "text": "I wonder, too"}
    receive(inbox, bot, {**PLAIN, **in_thread}, other, {**MENTION, **in_thread})

    assert asked(inbox) == [(f"{slack.CHANNEL}:{slack.THREAD}", "how long can I return shoes?")]


def test_a_person_who_answers_there_is_not_answered_over(inbox: Inbox, bot: Bot) -> None:
    in_thread = {"thread_ts": slack.THREAD}
    receive(inbox, bot, {**PLAIN, **in_thread})
    inbox.owner.run("UPDATE conversations SET bot_enabled = false, status = 'handed_over'", ())
    receive(inbox, bot, {**MENTION, **in_thread})
    assert asked(inbox) == []


def test_an_edit_finds_its_message_wherever_it_stands(inbox: Inbox, bot: Bot) -> None:
    receive(inbox, bot, ASKING)
    without = {**EDITED, "message": {**PLAIN, "text": "never mind", "edited": {"ts": "1760000070.000000"}}}
    receive(inbox, bot, without)

    assert inbox.rows("SELECT chat, text FROM messages m JOIN conversations c ON c.id = m.conversation_id") == [
        (THREAD, "never mind")
    ]
    assert inbox.rows("SELECT count(*) FROM early_changes") == [(0,)]
    assert empty(inbox) == []


def test_a_deletion_takes_the_message_away_wherever_it_stands(inbox: Inbox, bot: Bot) -> None:
    receive(inbox, bot, PLAIN, MENTION)
    deleted = {"type": "message", "subtype": "message_deleted", "channel": slack.CHANNEL, "channel_type": "channel",
               "deleted_ts": slack.TS, "ts": "1760000080.000300", "event_ts": "1760000080.000300",
               "previous_message": {**PLAIN, "thread_ts": slack.TS}}  # fmt: skip
    receive(inbox, bot, deleted)

    assert inbox.rows("SELECT count(*) FROM messages WHERE text IS NOT NULL OR deleted_at IS NULL") == [(0,)]
    assert asked(inbox) == []


def test_each_emoji_of_a_person_comes_and_goes_by_itself(inbox: Inbox, bot: Bot) -> None:
    receive(inbox, bot, slack.message())
    steps = [("added", "thumbsup", ":thumbsup:"), ("added", "heart", ":thumbsup: :heart:"),
             ("removed", "thumbsup", ":heart:"), ("removed", "heart", None), ("added", "heart", ":heart:")]  # fmt: skip
    [(company, message)] = inbox.rows("SELECT company_id, id FROM messages")
    for number, (status, name, shown) in enumerate(steps):
        at = f"17600000{70 + number}.000300"
        receive(inbox, bot, {"type": f"reaction_{status}", "user": slack.CUSTOMER, "reaction": name, "event_ts": at,
                             "item": {"type": "message", "channel": slack.DIRECT, "ts": slack.TS}})  # fmt: skip
        with inbox.db.transaction(company) as conn:
            found = reactions.of_messages(conn, company, [message]).get(message, {})
        assert found.get(slack.CUSTOMER) == shown


def test_the_case_of_a_mention_that_was_added_later(inbox: Inbox) -> None:
    bodies = [accounts.case(f"09-slack-edited-in-mention-{number}") for number in (1, 2)]
    for order in (bodies, bodies[::-1]):
        bot = accounts.connect(inbox, "slack", "T0TEST1", "U0BOT")
        inbox.owner.run("UPDATE channels SET state = 'disabled' WHERE id <> %s", (bot.channel_id,))
        accounts.receive(inbox, bot, "slack", *order)
        waiting = "SELECT count(*) FROM turns WHERE channel_id = %s"
        assert inbox.rows(waiting, bot.channel_id) == [(1,)]
        assert empty(inbox) == []
