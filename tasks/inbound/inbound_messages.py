"""What was said and who answers: customers' messages, what others wrote in our name, conversations handed over.

Everything is set-based: a batch costs the same statements whether it holds one event or a thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime

from shared import channels, faults
from shared.live.topics import Chat, Moved
from shared.model import Attachment, Reason
from shared.settings import Settings
from shared.store.answers import quiet_window, turns
from shared.store.db.pool import Conn
from shared.store.inbox import (
    changes,
    contacts,
    conversation_bulk,
    conversations,
    latest,
    media,
    messages,
    platform_order,
)
from shared.store.inbox.changes import Known, Target
from shared.store.inbox.conversations import ChatKey, Head, Locked
from shared.store.inbox.messages import NewMessage
from shared.triage.classify import classify, commands_stop
from shared.triage.complete import is_question, reads_complete
from tasks.inbound import automatic
from tasks.inbound.batch import Batch, Placed, Stored, happened_at

_NO_HANDOVER: Mapping[str, Reason] = {"request": "request", "app_roles": "app_roles"}
"""What is told of a conversation's control without moving it."""

Place = tuple[int, int]
"""(company, conversation)"""


def lock(conn: Conn, batch: Batch, existing: Collection[ChatKey]) -> None:
    """Lock every conversation that the batch touches, made where an event stands for one, and make the contacts.
    `existing` are locked only where there are any."""
    said = [p for p in batch.talk if p.event.kind == "message"]
    batch.contacts = contacts.ensure_contacts(conn, {p.contact: p.event.sender_name for p in said})
    chats: dict[ChatKey, int | None] = {}
    for p in said:
        chats.setdefault(p.chat, batch.contacts[p.contact])
    # also for an edit that came before its message: the lock on its conversation is what the two meet at
    for p in (*batch.talk, *batch.changes, *batch.facts):
        chats.setdefault(p.chat, None)
    elsewhere = {replace(p.chat, chat=chat) for p in (*batch.talk, *batch.changes) for chat in p.event.elsewhere}
    batch.locked = conversations.ensure_locked(conn, chats, {*existing, *elsewhere})
    if chats:
        faults.reach("intake.locked")


@dataclass(slots=True)
class _Conversation:
    """One conversation while the batch's events pass in their order. bot: None while it is as it was; off_reason: why
    it is off. taken_over: a person or another application spoke, so what was open before is not the bot's to answer.
    returned: nobody had written for a while, so that it is the bot's again. overtaken: only a machine had taken it, so
    that it is, too. paused: the customer silenced the bot, or
    called it back, while a person had the conversation."""

    locked: Locked
    head: Head | None = None
    last: NewMessage | None = None
    customers: int = 0
    read_to: int | None = None
    read_ahead: list[int] = field(default_factory=list)
    bot: bool | None = None
    off_reason: str | None = None
    taken_over: bool = False
    returned: bool = False
    overtaken: automatic.Overtaken | None = None
    paused: bool | None = None
    wanted: quiet_window.Wanted | None = None
    contact_id: int | None = None

    @property
    def wants_turns(self) -> bool:
        """Return whether the bot is to handle what customers write: also where one has silenced it, whom /start is
        for."""
        if self.bot is not None:
            return self.bot
        return self.returned or self.locked.bot_enabled or self.locked.status in ("paused", "closed")

    @property
    def next_seq(self) -> int:
        return (self.last.seq if self.last else self.locked.message_count) + 1

    def give_back(self, overtaken: automatic.Overtaken, p: Placed) -> None:
        self.bot, self.overtaken = True, overtaken
        if overtaken.asked is not None:
            locked, (first_seq, last_seq) = self.locked, overtaken.asked
            self.wanted = quiet_window.Wanted(
                locked.company_id, locked.id, locked.channel_id, first_seq, last_seq, p.entry.received_at,
                p.entry.request_id,
            )  # fmt: skip

    def take_over(self, why: str) -> None:
        self.bot, self.off_reason, self.taken_over, self.wanted, self.returned = False, why, True, None, False


@dataclass(slots=True)
class _Talk:
    conversations: dict[Place, _Conversation] = field(default_factory=dict)
    accepted: list[tuple[Placed, NewMessage]] = field(default_factory=list)
    asked: list[tuple[Placed, Known]] = field(default_factory=list)
    overtaken: Mapping[Place, automatic.Overtaken] = field(default_factory=dict)

    def conversation(self, place: Place, locked: Locked, p: Placed) -> _Conversation:
        """Return the conversation of this event, as far as its events have passed."""
        if place not in self.conversations:
            one = self.conversations[place] = _Conversation(locked)
            if place in self.overtaken:
                one.give_back(self.overtaken[place], p)
        return self.conversations[place]


