"""Conversations: list and show them, take one over, hand it back to the bot, mark it as read."""

from __future__ import annotations

from dataclasses import asdict

import click
import psycopg

from shared import settings
from shared.errors import NotFound, NothingDone
from shared.live.publisher import Publisher
from shared.live.topics import Moved
from shared.store.answers import receipts
from shared.store.db.redis import connect
from shared.store.inbox import conversation_list, media, message_pages
from shared.store.inbox import conversations as store
from tasks.inbox import takeover
from workers.commands.naming import CompanyItem, company_of, company_option, located_now, place_argument
from workers.commands.printing import as_json_option, limit_option, print_json, print_result, print_rows
from workers.commands.setup import as_owner

SHOWN_MESSAGES = 200
HINT_WITHIN_S = 1.0
_WHO = {"paused": "the customer has silenced the bot"}
_CLOSED = {"window_closed": " (the platform takes nothing until the customer writes again)"}


@click.group()
def conversations() -> None:
    """Conversations: list them, take one over, hand it back to the bot, mark it as read."""


def _missing(company_id: int, conversation_id: int) -> NotFound:
    place = f"{company_id}/{conversation_id}"
    return NotFound("conversation", f"there is no conversation {place}: see `conversations list`")


@conversations.command("list")
@company_option()
@limit_option(50, most=10_000)
@as_json_option
def list_(company: str, limit: int, as_json: bool) -> None:
    """List a company's conversations, newest first, with status and unread count. Previews show customers' words."""
    with as_owner(settings.load()) as conn:
        company_id = company_of(conn, company).id
        rows = conversation_list.recent(conn, company_id, limit=limit + 1)
    print_rows(rows, lambda row: f"{company_id}/{_line(row)}", empty="no conversations", as_json=as_json, limit=limit)


def _line(row: conversation_list.Listed) -> str:
    bot = row.status if row.status == "paused" else f"{row.status}  {'bot' if row.bot_enabled else 'person'}"
    bot += f"  needs attention ({row.attention})" if row.attention else ""
    return f"{row.id}  {row.contact or row.chat}  unread {row.unread}  {bot}  {row.last_message_preview or ''}"


@conversations.command("show")
@place_argument("conversations list")
@click.option("--content", is_flag=True, help="Show the texts, too.")
@as_json_option
def show(place: CompanyItem, content: bool, as_json: bool) -> None:
    """Show a conversation: who wrote when, and how each answer was made. Texts only with --content."""
    with as_owner(settings.load()) as conn:
        company_id, conversation_id = located_now(conn, place)
        found = _one(conn, company_id, conversation_id)
        after_seq = max(0, found.message_count - SHOWN_MESSAGES)
        lines = message_pages.page(conn, company_id, conversation_id, after_seq=after_seq, limit=SHOWN_MESSAGES)
        answers = receipts.of_conversation(conn, company_id, conversation_id)
        fetched = media.of_messages(conn, company_id, [line.id for line in lines if line.attachments])
    head = asdict(found)
    said = [asdict(line) for line in lines]
    if not content:
        head.pop("last_message_preview")
        said = [{**line, "text": _length(line["text"])} for line in said]
        answers = [{**answer, "answer": _length(answer["answer"])} for answer in answers]
    if as_json:
        files = [asdict(fetched[place]) for place in sorted(fetched)]
        print_json({**head, "messages": said, "answers": answers, "attachments": files})
        return
    _echo_state(company_id, found)
    for line in said:
        role = f"{line['role']} (automatic)" if line["automatic"] else line["role"]
        click.echo(f"  {line['seq']}  {line['created_at']:%Y-%m-%d %H:%M:%S}  {role}  {line['text'] or ''}")
        for (message_id, _), file in sorted(fetched.items()):
            if message_id == line["id"]:
                click.echo(f"     attachment {file.ordinal}  {_fetched(file)}")
    for answer in answers:
        click.echo(f"  turn {answer['turn']}  {answer['state']}  {answer['step']}  {answer['reason']}")


