"""The operator's hands: the balance, parked events, uncertain sends, conversations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click
from redis.exceptions import RedisError

from shared import settings
from shared.errors import JournalUnavailable, Permanent
from shared.flow import takeover
from shared.store import balance as balance_store
from shared.store import conversations, outbound
from shared.store import parked as store
from shared.store.journal import Reader
from shared.store.redis import connect
from workers.commands.setup import as_owner


@contextmanager
def _journal(config: settings.Settings) -> Iterator[Reader]:
    client = connect(config.need("journal_url"))
    try:
        yield Reader(client, config.journal_shards)
    except RedisError as e:
        raise JournalUnavailable(f"JOURNAL_URL or REDIS_URL: the journal did not take it: {type(e).__name__}") from e
    finally:
        client.close()


def _print(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


@click.command()
@click.option("--json", "as_json", is_flag=True)
def balance(as_json: bool) -> None:
    """Received = stored + in flight; and what became of every event, turn and part. Exits 1 if it does not close."""
    config = settings.load()
    with as_owner(config) as conn, _journal(config) as reader:
        found = balance_store.take(conn, reader)
    if as_json:
        _print({**asdict(found), "closes": found.closes, "at_rest": found.at_rest})
    else:
        _show(found)
    if not found.closes:
        raise SystemExit(1)


def _show(found: balance_store.Balance) -> None:
    click.echo(f"requests   received {found.requests_received} = stored {found.requests_stored}"
               f" + redriven {found.redrives} + in flight {found.requests_in_flight}"
               f"   {'closes' if found.closes else 'DOES NOT CLOSE'}")  # fmt: skip
    if found.repeats:
        click.echo(f"           read again after a crash {found.repeats} (our own repetitions, without effect)")
    for title, counts in (
        ("events", found.events),
        ("  dropped", found.dropped),
        ("turns", found.turns),
        ("outbound", found.outbound),
    ):
        click.echo(f"{title:<10} " + (", ".join(f"{name} {count}" for name, count in counts.items()) or "none"))


@click.group()
def parked() -> None:
    """Requests that were set aside with their error."""


@parked.command("list")
@click.option("--limit", default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def parked_list(limit: int, as_json: bool) -> None:
    """Oldest first."""
    with as_owner(settings.load()) as conn:
        rows = store.all_parked(conn, limit=limit)
    if as_json:
        _print([asdict(row) for row in rows])
        return
    for row in rows:
        size = f"{row.size} bytes" if row.size is not None else "body purged"
        click.echo(f"{row.place}  {row.received_at:%Y-%m-%d %H:%M:%S}  {row.platform}  {row.reason}  {size}")
    if not rows:
        click.echo("nothing is parked")


@parked.command("show")
@click.argument("place")
@click.option("--content", is_flag=True, help="Print the body as it came, message text and all.")
def parked_show(place: str, content: bool) -> None:
    """The shape of a parked request; its words only with --content."""
    with as_owner(settings.load()) as conn:
        raw = _valid(lambda: store.raw_body(conn, place))
    if raw is None:
        raise Permanent("parked", f"{place}: there is no body (never parked here, or purged)")
    if content:
        click.echo(raw, nl=False)
        return
    try:
        click.echo(json.dumps(_redacted(json.loads(raw)), indent=2))
    except ValueError:
        click.echo(f"{len(raw)} bytes that are no JSON")


def _redacted(value: Any) -> Any:
    """Keys, numbers' and strings' shapes without what was said."""
    if isinstance(value, dict):
        return {key: _redacted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return f"<{len(value)} characters>" if isinstance(value, str) else value


@parked.command("redrive")
@click.argument("places", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are parked, oldest first.")
def parked_redrive(places: tuple[str, ...], everything: bool) -> None:
    """Send parked requests through the journal again. Doing it twice does nothing twice."""
    config = settings.load()
    with as_owner(config) as conn, _journal(config) as reader:
        if everything:
            places = tuple(row.place for row in store.all_parked(conn, limit=100_000))
        for place in places:
            went = _valid(lambda place=place: store.redrive(conn, reader, place, datetime.now(UTC)))
            click.echo(f"{place}  {'redriven' if went else 'is not parked'}")


@parked.command("discard")
@click.argument("place")
@click.option("--reason", required=True)
def parked_discard(place: str, reason: str) -> None:
    """Give a parked request up, saying why."""
    with as_owner(settings.load()) as conn:
        went = _valid(lambda: store.discard(conn, place, reason))
    click.echo(f"{place}  {'discarded' if went else 'is not parked'}")


def _valid(work: Any) -> Any:
    try:
        return work()
    except ValueError as e:
        raise Permanent("parked", str(e)) from None


@click.group("outbound")
def outbound_group() -> None:
    """Sends whose outcome nobody knows."""


@outbound_group.command("uncertain")
@click.option("--json", "as_json", is_flag=True)
def uncertain(as_json: bool) -> None:
    """List them; ask the customer or look at the chat, then settle."""
    with as_owner(settings.load()) as conn:
        rows = outbound.list_uncertain(conn)
    if as_json:
        _print([asdict(row) for row in rows])
        return
    for row in rows:
        click.echo(f"{row.company_id}/{row.id}  conversation {row.conversation_id}  part {row.part}  {row.meaning}"
                   f"  since {row.uncertain_at:%Y-%m-%d %H:%M:%S}")  # fmt: skip
    if not rows:
        click.echo("no send is uncertain")


@outbound_group.command("settle")
@click.argument("place", metavar="COMPANY/ID")
@click.option("--sent/--not-sent", required=True, help="It arrived; or it did not, and goes out again.")
def settle(place: str, sent: bool) -> None:
    """Say what became of an uncertain send."""
    company_id, _, outbound_id = place.partition("/")
    if not (company_id.isdigit() and outbound_id.isdigit()):
        raise Permanent("outbound", f"{place!r} should be COMPANY/ID, as `outbound uncertain` prints it")
    with as_owner(settings.load()) as conn:
        went = outbound.settle(conn, int(company_id), int(outbound_id), sent=sent)
    click.echo(f"{place}  {'settled' if went else 'is not uncertain'}")


@click.group()
def conversation() -> None:
    """Conversations: list them, take one over, hand it back to the bot, mark it as read."""


@conversation.command("list")
@click.argument("company_id", type=int)
@click.option("--limit", default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def conversation_list(company_id: int, limit: int, as_json: bool) -> None:
    """Newest first, with unread counts. Shows previews: for the company's own people."""
    with as_owner(settings.load()) as conn:
        rows = conversations.recent(conn, company_id, limit=limit)
    if as_json:
        _print([asdict(row) for row in rows])
        return
    for row in rows:
        bot = "bot" if row.bot_enabled else "person"
        click.echo(f"{row.id}  {row.contact or row.chat}  unread {row.unread}  {bot}  {row.last_message_preview or ''}")


