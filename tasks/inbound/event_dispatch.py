"""Dispatches inbound events: which station handles which, in which order; and the effects of the small ones.

Locks are taken in one order by everybody: contacts, conversations, parts, channels, a company's totals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from datetime import datetime

from shared import channels
from shared.live.topics import Chat
from shared.model import Route
from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.inbox import conversation_bulk, moving
from shared.store.inbox.conversations import ChatKey
from shared.store.tenants import channel_health
from shared.store.tenants import channels as channel_rows
from tasks.inbound import changes, identities, inbound_messages, statuses
from tasks.inbound.batch import Alert, Batch, Placed, Stored, event_action, happened_at, targets_of
from tasks.operations import drop_reasons

REVOKED = frozenset(
    {"revoked", "app_uninstalled", "deauthorized", "banned", "account_banned", "account_disabled", "account_deleted",
     "access_removed", "needs_reauth"}
)  # fmt: skip
"""Account events after which the platform takes nothing from us until a person has done something about it."""
WARNED = frozenset(
    {"account_disable_scheduled", "account_restricted", "account_review_rejected", "account_alert", "policy",
     "security", "quality_low", "limit_lowered", "name_rejected", "template_rejected", "template_paused",
     "template_disabled", "template_quality_low", "block", "warning"}
)  # fmt: skip
"""After which it still takes what we send, and may not for long."""
SETTLED = frozenset({"account_reinstated", "quality_restored", "limit_raised", "unblock"})
"""After which it is well again."""


def apply(conn: Conn, placed: Sequence[Placed], settings: Settings, stored: Stored) -> Batch:
    """Do what the events say; returns how each of them ended. The companies are set."""
    united = identities.unite(conn, _followed(conn, placed), stored)
    placed = united.placed
    batch = sort_out(placed)
    abouts = statuses.understand(conn, batch)
    moving_chats = {key for p in batch.migrated for key in (p.chat, _moved_to(p))}
    inbound_messages.lock(conn, batch, {*statuses.chats_to_lock(batch), *(p.chat for p in batch.reads), *moving_chats})
    inbound_messages.store(conn, batch, settings, stored)
    stored.turns += united.turns
    changes.take_back_copies(conn, batch, stored)
    changes.apply(conn, batch, settings, stored)
    statuses.apply(conn, batch, abouts, stored)
    changes.react(conn, batch, stored)
    _read(conn, batch, stored)
    _note(conn, batch)
    _migrate(conn, batch, stored)
    changes.apply_early(conn, batch, settings, stored)
    _drop_empty(conn, batch)
    if batch.accounts:  # with all that is told below, in one order: others tell at the same time
        channel_health.lock(conn, {(route.company_id, route.channel_id) for p in placed for route in p.routes})
    _accounts(conn, batch, stored)
    channel_health.received(conn, sorted({(p.home.company_id, p.home.channel_id) for p in placed if p.route}))
    return batch


def sort_out(placed: Sequence[Placed]) -> Batch:
    batch = Batch()
    for p in placed:
        if p.route is None:
            own = p.event.reason if p.event.kind == "other" else None
            batch.dropped(p, own if own is not None and drop_reasons.told(own) == "counted" else p.homeless)
            continue
        station = _station(p, batch)
        if station is not None:
            station.append(p)
        else:
            batch.dropped(p, p.event.reason or p.event.kind)
    return batch


def _station(p: Placed, batch: Batch) -> list[Placed] | None:
    """Return where the event is handled; None if it has no effect. A reason other than the kind's own says that the
    event is not for us, such as an edited post in a public channel or another bot's message in a group."""
    event, plain = p.event, p.event.reason in (None, p.event.kind)
    if event.migrated_to is not None and event.chat is not None and event.kind != "message":
        return batch.migrated
    if event.kind == "account":
        return batch.accounts
    if event.kind in ("delivery", "read") and (targets_of(event) or event.ref or event.until):
        return batch.reads if event.kind == "read" and _by_us(p) and event.chat is not None else batch.statuses
    if event.chat is None:
        return None
    if (event.kind == "message" and event.sender is not None) or (event.kind == "handover" and plain):
        return batch.talk
    if event.kind == "echo" and event.status is None:
        return batch.talk if plain or event.reason == "standby" else None
    if event_action(event) in ("edited", "deleted"):
        return batch.changes if plain and targets_of(event) else None
    if event.kind == "reaction":
        said = event.text is not None or event.status == "removed"
        return batch.reactions if said and plain and event.sender is not None and targets_of(event) else None
    if event.kind in ("referral", "optin") and (event.payload or event.text):
        return batch.facts
    return None


