"""A batch of events on its way through the tables, and what it came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from shared.live.topics import Chat, Moved
from shared.model import InboundEvent, JournalEntry, Reason, Route
from shared.store.inbound.ledger import LedgerRow
from shared.store.inbox.contacts import ContactKey
from shared.store.inbox.conversations import ChatKey, Locked
from tasks.operations import drop_reasons


@dataclass(frozen=True, slots=True)
class Placed:
    """An event with its place in the journal and, where one is connected, the channel it belongs to. also: the others
    of a business account, where it is news of that. homeless: why it has no channel."""

    entry: JournalEntry
    ordinal: int
    event: InboundEvent
    route: Route | None
    also: tuple[Route, ...] = ()
    homeless: Reason = "no_channel"

    @property
    def routes(self) -> tuple[Route, ...]:
        return () if self.route is None else (self.route, *self.also)

    @property
    def home(self) -> Route:
        assert self.route is not None
        return self.route

    @property
    def chat(self) -> ChatKey:
        """Return the chat of an event that names one."""
        assert self.event.chat is not None
        return ChatKey(self.home.company_id, self.home.channel_id, self.event.chat)

    @property
    def contact(self) -> ContactKey:
        assert self.event.sender is not None
        return ContactKey(self.home.company_id, self.home.channel_id, self.event.sender)

    def row(self, outcome: str, reason: str | None = None, message_id: int | None = None) -> LedgerRow:
        return LedgerRow(
            entry=self.entry,
            ordinal=self.ordinal,
            kind=self.event.kind,
            outcome=outcome,
            reason=reason,
            dedupe_key=self.event.dedupe_key,
            company_id=self.route.company_id if self.route else None,
            channel_id=self.route.channel_id if self.route else None,
            message_id=message_id,
        )


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that a person should see, to be logged and counted once it is committed. meaning: a static word."""

    event: str
    platform: str
    meaning: str
    company_id: int
    channel_id: int
    outbound_id: int | None = None


@dataclass(slots=True)
class Stored:
    """What a batch came to. turns: replies now wanted, the number of wake-ups to send. media: attachments that are now
    to be fetched; forgotten: (company, hash) of those whose bytes nobody has any more. parts: sends that the batch
    settled, behind which others may have waited. endings: how many events ended with this (kind, outcome, reason).
    chats: those with something new to see. moved: turns whose epoch moved, and companies in which a person took over.
    These two and the alerts are to be told after the commit. due_s: when the quiet window of all these turns will be
    over, by time.monotonic(); early: the answer of one of them may be begun before. bot_moves: conversations that came
    to the bot (True) or left it, and why. went: chat → the one that it became or became part of. merged: (company,
    conversation) of those that took another one in, with messages known by the same ids."""

    requests: int = 0
    repeats: int = 0
    effected: int = 0
    dropped: int = 0
    dead_letters: int = 0
    turns: int = 0
    due_s: float = 0.0
    early: bool = False
    media: int = 0
    parts: int = 0
    forgotten: list[tuple[int, str]] = field(default_factory=list)
    endings: Counter[tuple[str, str, str]] = field(default_factory=Counter, compare=False)
    chats: set[Chat] = field(default_factory=set)
    moved: list[Moved] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    bot_moves: list[tuple[bool, str]] = field(default_factory=list)
    went: dict[Chat, Chat] = field(default_factory=dict)
    merged: set[tuple[int, int]] = field(default_factory=set)

    def add(self, other: Stored) -> None:
        for name in ("requests", "repeats", "effected", "dropped", "dead_letters", "turns", "media", "parts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.endings.update(other.endings)
        self.chats |= other.chats
        self.went |= other.went
        self.moved += other.moved
        self.alerts += other.alerts
        self.bot_moves += other.bot_moves
        self.forgotten += other.forgotten


@dataclass(slots=True)
class Batch:
    """Events by what they do, each list in the order of the journal. ledger: how each of them ended, in no order.
    locked: the conversations that are touched; filled: those of them with new messages; contacts: those who wrote.
    totals: company → (customer messages, unread) to add, last. lost: (app, account, reason) of what somebody should
    know was dropped, to be noted last, too.

    talk: customers' messages, echoes of what was written in our name, handovers. changes: edits and deletions.
    statuses: what became of our parts, and our own echoes. reads: an agent has read elsewhere. facts: referrals and
    opt-ins. migrated: chats with a new id.
    """

    talk: list[Placed] = field(default_factory=list)
    changes: list[Placed] = field(default_factory=list)
    statuses: list[Placed] = field(default_factory=list)
    reactions: list[Placed] = field(default_factory=list)
    reads: list[Placed] = field(default_factory=list)
    facts: list[Placed] = field(default_factory=list)
    accounts: list[Placed] = field(default_factory=list)
    migrated: list[Placed] = field(default_factory=list)
    ledger: list[LedgerRow] = field(default_factory=list)
    locked: dict[ChatKey, Locked] = field(default_factory=dict)
    filled: set[tuple[int, int]] = field(default_factory=set)
    contacts: dict[ContactKey, int] = field(default_factory=dict)
    totals: dict[int, tuple[int, int]] = field(default_factory=dict)
    lost: Counter[tuple[int, str, str]] = field(default_factory=Counter)

    def place(self, p: Placed) -> tuple[int, int]:
        """(company, conversation) of an event whose conversation is locked."""
        found = self.locked[p.chat]
        return found.company_id, found.id

    def effected(self, p: Placed, message_id: int | None = None) -> None:
        self.ledger.append(p.row("effected", message_id=message_id))

    def dropped(self, p: Placed, reason: Reason) -> None:
        self.ledger.append(p.row("dropped", reason))
        if drop_reasons.told(reason) != "counted":
            self.lost[p.entry.app_id, p.event.account or "", reason] += 1

    def count(self, company_id: int, customer_messages: int, unread: int) -> None:
        before = self.totals.get(company_id, (0, 0))
        self.totals[company_id] = (before[0] + customer_messages, before[1] + unread)


def event_action(event: InboundEvent) -> str:
    """Return what was done: an echo may be of an edit or a deletion, too, which its status says then."""
    return event.status if event.kind == "echo" and event.status is not None else event.kind


def targets_of(event: InboundEvent) -> tuple[str, ...]:
    """Which messages an event speaks of; an edit or deletion may name its own."""
    return event.targets or ((event.external_id,) if event.external_id is not None else ())


def happened_at(p: Placed) -> datetime:
    """When it happened: the platform's time, or ours where it has none. A clock ahead of ours does not count."""
    return min(p.event.sent_at or p.entry.received_at, p.entry.received_at)