@conversation.command("take-over")
@click.argument("company_id", type=int)
@click.argument("conversation_id", type=int)
def take_over(company_id: int, conversation_id: int) -> None:
    """A person answers from now on."""
    _set_bot(company_id, conversation_id, enabled=False)


@conversation.command("hand-back")
@click.argument("company_id", type=int)
@click.argument("conversation_id", type=int)
def hand_back(company_id: int, conversation_id: int) -> None:
    """The bot answers again."""
    _set_bot(company_id, conversation_id, enabled=True)


def _set_bot(company_id: int, conversation_id: int, *, enabled: bool) -> None:
    with as_owner(settings.load()) as conn, conn.transaction():
        if not takeover.set_bot(conn, company_id, conversation_id, enabled=enabled):
            raise Permanent("conversation", f"company {company_id} has no conversation {conversation_id}")
    click.echo(f"conversation {conversation_id}: {'the bot answers' if enabled else 'a person answers'}")


@conversation.command("mark-read")
@click.argument("company_id", type=int)
@click.argument("conversation_id", type=int)
def mark_read(company_id: int, conversation_id: int) -> None:
    """An agent has seen everything that has arrived."""
    with as_owner(settings.load()) as conn, conn.transaction():
        unread = conversations.mark_read(conn, company_id, conversation_id)
    if unread is None:
        raise Permanent("conversation", f"company {company_id} has no conversation {conversation_id}")
    click.echo(f"conversation {conversation_id}: unread {unread}")
