"""Intake: journal entries → events → one transaction: contacts, conversations, messages, turns, ledger, counters.

Everything here is set-based: a batch costs the same dozen statements whether it holds one event or two hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared import faults
from shared.channels import fields
from shared.channels.base import Platform
from shared.model import InboundEvent, JournalEntry, Me, Route
from shared.settings import Settings
from shared.store.db.pool import Conn, set_companies
from shared.store.inbound import drops, ledger
from shared.store.inbound.ledger import LedgerRow, Progress
from shared.store.inbox import company_totals
from shared.store.tenants import channels
from tasks.inbound import event_dispatch
from tasks.inbound.batch import Batch, Placed, Stored


def place_events(
    entries: Sequence[JournalEntry], routes: Mapping[int, Sequence[Route]], platforms: Mapping[str, Platform]
) -> list[Placed]:
    """Parse entries into events, each with its route. An entry of a platform nobody knows, or whose raw body is
    no JSON object any more, raises: the caller makes it a dead letter."""
    placed = []
    for entry in entries:
        known = routes.get(entry.app_id, ())
        platform = platforms[entry.platform]
        body = platform.decode(entry.raw)
        for ordinal, event in enumerate(platform.parse(body, _me(platform.account(body), known))):
            routes_of_event = _routes(event, known)
            first, also = next(iter(routes_of_event), None), tuple(routes_of_event[1:])
            placed.append(Placed(entry, ordinal, _named(event, entry, ordinal), first, also))
    return placed


def _named(event: InboundEvent, entry: JournalEntry, ordinal: int) -> InboundEvent:
    """Use the sender's name for the delivery, if there is one: it tells a repetition from a new event that looks the
    same."""
    if entry.delivery_id is None:
        return event
    return replace(event, dedupe_key=fields.key("delivery", entry.delivery_id, str(ordinal)))


def _me(account: str | None, known: Sequence[Route]) -> Me:
    """Return who we are in a body: the channel that it belongs to; if that is not said, or there are several, only our
    application."""
    if len(known) == 1:
        return known[0].me
    found = next((route.me for route in known if account is not None and route.me.external_id == account), None)
    return found or Me(app=known[0].me.app if known else None)


def _routes(event: InboundEvent, known: Sequence[Route]) -> list[Route]:
    """Return the channel that a body is for, one at most; news of a business account are for all channels that it
    holds."""
    if event.account is not None:
        return [route for route in known if route.me.external_id == event.account][:1]
    if event.business_account is not None:
        known = _held(event, known)
        if event.kind == "account" and event.chat is None:
            return list(known)
    return list(known) if len(known) == 1 else []


def _held(event: InboundEvent, known: Sequence[Route]) -> list[Route]:
    """Return the channels of the body's business account, or the one whose number it names. The account of an
    application's only channel need not be known."""
    held = [route for route in known if route.business_account == event.business_account]
    if not held and len(known) == 1 and known[0].business_account is None:
        held = list(known)
    if event.number is None:
        return held
    return [route for route in held if route.me.handle is None or fields.digits(route.me.handle) == event.number]


def store_batch(
    conn: Conn,
    batches: Mapping[str, Sequence[JournalEntry]],
    platforms: Mapping[str, Platform],
    settings: Settings,
    *,
    recovering: bool,
) -> Stored:
    """Store streams' entries inside the caller's transaction, which holds their shards.

    recovering: the entries may have been stored before (they come from the pending list).
    """
    stored = Stored(requests=sum(map(len, batches.values())))
    fresh: list[JournalEntry] = []
    progress = []
    for stream, entries in batches.items():
        known = ledger.known(conn, stream, entries) if recovering else set()
        new = [entry for entry in entries if entry.entry_id not in known]
        redrives = sum(entry.redrive is not None for entry in new)
        progress.append(Progress(stream, len(new) - redrives, redrives, len(entries) - len(new)))
        fresh += new
    stored.repeats = stored.requests - len(fresh)
    routes: dict[int, list[Route]] = {}
    for route in channels.routes(conn, sorted({entry.app_id for entry in fresh})):
        routes.setdefault(route.app_id, []).append(route)
    placed = _say_disabled(conn, place_events(fresh, routes, platforms), routes)
    set_companies(conn, {route.company_id for p in placed for route in p.routes})

    batch = event_dispatch.apply(conn, placed, settings, stored)
    _write_ledger(conn, fresh, batch, stored)
    ledger.add_progress(conn, progress)
    company_totals.add_totals(conn, {company: add for company, add in batch.totals.items() if add != (0, 0)})
    drops.note(conn, batch.lost)
    faults.reach("intake.before_commit")
    return stored


def _say_disabled(conn: Conn, placed: list[Placed], known: Mapping[int, Sequence[Route]]) -> list[Placed]:
    """Report an event without a channel under its own reason if somebody has disabled the channel."""
    homeless = {p.entry.app_id for p in placed if p.route is None}
    disabled: dict[int, list[Route]] = {}
    for route in channels.disabled_routes(conn, sorted(homeless)) if homeless else ():
        disabled.setdefault(route.app_id, []).append(route)

    def was_disabled(p: Placed) -> bool:
        asleep = disabled.get(p.entry.app_id, [])
        unnamed = p.event.account is None and not known.get(p.entry.app_id)
        return p.route is None and bool(asleep) and (unnamed or bool(_routes(p.event, asleep)))

    return [replace(p, homeless="channel_disabled") if was_disabled(p) else p for p in placed] if disabled else placed


def _write_ledger(conn: Conn, fresh: Sequence[JournalEntry], batch: Batch, stored: Stored) -> None:
    first_time = [entry for entry in fresh if entry.redrive is None]
    again = [entry for entry in fresh if entry.redrive is not None]
    added = []
    for row in batch.ledger:
        # the dead letter's row stands for the whole request: its first event takes the place, others get their own
        if row.entry.redrive is not None and row.ordinal == 0:
            ledger.resolve(conn, row.entry.redrive, row)
        else:
            added.append(row)
    ledger.add_events(conn, [*added, *map(_redrive_mark, again)])
    ledger.add_raw(conn, first_time)
    stored.effected = sum(row.outcome == "effected" for row in batch.ledger)
    stored.dropped = len(batch.ledger) - stored.effected
    stored.endings.update((row.kind, row.outcome, row.reason or "") for row in batch.ledger)


def _redrive_mark(entry: JournalEntry) -> LedgerRow:
    """Return the ledger row that marks a redriven entry, so that the entry is recognised after a crash. Ordinal -1 is
    not an event and not counted."""
    return LedgerRow(entry, -1, "redrive", "dropped", "redrive")


def set_aside(conn: Conn, stream: str, entry: JournalEntry, reason: str, *, recovering: bool) -> Stored:
    """Set one request aside with the class of its error, for a person to redrive. Its raw body is kept."""
    if recovering and ledger.known(conn, stream, [entry]):
        ledger.add_progress(conn, [Progress(stream, repeats=1)])
        return Stored(requests=1, repeats=1)
    set_companies(conn, ())
    if entry.redrive is None:
        ledger.add_events(conn, [LedgerRow(entry, 0, "other", "dead_letter", reason)])
        ledger.add_raw(conn, [entry])
        ledger.add_progress(conn, [Progress(stream, requests=1)])
    else:  # it stays a dead letter where it was
        ledger.add_events(conn, [_redrive_mark(entry)])
        ledger.add_progress(conn, [Progress(stream, redrives=1)])
    return Stored(requests=1, dead_letters=1, endings=Counter([("other", "dead_letter", reason)]))
