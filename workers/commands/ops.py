"""The operator's hands: the balance, parked events, uncertain sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from redis.exceptions import RedisError

from shared import settings
from shared.errors import JournalUnavailable, Permanent
from shared.store import balance as balance_store
from shared.store import outbound
from shared.store import parked as store
from shared.store.journal import Reader
from shared.store.redis import connect
from workers.commands.printing import as_json_option, print_json, print_rows, split_place
from workers.commands.setup import as_owner


@contextmanager
def journal(config: settings.Settings) -> Iterator[Reader]:
    client = connect(config.need("journal_url"))
    try:
        yield Reader(client, config.journal_shards)
    except RedisError as e:
        raise JournalUnavailable(f"JOURNAL_URL or REDIS_URL: the journal did not take it: {type(e).__name__}") from e
    finally:
        client.close()


@click.command()
@click.option("--hours", type=click.IntRange(1, 24 * 31), help="By channel and hour, of so many hours until now.")
@click.option("--write-off", type=int, help="Count so many missing requests as stored: they are lost, and known to be.")
@as_json_option
def balance(hours: int | None, write_off: int | None, as_json: bool) -> None:
    """Received = stored + in flight; and what became of every event, turn and part. Exits 1 if it does not close."""
    config = settings.load()
    if hours is not None:
        now = datetime.now(UTC)
        with as_owner(config) as conn:
            rows = balance_store.hours(conn, now - timedelta(hours=hours), now)
        print_rows(rows, _hour_line, empty=f"nothing was received in {hours} h", as_json=as_json)
        return
    with as_owner(config) as conn, journal(config) as reader:
        if write_off is not None and not balance_store.write_off(conn, reader, write_off):
            raise Permanent("balance", f"{write_off} requests are not what is missing: see `balance`")
        found = balance_store.take(conn, reader)
    if as_json:
        print_json({**asdict(found), "closes": found.closes, "at_rest": found.at_rest})
    else:
        _show(found)
    if not found.closes:
        raise SystemExit(1)


def _hour_line(row: balance_store.Hour) -> str:
    channel = "no channel" if row.channel_id is None else f"{row.company_id}/{row.channel_id}"
    return (
        f"{row.hour:%Y-%m-%d %H}h  {row.platform:<10} {channel:<12} {row.outcome:<8} {row.events:>8}  {row.reason}"
    ).rstrip()


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
@click.option("--platform", help="Only this platform's.")
@click.option("--reason", help="Only those with this reason, as the list shows it.")
@click.option("--app", "app_id", type=int, help="Only this application's (its number in `app list`).")
@click.option("--limit", default=100, show_default=True)
@as_json_option
def parked_list(platform: str | None, reason: str | None, app_id: int | None, limit: int, as_json: bool) -> None:
    """Oldest first."""
    with as_owner(settings.load()) as conn:
        rows = store.all_parked(conn, store.Filter(platform, reason, app_id), limit=limit)
    print_rows(rows, _parked_line, empty="nothing is parked", as_json=as_json)


def _parked_line(row: store.Parked) -> str:
    size = f"{row.size} bytes" if row.size is not None else "body purged"
    return f"{row.place}  {row.received_at:%Y-%m-%d %H:%M:%S}  {row.platform}  {row.reason}  {size}"


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
        click.echo(json.dumps(store.redacted(json.loads(raw)), indent=2))
    except ValueError:
        click.echo(f"{len(raw)} bytes that are no JSON")


@parked.command("redrive")
@click.argument("places", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are parked, oldest first.")
@click.option("--platform", help="Only this platform's.")
@click.option("--reason", help="Only those with this reason, as the list shows it.")
@click.option("--app", "app_id", type=int, help="Only this application's (its number in `app list`).")
def parked_redrive(
    places: tuple[str, ...], everything: bool, platform: str | None, reason: str | None, app_id: int | None
) -> None:
    """Send parked requests through the journal again. Doing it twice does nothing twice."""
    config = settings.load()
    only = store.Filter(platform, reason, app_id)
    if not places and not everything and only == store.EVERY:
        raise Permanent("parked", "name places from `parked list`, a filter, or --all")
    with as_owner(config) as conn, journal(config) as reader:
        if not places:
            places = tuple(row.place for row in store.all_parked(conn, only, limit=100_000))
        for place in places:
            went = _valid(lambda place=place: store.redrive(conn, reader, place, datetime.now(UTC)))
            click.echo(f"{place}  {'redriven' if went else 'is not parked'}")


@parked.command("discard")
@click.argument("places", nargs=-1, required=True)
@click.option("--reason", required=True)
def parked_discard(places: tuple[str, ...], reason: str) -> None:
    """Give parked requests up, saying why."""
    with as_owner(settings.load()) as conn:
        for place in places:
            went = _valid(lambda place=place: store.discard(conn, place, reason))
            click.echo(f"{place}  {'discarded' if went else 'is not parked'}")


def _valid(work: Any) -> Any:
    try:
        return work()
    except ValueError as e:
        raise Permanent("parked", str(e)) from None


@click.group("outbound")
def outbound_group() -> None:
    """Sends whose outcome nobody knows."""


@outbound_group.group("uncertain")
def uncertain() -> None:
    """Sends that may have arrived or not; they are never sent again blindly."""


@uncertain.command("list")
@as_json_option
def uncertain_list(as_json: bool) -> None:
    """Oldest first. Ask the customer or look at the chat, then settle."""
    with as_owner(settings.load()) as conn:
        rows = outbound.list_uncertain(conn)
    print_rows(rows, _uncertain_line, empty="no send is uncertain", as_json=as_json)


def _uncertain_line(row: outbound.Uncertain) -> str:
    return (
        f"{row.company_id}/{row.id}  conversation {row.conversation_id}  part {row.part}  {row.meaning}"
        f"  since {row.uncertain_at:%Y-%m-%d %H:%M:%S}"
    )


@uncertain.command("settle")
@click.argument("place", metavar="COMPANY/ID")
@click.option("--sent/--not-sent", required=True, help="It arrived; or it did not, and goes out again.")
def settle(place: str, sent: bool) -> None:
    """Say what became of an uncertain send."""
    company_id, outbound_id = split_place(place, "outbound uncertain list")
    with as_owner(settings.load()) as conn:
        went = outbound.settle(conn, company_id, outbound_id, sent=sent)
    click.echo(f"{place}  {'settled' if went else 'is not uncertain'}")
