"""`./switchboard request REQUEST_ID`: from the id of an accepted webhook to its message, turn, answer and delivery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import click

from shared import settings
from shared.errors import NotFound, Permanent
from shared.model import Reason
from shared.store.inbound.journal import streams
from shared.store.operations import requests
from workers.commands.printing import as_json_option, limit_option, print_rows
from workers.commands.setup import as_owner

DROPPED_WITHIN = timedelta(days=1)
"""As long as `doctor` and `channel health` report what was dropped."""


@click.command()
@click.argument("request_id", required=False)
@click.option("--dropped", "reason", metavar="REASON", type=click.Choice(sorted(get_args(Reason))),
              help="Instead of one request: the newest events that were dropped for this reason, of today and"
                   " yesterday (UTC), each with the id of its request.")  # fmt: skip
@limit_option(50, most=1_000)
@as_json_option
def request(request_id: str | None, reason: str | None, limit: int, as_json: bool) -> None:
    """Show what became of a webhook. Its id is in the response (x-request-id) and in the logs."""
    if (request_id is None) == (reason is None):
        raise click.UsageError("give a REQUEST_ID, or --dropped REASON to list dropped events")
    config = settings.load()
    if reason is not None:
        with as_owner(config) as conn:
            since = (datetime.now(UTC) - DROPPED_WITHIN).date()
            found = requests.dropped(conn, reason, since=since, limit=limit + 1)
        print_rows(found, _dropped_line, empty=f"nothing was dropped as {reason}", as_json=as_json, limit=limit)
        return
    assert request_id is not None
    with as_owner(config) as conn:
        try:
            rows = requests.trace(conn, request_id, streams(config.journal.shards))
        except ValueError as e:
            raise Permanent("request", str(e)) from None
    if not rows:
        raise NotFound("request", f"{request_id} is not in the ledger: still in the journal, refused, or too old")
    print_rows(rows, _line, empty="", as_json=as_json)


def _dropped_line(row: requests.Dropped) -> str:
    came = f"{row.received_at:%Y-%m-%d %H:%M:%S}  {row.platform} {row.app or 'an unknown app'}  {row.kind}"
    return f"{row.request_id or 'without an id'}  {came}  {row.place}"


def _line(row: requests.Traced) -> str:
    ended = f"{row.outcome} ({row.reason})" if row.reason else row.outcome
    told = [row.place, f"{row.received_at:%Y-%m-%d %H:%M:%S}", f"{row.platform} {row.kind} {ended}"]
    if row.conversation_id is not None:
        told.append(f"conversation {row.company_id}/{row.conversation_id} message {row.message_id}")
    if row.turn_id is not None:
        told.append(f"turn {row.turn_id} {row.turn_state} {row.step or ''}".rstrip())
    if row.parts:
        told.append(f"parts {', '.join(row.parts)}")
    return "  ".join(told)