def store(conn: Conn, batch: Batch, settings: Settings, stored: Stored) -> None:
    """Messages, heads, takeovers and turns. The conversations are locked."""
    if not batch.talk:
        return
    talk = _walk(conn, batch)
    new = [message for _, message in talk.accepted]
    ids = messages.add(conn, new)
    messages.ask(conn, {(p.home.company_id, was.id): (p.event.dedupe_key, p.event.text) for p, was in talk.asked})
    batch.filled |= {(message.company_id, message.conversation_id) for message in new}
    touched = talk.conversations
    unread = conversations.advance(conn, _heads(touched, ids))
    for place, one in touched.items():
        batch.count(place[0], one.customers, unread.get(place, one.locked.unread) - one.locked.unread)
    taken = [place for place, one in touched.items() if one.taken_over]
    turns.cancel_all(conn, taken)
    conversation_bulk.set_paused(conn, {place: one.paused for place, one in touched.items() if one.paused is not None})
    conversation_bulk.set_bots(conn, {place: one.off_reason for place, one in touched.items() if one.bot is not None})
    conversation_bulk.return_to_bot(conn, [place for place, one in touched.items() if one.returned])
    stored.bot_moves += [move for one in touched.values() if (move := _bot_move(one)) is not None]
    wanted = [one.wanted for one in touched.values() if one.wanted is not None]
    extended = quiet_window.open_or_extend(
        conn,
        wanted,
        quiet_s=settings.answers.quiet_window_s,
        quiet_max_s=settings.answers.quiet_window_max_s,
        cancels_max=settings.answers.turn_cancels_max,
        cancel_window_s=settings.answers.turn_cancel_window_s,
        complete_quiet_s=settings.answers.complete_quiet_s if settings.answers.early_start else None,
    )
    stored.turns = len(wanted)
    stored.early = settings.answers.early_start and any(one.early for one in wanted)
    stored.moved += [Moved(claim.company_id, claim.turn_id, claim.epoch) for claim in extended]
    stored.moved += [Moved(company) for company in sorted({company for company, _ in taken})]
    stored.chats |= {Chat(*astuple(p.chat)) for p, _ in talk.accepted}
    stored.media += media.add(
        conn,
        ((m.company_id, m.channel_id, ids[_key(m)], m.attachments) for m in new if m.attachments),
    )
    for p, message in talk.accepted:
        batch.effected(p, ids[_key(message)])
    for p, was in talk.asked:
        batch.effected(p, was.id)


def _bot_move(one: _Conversation) -> tuple[bool, str] | None:
    """Return for the metrics whether the bot came or left, and why."""
    if (one.returned or one.bot) and (one.locked.paused if one.paused is None else one.paused):
        return None
    if one.returned:
        return True, "quiet"
    if one.bot is None or one.bot == one.locked.bot_enabled:
        return None
    return one.bot, one.off_reason or ("passed" if one.overtaken is None else "automatic")


def _key(message: NewMessage) -> messages.Key:
    return message.company_id, message.channel_id, message.dedupe_key


def _walk(conn: Conn, batch: Batch) -> _Talk:
    """Go through the events in their order: give each message its place, apply takeovers to what follows, and drop
    second copies as `duplicate`."""
    said = [p for p in batch.talk if p.event.kind != "handover"]
    seen = messages.existing_keys(conn, sorted({key for p in said for key in _keys_of(p)}))
    here = _unasked_here(conn, batch, said, seen)
    # an echo may come in two guises (as ours and as a bystander's), which have keys of their own
    echoed = set(changes.stored(conn, sorted({t for p in said if p.event.kind == "echo" for t in _target(batch, p)})))
    early = changes.take_early(conn, sorted({target for p in said for target in _target(batch, p)}))
    judged = automatic.judge(conn, batch, seen)
    echoes = [(company, echo) for (company, _), one in judged.overtaken.items() for echo in one.echoes]
    latest.set_automatic(conn, echoes, automatic.AT_ONCE)
    talk = _Talk(overtaken=judged.overtaken)
    for p in _in_platform_order(batch.talk):
        place = batch.place(p)
        one = talk.conversation(place, batch.locked[p.chat], p)
        if p.event.kind == "handover":
            _hand_over(batch, p, one)
            continue
        key, *twin = _keys_of(p)
        targets = _target(batch, p)
        if key in seen or (p.event.kind == "echo" and not echoed.isdisjoint(targets)):
            batch.dropped(p, "duplicate")
            continue
        if not p.event.reply and (not seen.isdisjoint(twin) or (place, key) in here.asking):
            batch.dropped(p, "duplicate")  # of one that asks us
            continue
        seen.add(key)
        if p.event.reply and not seen.isdisjoint(twin) and targets and targets[0] in here.stored:
            _ask(p, one, here.stored[targets[0]], talk)
            continue
        if p.event.kind == "echo":
            echoed.update(targets)
        contact_id = batch.contacts[p.contact] if p.event.kind == "message" else None
        message = _message(p, one, contact_id, next((early[t] for t in targets if t in early), None))
        message = replace(message, automatic=judged.machines.get(id(p)))
        talk.accepted.append((p, message))
        _say(p, one, message)
    return talk


