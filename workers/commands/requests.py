"""`./switchboard request ID`: from the id of an accepted webhook to its message, turn, answer and delivery."""

from __future__ import annotations

import click

from shared import settings
from shared.errors import NotFound, Permanent
from shared.store.inbound.journal import streams
from shared.store.operations import requests
from workers.commands.printing import as_json_option, print_rows
from workers.commands.setup import as_owner


@click.command()
@click.argument("request_id")
@as_json_option
def request(request_id: str, as_json: bool) -> None:
    """What became of a webhook. The id stands in its answer (x-request-id) and in the logs."""
    config = settings.load()
    with as_owner(config) as conn:
        try:
            rows = requests.trace(conn, request_id, streams(config.journal_shards))
        except ValueError as e:
            raise Permanent("request", str(e)) from None
    if not rows:
        raise NotFound("request", f"{request_id} is not in the ledger: still in the journal, refused, or too old")
    print_rows(rows, _line, empty="", as_json=as_json)


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
