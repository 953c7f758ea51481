"""Which echoes are a machine's: of another application on the account that answers by itself. Nobody takes the
conversation with them, so the bot goes on."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from shared import channels
from shared.store.db.pool import Conn
from shared.store.inbox.conversations import ChatKey
from shared.store.tenants import automatic_replies
from tasks.inbound.batch import Batch, Placed, happened_at


def echoes(conn: Conn, batch: Batch) -> set[int]:
    """The ids, in Python, of those of the batch's echoes that no person wrote. The conversations are locked."""
    told = [p for p in batch.talk if p.event.kind == "echo" and _may_be(p)]
    if not told:
        return set()
    ways = automatic_replies.of_channels(conn, {(p.home.company_id, p.home.channel_id) for p in told})
    asked: dict[ChatKey, list[datetime]] = defaultdict(list)
    for p in batch.talk:
        if p.event.kind == "message" and p.event.sent_at is not None:
            asked[p.chat].append(p.event.sent_at)
    found = set()
    for p in told:
        way = ways.get((p.home.company_id, p.home.channel_id))
        if way is not None and (p.event.app in way.ignored_apps or _at_once(p, asked[p.chat], batch, way.within_s)):
            found.add(id(p))
    return found


def _may_be(p: Placed) -> bool:
    return channels.platform(p.home.platform).has_automatic_replies


def _at_once(p: Placed, asked: list[datetime], batch: Batch, within_s: float) -> bool:
    """Whether it came sooner after a message of the customer's than a person reads and writes. asked: the platform's
    times of those in the batch; the newest before it has its time by our clock, if that was behind."""
    at, before = p.event.sent_at, batch.locked[p.chat].last_customer_at
    if at is None or not within_s:
        return False
    gaps = [at - one for one in asked] + ([happened_at(p) - before] if before is not None else [])
    return any(0 <= gap.total_seconds() <= within_s for gap in gaps)