def _by_us(p: Placed) -> bool:
    return p.event.sender is not None and p.event.sender == p.home.me.external_id


def _read(conn: Conn, batch: Batch, stored: Stored) -> None:
    """Mark conversations as read that an agent has read in the platform's own inbox."""
    here = {batch.locked[p.chat] for p in batch.reads if p.chat in batch.locked}
    for company_id, count in conversation_bulk.mark_all_read(conn, [(one.company_id, one.id) for one in here]).items():
        batch.count(company_id, 0, -count)
    for p in batch.reads:
        if p.chat in batch.locked:
            batch.effected(p)
        else:
            batch.dropped(p, "unknown_chat")
    stored.chats |= {Chat(*astuple(p.chat)) for p in batch.reads if p.chat in batch.locked}


def _note(conn: Conn, batch: Batch) -> None:
    """Store the referrals through which customers came."""
    newest: dict[tuple[int, int], tuple[str, datetime]] = {}
    told = [(p, p.event.payload or p.event.text or "") for p in batch.facts]
    told += [(p, p.event.referral) for p in batch.talk if p.event.kind == "message" and p.event.referral is not None]
    for p, referral in told:
        place, at = batch.place(p), happened_at(p)
        if place not in newest or newest[place][1] <= at:
            newest[place] = (referral, at)
    for p in batch.facts:
        batch.effected(p)
    conversation_bulk.set_referrals(conn, newest)


def _migrate(conn: Conn, batch: Batch, stored: Stored) -> None:
    """Apply moved chats last, so that everything else of the batch moves along."""
    for p in batch.migrated:
        if identities.move(conn, p, stored, for_good=_for_good(p)):
            batch.effected(p)
        else:
            batch.dropped(p, "duplicate")


def _drop_empty(conn: Conn, batch: Batch) -> None:
    """Delete conversations that were created for this batch and got no message."""
    empty = [(one.company_id, one.id) for one in batch.locked.values() if one.message_count == 0]
    conversation_bulk.drop_empty(conn, sorted(set(empty) - batch.filled))


def _moved_to(p: Placed) -> ChatKey:
    assert p.event.migrated_to is not None
    return ChatKey(p.home.company_id, p.home.channel_id, p.event.migrated_to)


def _for_good(p: Placed) -> bool:
    return p.event.chat is not None and channels.platform(p.home.platform).moves_for_good(p.event.chat)


def _followed(conn: Conn, placed: Sequence[Placed]) -> Sequence[Placed]:
    """Return the events under the new ids of chats that moved earlier; news of a move with where it ended since."""
    asked = {p.chat if p.event.migrated_to is None else _moved_to(p)
             for p in placed if p.route is not None and _for_good(p)}  # fmt: skip
    moved = moving.follow(conn, sorted(asked, key=astuple))
    if not moved:
        return placed
    return [_where_it_is(p, moved) for p in placed]


def _where_it_is(p: Placed, moved: Mapping[ChatKey, ChatKey]) -> Placed:
    if p.route is None or p.event.chat is None:
        return p
    if p.event.migrated_to is None:
        return replace(p, event=replace(p.event, chat=moved[p.chat].chat)) if p.chat in moved else p
    there = moved.get(_moved_to(p))
    return p if there is None or there == p.chat else replace(p, event=replace(p.event, migrated_to=there.chat))


def _accounts(conn: Conn, batch: Batch, stored: Stored) -> None:
    """Handle news of accounts: that a platform has shut us out, and warnings, are reported at once; the rest is kept in
    the ledger."""
    for p in batch.accounts:
        word = (p.event.meaning or p.event.status or p.event.reason or "account").lower()
        if word not in REVOKED | WARNED | SETTLED:
            batch.dropped(p, p.event.reason or "account")
            continue
        for route in p.routes:
            if (alert := _hear(conn, route, word)) is not None:
                stored.alerts.append(alert)
        batch.effected(p)


def _hear(conn: Conn, route: Route, word: str) -> Alert | None:
    """Apply news of one channel. That it is shut is reported once."""
    place = (route.company_id, route.channel_id)
    channel_health.noticed(conn, *place, None if word in SETTLED else word)
    if word in WARNED:
        return Alert("channel_warned", route.platform, word, *place)
    state = "needs_reauth" if word in REVOKED else "active"
    # of those that are well again only whom the account's ban had shut
    moved = word in REVOKED or word == "account_reinstated"
    if moved and channel_rows.set_state(conn, *place, state) and word in REVOKED:
        return Alert("channel_needs_reauth", route.platform, word, *place)
    return None
