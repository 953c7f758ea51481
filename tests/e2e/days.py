"""A day in the life of conversations on one platform: what customers send, step by step, through every process, and the
inbox as a person sees it afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from shared.model import Attachment
from shared.store.inbox import messages
from tasks.tenants import onboarding
from tests.e2e.system import System


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens, after which everything comes to rest. at: the time of day it stands for."""

    at: str
    what: str
    happens: Callable[[], object]


def replay(system: System, day: Sequence[Step]) -> None:
    """Every step, each once all that the one before led to is done."""
    for step in day:
        step.happens()
        system.wait_at_rest()


def inbox_view(system: System, company_id: int, day: Sequence[Step]) -> str:
    """The day and what the inbox' HTTP API shows of it, a line a message."""
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        key = onboarding.new_agent(conn, company_id, "Reader")
    headers = {"authorization": f"Bearer {key}"}

    def get(path: str) -> dict[str, Any]:
        answer = system.http.get(path, headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    lines = [f"{step.at}  {step.what}" for step in day]
    for one in sorted(get("/api/v1/conversations")["conversations"], key=lambda found: found["id"]):
        bot = "the bot answers" if one["bot_enabled"] else "a person answers"
        lines.append(f"\n{one['chat']}  {one['contact']}  unread {one['unread']}  {bot}")
        lines += map(_line, get(f"/api/v1/conversations/{one['id']}/messages")["messages"])
    return "\n".join(lines)


def _line(message: dict[str, Any]) -> str:
    attached = [Attachment.from_json(one) for one in message["attachments"] or ()]
    said = "(deleted)" if message["deleted_at"] else " + ".join(
        part for part in (message["text"], *(messages.preview(None, [one]) for one in attached)) if part
    )  # fmt: skip
    notes = ["edited"] if message["edited_at"] else []
    notes += [message["delivery"]] if message["delivery"] else []
    notes += [f"{emoji}" for emoji in message["reactions"].values()]
    return f"  {message['role']:8}  {' '.join(said.split())}" + (f"  [{', '.join(notes)}]" if notes else "")
