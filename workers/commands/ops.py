"""Commands for operators: the balance, dead letters, sends of unknown outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from redis.exceptions import RedisError

from shared import channels, settings
from shared.errors import JournalUnavailable, NotFound, NothingDone, Permanent
from shared.store.db.redis import connect
from shared.store.delivery import send_results
from shared.store.inbound import balance as balance_store
from shared.store.inbound import dead_letters as store
from shared.store.inbound.journal import Reader
from workers.commands.naming import ID, CompanyItem, located, place_argument
from workers.commands.printing import as_json_option, limit_option, print_json, print_result, print_rows
from workers.commands.setup import as_owner

REASON_CHARS = 200
HOURS_ROWS = 100_000


@contextmanager
def journal(config: settings.Settings) -> Iterator[Reader]:
    client = connect(config.need("JOURNAL_URL"))
    try:
        yield Reader(client, config.journal.shards)
    except RedisError as e:
        raise JournalUnavailable(f"JOURNAL_URL or REDIS_URL: the journal did not take it: {type(e).__name__}") from e
    finally:
        client.close()


@click.command()
@click.option(
    "--hours", type=click.IntRange(1, 24 * 31), help="Show the ledger of the last N hours, by channel and hour."
)
@click.option(
    "--write-off",
    type=click.IntRange(min=1),
    help="Write off this many missing requests: they count as stored from now on, and are known to be lost.",
)
@as_json_option
def balance(hours: int | None, write_off: int | None, as_json: bool) -> None:
    """Check that received = stored + in flight, and show what became of every event, turn and part. Exits 1 if it does
    not close."""
    config = settings.load()
    if hours is not None:
        now = datetime.now(UTC)
        with as_owner(config) as conn:
            rows = balance_store.hours(conn, now - timedelta(hours=hours), now, limit=HOURS_ROWS)
        print_rows(rows, _hour_line, empty=f"nothing was received in {hours} h", as_json=as_json)
        return
    with as_owner(config) as conn, journal(config) as reader:
        if write_off is not None and not balance_store.write_off(conn, reader, write_off):
            raise NothingDone(
                "balance", f"nothing was written off: {write_off} requests are not what is missing, see `balance`"
            )
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
        f"{row.hour:%Y-%m-%d %H}h  {row.platform:<10} {channel:<12} {row.outcome:<11} {row.events:>8}  {row.reason}"
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


@click.group("dead-letters")
def dead_letters() -> None:
    """Requests that could not be handled and were set aside with their error."""


@dead_letters.command("list")
@click.option("--platform", help="Only this platform's.")
@click.option("--reason", help="Only those with this reason, as the list shows it.")
@click.option("--app", "app_id", type=ID, help="Only this application's (its number in `app list`).")
@limit_option(100, most=100_000)
@as_json_option
def list_(platform: str | None, reason: str | None, app_id: int | None, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first."""
    with as_owner(settings.load()) as conn:
        only = store.known(conn, store.Filter(platform, reason, app_id), channels.NAMES)
        rows = store.listed(conn, only, limit=limit + 1)
    print_rows(rows, _dead_letter_line, empty="there are no dead letters", as_json=as_json, limit=limit)


def _dead_letter_line(row: store.DeadLetter) -> str:
    size = f"{row.size} bytes" if row.size is not None else "body purged"
    return f"{row.place}  {row.received_at:%Y-%m-%d %H:%M:%S}  {row.platform}  {row.reason}  {size}"


@dead_letters.command("show")
@click.argument("place")
@click.option("--content", is_flag=True, help="Print the body as it came, with messages' texts.")
@as_json_option
def show(place: str, content: bool, as_json: bool) -> None:
    """Show a dead letter: its structure, and its texts only with --content."""
    with as_owner(settings.load()) as conn:
        raw = _valid(lambda: store.raw_body(conn, place))
    if raw is None:
        raise NotFound("dead_letter", f"{place}: there is no body (never a dead letter here, or purged)")
    if content:
        if as_json:
            print_json({"place": place, "text": raw.decode("utf-8", "replace")})
        else:
            click.echo(raw, nl=False)
        return
    try:
        shape = store.redacted(json.loads(raw))
        shown = json.dumps(shape, indent=2)
    except ValueError:
        shape = shown = f"{len(raw)} bytes that are not JSON"
    print_result({"place": place, "shape": shape}, shown, as_json=as_json)


