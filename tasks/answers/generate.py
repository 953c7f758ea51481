"""Having the model write an answer, under a lease, and showing the customer meanwhile that somebody is at it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any

from shared import faults
from shared.errors import Cancelled, SettingsError
from shared.llm import prompt
from shared.llm.call import ModelCall
from shared.llm.router import Router
from shared.model import Completion, Destination, Passage
from tasks.answers import manners
from tasks.answers.cited_pieces import CitedPieces
from tasks.answers.leases import Lease
from tasks.answers.resources import AnswerResources
from tasks.answers.turn_context import Case
from tasks.models import spending

PROMPT_BUDGET_CHARS = 24_000
CANCELLED_WITHIN_S = 1.0
"""So long is waited for what a cancelled call has used; what is not told by then is charged in full."""


def generate(
    r: AnswerResources, call: ModelCall, router: Router, lease: Lease, case: Case, relevant: Sequence[Passage], *,
    cheaper: bool,
) -> Completion:  # fmt: skip
    """Ask the models of the route; ends at once when the lease is lost, and at the latest with the turn's deadline.

    cheaper: its cheaper steps alone. What the call may cost is reserved, and is the lease's to settle. Raises
    CostLimitExceeded where a budget has no room for any of them.
    """
    lines = prompt.build(
        case.burst, case.history, relevant, case.company.name, PROMPT_BUDGET_CHARS, boundary=prompt.new_boundary(),
        may_ask_nothing=manners.may_ask_nothing(case),
        unlisted=case.unlisted,
    )  # fmt: skip
    listener = CitedPieces(case.stream, relevant) if case.stream is not None else None
    deadline_s = r.settings.answers.turn_deadline_s
    cleared = spending.clear(r, call, router, lines, within_s=deadline_s, cheaper=cheaper)
    lease.reservation = cleared.reservation
    if cleared.reservation is not None:
        spending.asking(r, cleared.reservation)
    completion = cleared.router.complete(lines, deadline_s, listener, cheaper=cheaper, attempts=lease.attempts)
    ended = threading.Event()
    asked = r.loop.spawn(_with_typing(r, case, completion, ended))
    try:
        lease.guard(asked.cancel)
        faults.reach("reply.asking")
        return asked.result(deadline_s + 2)
    except (Cancelled, TimeoutError):
        ended.wait(CANCELLED_WITHIN_S)
        spending.presume(lease.attempts, cleared.tokens_in)
        raise
    finally:
        lease.guard(None)


TYPING_AFTER_S = 0.5
"""An answer that is there by then needs none."""
TYPING_EVERY_S = 4.5
"""Telegram shows it for five seconds."""
TYPING_LATE_S = 0.03
"""A loop that comes so much too late has answers to carry, and they go before a courtesy."""


async def _with_typing(
    r: AnswerResources, case: Case, completion: Coroutine[Any, Any, Completion], ended: threading.Event
) -> Completion:
    typing = asyncio.create_task(_show_typing(r, case))
    try:
        return await completion
    finally:
        typing.cancel()
        ended.set()


async def _show_typing(r: AnswerResources, case: Case) -> None:
    """Show that the bot is typing, again and again, until cancelled. Nothing depends on its success."""
    loop, turn, pause_s = asyncio.get_running_loop(), case.turn, TYPING_AFTER_S + case.quiet_left_s
    place: Destination | None = None
    while True:
        due_at = loop.time() + pause_s
        await asyncio.sleep(pause_s)
        pause_s = TYPING_AFTER_S
        if loop.time() - due_at > TYPING_LATE_S:
            continue
        try:
            opened = r.vault.open_credentials(case.sealed) if place is None else place.credentials
        except SettingsError:
            return  # the delivery meets the lost key and says so
        place = Destination(turn.account, opened, turn.chat, turn.last_message, turn.last_customer_at)
        await r.platforms[turn.platform].typing(r.http, place)
        pause_s = TYPING_EVERY_S