def _echo_state(company_id: int, found: conversation_list.Listed) -> None:
    who = "the bot answers" if found.bot_enabled else _WHO.get(found.status, "a person answers")
    click.echo(f"{company_id}/{found.id}  {found.contact or found.chat}  unread {found.unread}  {found.status}  {who}")
    if found.bot_off_reason is not None:
        back = f", the bot is back at {found.returns_at:%Y-%m-%d %H:%M:%S}" if found.returns_at else ""
        click.echo(f"  left the bot: {found.bot_off_reason}, {found.bot_off_at or 'unknown when'}{back}")
    if found.attention is not None:
        click.echo(f"  needs attention: {found.attention}, since {found.attention_since:%Y-%m-%d %H:%M:%S}")
    if found.delivery_problem is not None:
        click.echo(f"  not delivered: {found.delivery_problem}{_CLOSED.get(found.delivery_problem, '')}")


def _fetched(file: media.Shown) -> str:
    """`waiting  unreachable, 3 attempts, again at 2026-01-31 12:00:00`"""
    if file.state == "stored":
        return f"stored  {file.mime}, {file.size_bytes} bytes"
    said = [file.reason] if file.reason else []
    said += [f"{file.attempts} attempts"] if file.attempts else []
    said += [f"again at {file.due_at:%Y-%m-%d %H:%M:%S}"] if file.due_at and file.attempts else []
    return f"{file.state}  {', '.join(said)}".rstrip()


def _length(text: str | None) -> str:
    return f"<{len(text or '')} characters>"


def _one(conn: psycopg.Connection, company_id: int, conversation_id: int) -> conversation_list.Listed:
    found = conversation_list.one(conn, company_id, conversation_id)
    if found is None:
        raise _missing(company_id, conversation_id)
    return found


@conversations.command("take-over")
@place_argument("conversations list")
@as_json_option
def take_over(place: CompanyItem, as_json: bool) -> None:
    """Turn the bot off in a conversation, so that a person answers: `conversations take-over acme/17`."""
    _set_bot(place, enabled=False, as_json=as_json)


@conversations.command("hand-back")
@place_argument("conversations list")
@as_json_option
def hand_back(place: CompanyItem, as_json: bool) -> None:
    """Turn the bot on again in a conversation."""
    _set_bot(place, enabled=True, as_json=as_json)


@conversations.command("close")
@place_argument("conversations list")
@as_json_option
def close(place: CompanyItem, as_json: bool) -> None:
    """A person is done with it: the bot answers again, and the customer's next message opens it."""
    _set_bot(place, enabled=True, closed=True, as_json=as_json)


def _set_bot(place: CompanyItem, *, enabled: bool, closed: bool = False, as_json: bool) -> None:
    config = settings.load()
    who = "the bot answers" if enabled else "a person answers"
    with as_owner(config) as conn, conn.transaction():
        company_id, conversation_id = located_now(conn, place)
        before = _one(conn, company_id, conversation_id)
        if before.bot_enabled == enabled and closed == (before.status == "closed"):
            raise NothingDone("conversation", f"conversation {place}: {'closed' if closed else who} already")
        answers = takeover.set_bot(conn, company_id, conversation_id, enabled=enabled, closed=closed)
        if answers is None:
            raise _missing(company_id, conversation_id)
    if enabled and not answers:
        who = _WHO["paused"]
    if not enabled:
        _hint(config, company_id)
    print_result({"company_id": company_id, "id": conversation_id, "bot_enabled": answers},
                 f"conversation {place}: {who}", as_json=as_json)  # fmt: skip


def _hint(config: settings.Settings, company_id: int) -> None:
    """End an answer that is being made. While Redis is away the renewal of its lease ends it within a second."""
    with connect(config.need("CACHE_URL"), socket_timeout_s=HINT_WITHIN_S) as cache:
        publisher = Publisher(cache)
        publisher.hint([Moved(company_id)])
        publisher.close()


@conversations.command("mark-read")
@place_argument("conversations list")
@as_json_option
def mark_read(place: CompanyItem, as_json: bool) -> None:
    """Mark everything that has arrived in a conversation as read."""
    with as_owner(settings.load()) as conn, conn.transaction():
        company_id, conversation_id = located_now(conn, place)
        if not _one(conn, company_id, conversation_id).unread:
            raise NothingDone("conversation", f"conversation {place}: nothing is unread already")
        unread = store.mark_read(conn, company_id, conversation_id)
    print_result({"company_id": company_id, "id": conversation_id, "unread": unread},
                 f"conversation {place}: unread {unread}", as_json=as_json)  # fmt: skip