@dead_letters.command("redrive")
@click.argument("places", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them, oldest first.")
@click.option("--platform", help="Only this platform's.")
@click.option("--reason", help="Only those with this reason, as the list shows it.")
@click.option("--app", "app_id", type=ID, help="Only this application's (its number in `app list`).")
@as_json_option
def redrive(
    places: tuple[str, ...], everything: bool, platform: str | None, reason: str | None, app_id: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Send dead letters through the journal again. Doing it twice has no further effect."""
    config = settings.load()
    if not places and not everything and (platform, reason, app_id) == (None, None, None):
        raise Permanent("dead_letter", "give places from `dead-letters list`, a filter, or --all")
    with as_owner(config) as conn, journal(config) as reader:
        only = store.known(conn, store.Filter(platform, reason, app_id), channels.NAMES)
        if not places:
            places = tuple(row.place for row in store.listed(conn, only, limit=100_000))
            if not places:
                raise NothingDone("dead_letter", "no dead letter matches: see `dead-letters list`")
        went = [_valid(lambda place=place: store.redrive(conn, reader, place, datetime.now(UTC))) for place in places]
    _sorted_out("redriven", places, went, as_json=as_json)


def _sorted_out(done: str, places: Sequence[str], went: Sequence[bool], *, as_json: bool) -> None:
    """Print the result for each dead letter. Exits 1 if one of them was not a dead letter."""
    each = list(zip(places, went, strict=True))
    print_result(
        {done: [place for place, ok in each if ok], "not_dead_letters": [place for place, ok in each if not ok]},
        *(f"{place}  {done if ok else 'is not a dead letter'}" for place, ok in each),
        as_json=as_json,
    )
    if not all(went):
        raise SystemExit(1)


@dead_letters.command("discard")
@click.argument("places", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why; it is stored with them.")
@as_json_option
def discard(places: tuple[str, ...], reason: str, as_json: bool) -> None:
    """Discard dead letters for a reason."""
    if not reason.strip() or len(reason) > REASON_CHARS or "\x00" in reason:
        raise click.UsageError(f"--reason should say why, in up to {REASON_CHARS} characters")
    with as_owner(settings.load()) as conn:
        went = [_valid(lambda place=place: store.discard(conn, place, reason)) for place in places]
    _sorted_out("discarded", places, went, as_json=as_json)


def _valid(work: Any) -> Any:
    try:
        return work()
    except ValueError as e:
        raise Permanent("dead_letter", str(e)) from None


@click.group("outbound")
def outbound_group() -> None:
    """Messages to platforms whose outcome is unknown."""


@outbound_group.group("unknown-outcomes")
def unknown_outcomes() -> None:
    """Sends that may or may not have arrived. They are not repeated unless a person says so."""


@unknown_outcomes.command("list")
@limit_option(100, most=10_000)
@as_json_option
def list_unknown_outcomes(limit: int, as_json: bool) -> None:
    """List them, oldest first. Ask the customer or look at the chat, then settle each."""
    with as_owner(settings.load()) as conn:
        rows = send_results.list_unknown_outcomes(conn, limit=limit + 1)
    print_rows(rows, _unknown_outcome_line, empty="no send has an unknown outcome", as_json=as_json, limit=limit)


def _unknown_outcome_line(row: send_results.UnknownOutcome) -> str:
    return (
        f"{row.company_id}/{row.id}  conversation {row.company_id}/{row.conversation_id}  part {row.part}"
        f"  {row.meaning}  since {row.unknown_since:%Y-%m-%d %H:%M:%S}"
    )


@unknown_outcomes.command("settle")
@place_argument("outbound unknown-outcomes list")
@click.option("--sent/--not-sent", required=True, help="It arrived; or it did not, and is sent again.")
@as_json_option
def settle(place: CompanyItem, sent: bool, as_json: bool) -> None:
    """Settle a send of unknown outcome: `outbound unknown-outcomes settle acme/7 --sent`."""
    with as_owner(settings.load()) as conn:
        company_id, outbound_id = located(conn, place)
        if not send_results.settle(conn, company_id, outbound_id, sent=sent):
            state = send_results.state_of(conn, company_id, outbound_id)
            found = (
                f"there is no send {place}" if state is None else f"{place} is {state}, not a send of unknown outcome"
            )
            raise NothingDone("outbound", f"{found}: `outbound unknown-outcomes list` shows them")
    print_result({"company_id": company_id, "id": outbound_id, "settled": True}, f"{place}  settled", as_json=as_json)