def _keys_of(p: Placed) -> list[messages.Key]:
    """Return the key under which the message is stored if it came earlier, and the one of its twin."""
    keys = [p.event.dedupe_key] if p.event.twin is None else [p.event.dedupe_key, p.event.twin]
    return [(p.home.company_id, p.home.channel_id, key) for key in keys]


@dataclass(frozen=True, slots=True)
class _Twins:
    """Messages that come in two events, one of which asks us. asking: the (place, other's key) of those in the batch
    that do. stored: what came before in the same conversation and did not."""

    asking: frozenset[tuple[Place, messages.Key]]
    stored: Mapping[Target, Known]


def _unasked_here(conn: Conn, batch: Batch, said: Collection[Placed], seen: Collection[messages.Key]) -> _Twins:
    asking = [p for p in said if p.event.reply and p.event.twin is not None]
    late = [p for p in asking if _keys_of(p)[1] in seen]
    stored = changes.stored(conn, sorted({target for p in late for target in _target(batch, p)}))
    return _Twins(frozenset((batch.place(p), _keys_of(p)[1]) for p in asking), stored)


def _ask(p: Placed, one: _Conversation, was: Known, talk: _Talk) -> None:
    """Mark a stored message that did not ask the bot as one that does."""
    talk.asked.append((p, was))
    if one.wants_turns and was.content.deleted_at is None:
        before = one.wanted
        one.wanted = quiet_window.Wanted(
            company_id=one.locked.company_id,
            conversation_id=one.locked.id,
            channel_id=one.locked.channel_id,
            first_seq=min(was.seq, before.first_seq) if before else was.seq,
            last_seq=max(was.seq, before.last_seq) if before else was.seq,
            received_at=p.entry.received_at,
            request_id=p.entry.request_id,
        )


def _in_platform_order(said: Sequence[Placed]) -> list[Placed]:
    """Return the events in their order, but messages of one customer in the order of the platform's times: requests,
    and the lists in them, arrive in any order."""
    ordered = list(said)
    places: dict[ChatKey, list[int]] = defaultdict(list)
    for place, p in enumerate(said):
        here = places[p.chat]
        if p.event.kind == "message" and p.event.sent_at is not None:
            here.append(place)
            continue
        _sort(ordered, said, here)  # somebody else spoke: what was before stays before
        here.clear()
    for here in places.values():
        _sort(ordered, said, here)
    return ordered


def _sort(ordered: list[Placed], said: Sequence[Placed], places: list[int]) -> None:
    for place, found in zip(places, sorted(places, key=lambda one: _when(said[one])), strict=True):
        ordered[place] = said[found]


def _when(p: Placed) -> tuple[datetime, int]:
    assert p.event.sent_at is not None
    return p.event.sent_at, platform_order.sequence_of(p.event.external_id) or 0


def _target(batch: Batch, p: Placed) -> tuple[Target, ...]:
    found = p.event.external_id or next(iter(p.event.targets), None)
    return () if found is None else ((*batch.place(p), found),)


def _message(p: Placed, one: _Conversation, contact_id: int | None, early: changes.Content | None) -> NewMessage:
    event, text, attachments = p.event, p.event.text, p.event.attachments
    if early is not None:
        early = early.over(text, tuple(a.as_json() for a in attachments))
        text, attachments = early.text, tuple(Attachment.from_json(a) for a in early.attachments)
    return NewMessage(
        company_id=one.locked.company_id,
        conversation_id=one.locked.id,
        channel_id=one.locked.channel_id,
        seq=one.next_seq,
        contact_id=contact_id,
        dedupe_key=event.dedupe_key,
        external_id=event.external_id or next(iter(event.targets), None),
        reply_to=event.reply_to,
        text=text,
        attachments=attachments,
        sent_at=event.sent_at,
        received_at=p.entry.received_at,
        role="customer" if event.kind == "message" else "agent",
        edited_at=early.edited_at if early else None,
        edits=early.edits if early else (),
        deleted_at=early.deleted_at if early else None,
    )


