"""What becomes of one request: the fault that meets it, its effect, its answer, its record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import orjson

from standin.faults import Fault
from standin.records import Record
from standin.wire import Exchange, Gone
from standin.world import NO_LATENCY, Latency, World

REGISTERING = ("setWebhook", "deleteWebhook", "subscribed_apps")
"""Methods that change where webhooks go."""

COMMENT = b": waiting\n\n"
COMMENTS_MAX = 10_000

Act = Callable[[Fault | None], "Reply"]
Refuse = Callable[[Fault], "Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer ready to leave. pieces: a streamed body, piece by piece, instead of `body`. before: must have happened
    until then."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    pieces: Sequence[bytes] = ()
    latency: Latency = NO_LATENCY
    content_type: str = "application/json"
    before: Callable[[], Awaitable[None]] | None = None


async def serve(world: World, exchange: Exchange, attempt: Record, act: Act, refuse: Refuse) -> None:
    """Let `act` happen and answer, unless a fault says otherwise.

    act: validates the request, has its effect if it is good, and makes the answer; given the fault, for those
    that change what is made. refuse: words a `status` fault as the service would.
    The attempt's outcome becomes ok, error (an answer of 400 and above), dropped or client_gone.
    """
    fault = world.faults.take(attempt)
    world.attempts.update(attempt, fault=fault.kind if fault else None)
    world.open.add(exchange)
    try:
        reply = await _suffer(fault, exchange, act, refuse) if fault else act(None)
        if attempt.get("method") in REGISTERING:
            world.keep()
        await _send(exchange, reply)
        outcome = "ok" if reply.status < 400 else "error"
        world.attempts.update(attempt, status=reply.status, outcome=outcome)
    except Gone:
        world.attempts.update(attempt, outcome="dropped" if exchange.dropped else "client_gone")
    finally:
        world.open.discard(exchange)


async def _suffer(fault: Fault, exchange: Exchange, act: Act, refuse: Refuse) -> Reply:
    if fault.latency_s > 0:
        await exchange.sleep(fault.latency_s)
    if fault.kind == "status":
        return refuse(fault)
    if not fault.after_effect:
        await _leave_unanswered(fault, exchange)
        return act(fault)
    reply = act(fault)
    await _leave_unanswered(fault, exchange)
    if fault.kind == "drip":
        exchange.drip = (fault.bytes_each, fault.interval_s)
    elif fault.kind in ("drop_midway", "stall_midway"):
        exchange.cut_after_bytes, exchange.stalls = fault.cut_after_bytes, fault.kind == "stall_midway"
    elif fault.kind == "slow_start":
        waiting = Latency(chunk_s=fault.interval_s)
        return replace(reply, pieces=(COMMENT,) * COMMENTS_MAX, latency=waiting)
    elif fault.kind == "malformed":
        return _malformed(reply, fault)
    return reply


async def _leave_unanswered(fault: Fault, exchange: Exchange) -> None:
    """Returns only for faults of another kind."""
    if fault.kind.startswith("timeout_"):
        await exchange.sleep(fault.seconds)
        exchange.drop()
    if fault.kind in ("drop_before_effect", "drop_after_effect"):
        exchange.drop()


def _malformed(reply: Reply, fault: Fault) -> Reply:
    if fault.variant == "wrong_shape":
        shape = orjson.dumps({"ok": True, "choices": "none"})
        return replace(reply, status=200, body=shape, pieces=(), content_type="application/json")
    page = b"<html><head><title>Welcome</title></head><body>Please sign in to this network.</body></html>"
    return replace(reply, status=200, body=page, pieces=(), content_type="text/html")


async def _send(exchange: Exchange, reply: Reply) -> None:
    if reply.before is not None:
        await reply.before()
    await exchange.sleep(reply.latency.first_byte_s)
    if not reply.pieces:
        return await exchange.answer(reply.status, reply.body, reply.headers, reply.content_type)
    exchange.begin(reply.status, reply.headers, reply.content_type)
    for number, piece in enumerate(reply.pieces):
        await exchange.sleep(reply.latency.chunk_s if number else 0)
        await exchange.write(piece)
        exchange.flush()
    return exchange.end()
