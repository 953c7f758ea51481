"""`./switchboard parse PLATFORM`: what a webhook's body means, one line per event."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from shared.channels import UnknownPlatform, platform
from shared.model import InboundEvent, Me
from workers.commands.printing import as_json_option

# JSON leaves these as they are, but readers of lines and terminals take them for line ends or commands.
_STILL_CONTROL = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}


@click.command()
@click.argument("platform_name", metavar="PLATFORM")
@click.option("--me", "handle", metavar="@BOT", help="Our user name there, to see mentions of us.")
@click.option("--me-id", metavar="ID", help="Our own id there, to see replies to us and our own echoes.")
@as_json_option
def parse(platform_name: str, handle: str | None, me_id: str | None, as_json: bool) -> None:
    """Read a webhook's raw body from stdin and print one JSON object a line for each event, with --json one array.

    Exits 2 if the body is no JSON object or nobody knows the platform.
    """
    me = Me(external_id=me_id or None, handle=(handle or "").removeprefix("@") or None)
    raw = sys.stdin.buffer.read() if sys.stdin else b""  # None where stdin is closed
    try:
        reader = platform(platform_name)
        body = reader.decode(raw)
    except (UnknownPlatform, ValueError) as e:
        click.echo(str(e), err=True)
        raise click.exceptions.Exit(2) from None
    lines = [_line(event) for event in reader.parse(body, me)]
    for line in [b"[" + b",".join(lines) + b"]"] if as_json else lines:
        click.echo(line)


def _line(event: InboundEvent) -> bytes:
    """Bytes, because a terminal's encoding must not decide what can be printed."""
    text = json.dumps(_shown(event), ensure_ascii=False, separators=(",", ":"))
    return text.translate(_STILL_CONTROL).encode("utf-8", "replace")


def _shown(event: InboundEvent) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "reply": event.reply,
        "reason": event.reason,
        "sender": event.sender,
        "external_id": event.external_id,
        "dedupe_key": event.dedupe_key,
        "text": event.text,
        "attachments": [a.as_json() for a in event.attachments],
        "reply_to": event.reply_to,
        "account": event.account,
        "chat": event.chat,
        "payload": event.payload,
        "targets": list(event.targets),
        "until": event.until and event.until.isoformat(),
        "status": event.status,
        "meaning": event.meaning,
        "ref": event.ref,
        "app": event.app,
        "sender_name": event.sender_name,
        "sent_at": event.sent_at and event.sent_at.isoformat(),
        "migrated_to": event.migrated_to,
    }