def _say(p: Placed, one: _Conversation, message: NewMessage) -> None:
    one.last = message
    by_customer = message.role == "customer"
    if by_customer:
        one.customers += 1
        one.contact_id = one.contact_id or message.contact_id
        if message.deleted_at is not None:
            one.read_ahead.append(one.locked.customer_seq + one.customers)
        one.returned = one.returned or (one.bot is None and one.locked.due_back)
    elif message.automatic is None:  # a person who writes has read what was there, and has the conversation from now on
        one.take_over(conversations.AGENT)
        one.read_to = one.locked.customer_seq + one.customers
    before = one.head
    newest = by_customer and (before is None or before.customer_at is None or happened_at(p) >= before.customer_at)
    one.head = Head(
        company_id=message.company_id,
        id=message.conversation_id,
        message_count=message.seq,
        customer_added=one.customers,
        last_message_id=0,  # not known before it is inserted
        last_role=message.role,
        last_text=messages.preview(message.text, message.attachments),
        customer_at=_newest_at(before, happened_at(p)) if by_customer else before.customer_at if before else None,
        customer_message=message.external_id if newest else before.customer_message if before else None,
        contact_id=one.contact_id,
        read_to=one.read_to,
        language=(p.event.language if by_customer else None) or (before.language if before else None),
        read_ahead=tuple(one.read_ahead),
    )
    if by_customer and p.event.reply and message.deleted_at is None:
        if one.wants_turns:
            one.wanted = _wanted(p, message, one.wanted)
        elif (command := _command(p, message.text)) is not None:
            one.paused = command == "stop"  # nobody answers it: it holds from when the person is done


def _command(p: Placed, text: str | None) -> str | None:
    """Return `stop` or `start` if the message silences the bot or calls it back."""
    command = classify(text).what if text else None
    if command == "stop" and channels.platform(p.home.platform).is_shared(p.chat.chat):
        return "stop" if text and commands_stop(text) else None
    return command if command in ("stop", "start") else None


def _newest_at(before: Head | None, at: datetime) -> datetime:
    """Return the newest time of a batch's messages, which may be in another order than they were written."""
    return at if before is None or before.customer_at is None else max(before.customer_at, at)


def _wanted(p: Placed, message: NewMessage, before: quiet_window.Wanted | None) -> quiet_window.Wanted:
    # In a chat of several people somebody else may go on, and of two messages in one batch a third may follow.
    early = (
        before is None and not channels.platform(p.home.platform).is_shared(p.chat.chat) and is_question(message.text)
    )
    return quiet_window.Wanted(
        company_id=message.company_id,
        conversation_id=message.conversation_id,
        channel_id=message.channel_id,
        first_seq=before.first_seq if before else message.seq,
        last_seq=message.seq,
        received_at=p.entry.received_at,
        request_id=p.entry.request_id,
        early=early,
        complete=early and reads_complete(message.text or ""),
    )


def _heads(touched: dict[Place, _Conversation], ids: dict[messages.Key, int]) -> list[Head]:
    return [
        replace(one.head, last_message_id=ids[_key(one.last)])
        for one in touched.values()
        if one.head is not None and one.last is not None
    ]


def _hand_over(batch: Batch, p: Placed, one: _Conversation) -> None:
    """Apply that another application on the page takes the conversation, or gives it to us."""
    to_us = _goes_to_us(p)
    if to_us is None:
        batch.dropped(
            p, _NO_HANDOVER.get(p.event.status or "", "handover")
        )  # asked for, or roles assigned: the ledger is the note of it
        return
    if to_us:
        one.bot, one.off_reason, one.returned = True, None, False
    else:
        one.take_over(conversations.ANOTHER_APP)
    batch.effected(p)


def _goes_to_us(p: Placed) -> bool | None:
    ours, theirs = p.home.me.app, p.event.app
    known = ours is not None and theirs is not None
    if p.event.status == "pass":  # told to who receives it, unless it says who that is
        return theirs == ours if known else True
    return False if p.event.status == "take" else None  # told to who loses it
