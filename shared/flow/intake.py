"""Intake: journal entries → events → one transaction: contacts, conversations, messages, turns, ledger, counters.

Everything here is set-based: a batch costs the same dozen statements whether it holds one event or two hundred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace

from shared import faults
from shared.channels import fields
from shared.channels.base import Platform
from shared.live.topics import Chat, Moved
from shared.model import InboundEvent, JournalEntry, Me, Route
from shared.settings import Settings
from shared.store import channels, conversations, ledger, media, messages, turns
from shared.store.conversations import ChatKey, ContactKey, Head, Locked
from shared.store.ledger import LedgerRow
from shared.store.pool import Conn, set_companies


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place in the journal and, where one is connected, the channel it belongs to."""

    entry: JournalEntry
    ordinal: int
    event: InboundEvent
    route: Route | None


@dataclass(slots=True)
class Stored:
    """What a batch came to. turns: replies now wanted, the number of doorbells to ring. media: attachments that are now
    to be fetched. endings: how many events
    ended with this (kind, outcome, reason). chats: those with new messages. moved: turns whose epoch moved; both
    are to be told after the commit."""

    requests: int = 0
    repeats: int = 0
    effected: int = 0
    dropped: int = 0
    parked: int = 0
    turns: int = 0
    media: int = 0
    endings: Counter[tuple[str, str, str]] = field(default_factory=Counter, compare=False)
    chats: set[Chat] = field(default_factory=set)
    moved: list[Moved] = field(default_factory=list)

    def add(self, other: Stored) -> None:
        for name in ("requests", "repeats", "effected", "dropped", "parked", "turns", "media"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.endings.update(other.endings)
        self.chats |= other.chats
        self.moved += other.moved


@dataclass(slots=True)
class _Batch:
    """One company-mixed batch on its way through the tables."""

    ledger: list[LedgerRow] = field(default_factory=list)
    messages: list[Placed] = field(default_factory=list)
    moved: list[Placed] = field(default_factory=list)


def place_events(
    entries: Sequence[JournalEntry], routes: Mapping[int, Sequence[Route]], platforms: Mapping[str, Platform]
) -> list[Placed]:
    """Parse entries into events, each with its route. An entry of a platform nobody knows, or whose raw body is
    no JSON object any more, raises: the caller parks it."""
    placed = []
    for entry in entries:
        known = routes.get(entry.app_id, ())
        platform = platforms[entry.platform]
        body = platform.decode(entry.raw)
        for ordinal, event in enumerate(platform.parse(body, _me(platform.account(body), known))):
            placed.append(Placed(entry, ordinal, _named(event, entry, ordinal), _route(event, known)))
    return placed


def _named(event: InboundEvent, entry: JournalEntry, ordinal: int) -> InboundEvent:
    """Where the sender named the delivery, its name tells a repetition from a new event that looks the same."""
    if entry.delivery_id is None:
        return event
    return replace(event, dedupe_key=fields.key("delivery", entry.delivery_id, str(ordinal)))


def _me(account: str | None, known: Sequence[Route]) -> Me:
    """Who we are in a body: the channel it belongs to; where that is not said or several, our application alone."""
    if len(known) == 1:
        return known[0].me
    found = next((route.me for route in known if account is not None and route.me.external_id == account), None)
    return found or Me(app=known[0].me.app if known else None)


def _route(event: InboundEvent, known: Sequence[Route]) -> Route | None:
    if event.account is None:
        return known[0] if len(known) == 1 else None
    return next((route for route in known if route.me.external_id == event.account), None)


def store_batch(
    conn: Conn,
    stream: str,
    entries: Sequence[JournalEntry],
    platforms: Mapping[str, Platform],
    settings: Settings,
    *,
    recovering: bool,
) -> Stored:
    """Store entries of one stream inside the caller's transaction, which holds the shard.

    recovering: the entries may have been stored before (they come from the pending list).
    """
    stored = Stored(requests=len(entries))
    fresh = list(entries)
    if recovering:
        known = ledger.known(conn, stream, entries)
        fresh = [entry for entry in entries if entry.entry_id not in known]
        stored.repeats = len(entries) - len(fresh)
    routes: dict[int, list[Route]] = {}
    for route in channels.routes(conn, sorted({entry.app_id for entry in fresh})):
        routes.setdefault(route.app_id, []).append(route)
    placed = place_events(fresh, routes, platforms)
    set_companies(conn, {p.route.company_id for p in placed if p.route})

    batch = _sort_out(placed)
    totals = _store_messages(conn, batch, settings, stored)
    _migrate_chats(conn, batch)
    _write_ledger(conn, stream, fresh, batch, stored)
    conversations.add_totals(conn, totals)
    faults.reach("intake.before_commit")
    return stored


def _sort_out(placed: Sequence[Placed]) -> _Batch:
    """Messages go to the tables; of the other kinds only a moved chat has an effect so far."""
    batch = _Batch()
    for p in placed:
        event = p.event
        if p.route is None:
            batch.ledger.append(_row(p, "dropped", "no_channel"))
        elif event.kind == "message" and event.chat is not None and event.sender is not None:
            batch.messages.append(p)
        elif event.migrated_to is not None and event.chat is not None:
            batch.moved.append(p)
            batch.ledger.append(_row(p, "effected"))
        else:
            batch.ledger.append(_row(p, "dropped", event.reason or event.kind))
    return batch


def _row(p: Placed, outcome: str, reason: str | None = None, message_id: int | None = None) -> LedgerRow:
    return LedgerRow(
        entry=p.entry,
        ordinal=p.ordinal,
        kind=p.event.kind,
        outcome=outcome,
        reason=reason,
        dedupe_key=p.event.dedupe_key,
        company_id=p.route.company_id if p.route else None,
        channel_id=p.route.channel_id if p.route else None,
        message_id=message_id,
    )


def _store_messages(conn: Conn, batch: _Batch, settings: Settings, stored: Stored) -> dict[int, tuple[int, int]]:
    """Contacts, conversations (locked), messages, heads and turns. Returns company → totals to add, last."""
    if not batch.messages:
        return {}
    names = {_contact_key(p): p.event.sender_name for p in batch.messages}
    contact_ids = conversations.ensure_contacts(conn, names)
    chats: dict[ChatKey, int | None] = {}
    for p in batch.messages:
        chats.setdefault(_chat_key(p), contact_ids[_contact_key(p)])
    locked = conversations.ensure_locked(conn, chats)
    faults.reach("intake.locked")

    new, accepted = _number(conn, batch, locked, contact_ids)
    ids = messages.add(conn, new)
    stored.media = media.add(
        conn,
        (
            (m.company_id, m.channel_id, ids[(m.company_id, m.channel_id, m.dedupe_key)], m.attachments)
            for m in new
            if m.attachments
        ),
    )
    heads = _heads(new, ids)
    conversations.advance(conn, heads)
    wanted = _wanted(accepted, locked)
    extended = turns.want(
        conn,
        wanted,
        quiet_s=settings.quiet_window_s,
        quiet_max_s=settings.quiet_window_max_s,
        cancels_max=settings.turn_cancels_max,
        cancel_window_s=settings.turn_cancel_window_s,
    )
    stored.turns = len(wanted)
    stored.moved = [Moved(claim.company_id, claim.turn_id, claim.epoch) for claim in extended]
    stored.chats = {Chat(*astuple(_chat_key(p))) for p, _ in accepted}
    for p, message in accepted:
        message_id = ids[(message.company_id, message.channel_id, message.dedupe_key)]
        batch.ledger.append(_row(p, "effected", message_id=message_id))
    totals: dict[int, tuple[int, int]] = {}
    for message in new:
        count, unread = totals.get(message.company_id, (0, 0))
        totals[message.company_id] = (count + 1, unread + 1)
    return totals


def _contact_key(p: Placed) -> ContactKey:
    assert p.route is not None
    assert p.event.sender is not None
    return ContactKey(p.route.company_id, p.route.channel_id, p.event.sender)


def _chat_key(p: Placed) -> ChatKey:
    assert p.route is not None
    assert p.event.chat is not None
    return ChatKey(p.route.company_id, p.route.channel_id, p.event.chat)


def _number(
    conn: Conn, batch: _Batch, locked: dict[ChatKey, Locked], contact_ids: dict[ContactKey, int]
) -> tuple[list[messages.NewMessage], list[tuple[Placed, messages.NewMessage]]]:
    """Give each message its place in its conversation; a second copy is dropped as `duplicate`."""
    keys = [(p.route.company_id, p.route.channel_id, p.event.dedupe_key) for p in batch.messages if p.route]
    seen = messages.existing_keys(conn, sorted(set(keys)))
    next_seq = {(c.company_id, c.id): c.message_count for c in locked.values()}
    accepted = []
    for p, key in zip(batch.messages, keys, strict=True):
        if key in seen:
            batch.ledger.append(_row(p, "dropped", "duplicate"))
            continue
        seen.add(key)
        conversation = locked[_chat_key(p)]
        place = (conversation.company_id, conversation.id)
        next_seq[place] += 1
        event = p.event
        message = messages.NewMessage(
            company_id=conversation.company_id,
            conversation_id=conversation.id,
            channel_id=conversation.channel_id,
            seq=next_seq[place],
            contact_id=contact_ids[_contact_key(p)],
            dedupe_key=event.dedupe_key,
            external_id=event.external_id,
            reply_to=event.reply_to,
            text=event.text,
            attachments=event.attachments,
            sent_at=event.sent_at,
            received_at=p.entry.received_at,
        )
        accepted.append((p, message))
    return [message for _, message in accepted], accepted


def _heads(new: Sequence[messages.NewMessage], ids: Mapping[messages.Key, int]) -> list[Head]:
    heads: dict[tuple[int, int], Head] = {}
    for m in new:
        place = (m.company_id, m.conversation_id)
        before = heads.get(place)
        heads[place] = Head(
            company_id=m.company_id,
            id=m.conversation_id,
            message_count=m.seq,
            customer_added=(before.customer_added if before else 0) + 1,
            last_message_id=ids[(m.company_id, m.channel_id, m.dedupe_key)],
            last_role="customer",
            last_text=m.text or f"[{m.attachments[0].type}]" if m.text or m.attachments else "",
            # a clock ahead of ours must not keep a window open for ever
            customer_at=min(m.sent_at or m.received_at, m.received_at),
            customer_message=m.external_id,
        )
    return list(heads.values())


def _wanted(
    accepted: Sequence[tuple[Placed, messages.NewMessage]], locked: dict[ChatKey, Locked]
) -> list[turns.Wanted]:
    wanted: dict[tuple[int, int], turns.Wanted] = {}
    for p, message in accepted:
        if not p.event.reply or not locked[_chat_key(p)].bot_enabled:
            continue
        place = (message.company_id, message.conversation_id)
        before = wanted.get(place)
        one = turns.Wanted(
            company_id=message.company_id,
            conversation_id=message.conversation_id,
            channel_id=message.channel_id,
            first_seq=message.seq,
            last_seq=message.seq,
            received_at=p.entry.received_at,
            request_id=p.entry.request_id,
        )
        wanted[place] = replace(one, first_seq=before.first_seq) if before else one
    return list(wanted.values())


def _migrate_chats(conn: Conn, batch: _Batch) -> None:
    for p in batch.moved:
        assert p.event.migrated_to is not None
        conversations.migrate_chat(conn, _chat_key(p), p.event.migrated_to)


def _write_ledger(conn: Conn, stream: str, fresh: Sequence[JournalEntry], batch: _Batch, stored: Stored) -> None:
    first_time = [entry for entry in fresh if entry.redrive is None]
    again = [entry for entry in fresh if entry.redrive is not None]
    added = []
    for row in batch.ledger:
        # the parked row stands for the whole request: its first event takes the place, others get their own
        if row.entry.redrive is not None and row.ordinal == 0:
            ledger.unpark(conn, row.entry.redrive, row)
        else:
            added.append(row)
    ledger.add_events(conn, [*added, *map(_redrive_mark, again)])
    ledger.add_raw(conn, first_time)
    ledger.add_progress(conn, stream, requests=len(first_time), redrives=len(again), repeats=stored.repeats)
    stored.effected = sum(row.outcome == "effected" for row in batch.ledger)
    stored.dropped = len(batch.ledger) - stored.effected
    stored.endings.update((row.kind, row.outcome, row.reason or "") for row in batch.ledger)


def _redrive_mark(entry: JournalEntry) -> LedgerRow:
    """So that a redriven entry, too, meets its own row after a crash. Ordinal -1 is no event and not counted."""
    return LedgerRow(entry, -1, "redrive", "dropped", "redrive")


def park(conn: Conn, stream: str, entry: JournalEntry, reason: str, *, recovering: bool) -> Stored:
    """Set one request aside with the class of its error, for a person to redrive. Its raw body is kept."""
    if recovering and ledger.known(conn, stream, [entry]):
        ledger.add_progress(conn, stream, requests=0, redrives=0, repeats=1)
        return Stored(requests=1, repeats=1)
    set_companies(conn, ())
    if entry.redrive is None:
        ledger.add_events(conn, [LedgerRow(entry, 0, "other", "parked", reason)])
        ledger.add_raw(conn, [entry])
        ledger.add_progress(conn, stream, requests=1, redrives=0, repeats=0)
    else:  # it stays parked where it was
        ledger.add_events(conn, [_redrive_mark(entry)])
        ledger.add_progress(conn, stream, requests=0, redrives=1, repeats=0)
    return Stored(requests=1, parked=1, endings=Counter([("other", "parked", reason)]))
