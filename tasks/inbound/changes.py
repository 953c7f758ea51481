"""Applies edits, deletions and reactions, which may come before their message, twice, and in any order.

An edit keeps the newest wording only, a deletion none at all: what a customer took back is not ours to keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import astuple, replace

from shared.live.topics import Chat, Moved
from shared.model import Attachment
from shared.settings import Settings
from shared.store.answers import quiet_window
from shared.store.db.pool import Conn
from shared.store.inbox import changes, conversation_bulk, media, messages, reactions
from shared.store.inbox.changes import Content, Known, Target
from tasks.inbound.batch import Batch, Placed, Stored, event_action, happened_at, targets_of

Now = dict[Target, tuple[Known, Content]]
"""Messages whose content changed: as they were, and as they are."""


def apply(conn: Conn, batch: Batch, settings: Settings, stored: Stored) -> None:
    """Apply edits and deletions. The conversations are locked, and the batch's own messages are stored."""
    if not batch.changes:
        return
    targets = sorted({target for p in batch.changes for target in (*_targets(batch, p), *_elsewhere(batch, p))})
    known = changes.stored(conn, targets)
    meant = [(p, _meant(batch, p, known)) for p in batch.changes]
    targets = sorted({target for _, of_event in meant for target in of_event})
    before = {target: one.content for target, one in known.items()}
    before |= changes.early(conn, [target for target in targets if target not in known])
    after = dict(before)
    for p, of_event in meant:
        _fold(batch, p, of_event, after)
    changed = {target: content for target, content in after.items() if content != before.get(target)}
    changes.keep_early(conn, {target: content for target, content in changed.items() if target not in known})
    now = {target: (known[target], content) for target, content in changed.items() if target in known}
    _change(conn, batch, now, settings, stored)
    stored.chats |= {Chat(*astuple(p.chat)) for p, of_event in meant if not now.keys().isdisjoint(of_event)}


def apply_early(conn: Conn, batch: Batch, settings: Settings, stored: Stored) -> None:
    """Apply changes that were kept in one conversation to their messages, which stood in another: the two are one
    now."""
    targets = changes.arrived(conn, stored.merged)
    known = changes.stored(conn, targets)
    joined = {
        target: known[target].content.joined(early) for target, early in changes.take_early(conn, targets).items()
    }
    now = {target: (known[target], is_now) for target, is_now in joined.items() if is_now != known[target].content}
    _change(conn, batch, now, settings, stored)


def _change(conn: Conn, batch: Batch, now: Now, settings: Settings, stored: Stored) -> None:
    if not now:
        return
    changes.rewrite(conn, {(target[0], one.id): content for target, (one, content) in now.items()})
    conversation_bulk.retitle(
        conn, {(company, place, was.id): _title(content) for (company, place, _), (was, content) in now.items()}
    )
    _take_back(conn, batch, now)
    _reschedule_edited(conn, now, settings, stored)
    _forget_media(conn, now, stored)


def take_back_copies(conn: Conn, batch: Batch, stored: Stored) -> None:
    """Show and count a message once that stood in its channel before it asked us, and in the thread below it since."""
    asking = [p for p in batch.talk if p.event.reply and p.event.elsewhere]
    copies = {target: p for p in asking for target in _elsewhere(batch, p)}
    known = changes.stored(conn, sorted(copies))
    now = {target: (was, was.content.deleted(happened_at(copies[target]))) for target, was in known.items()
           if was.role == "customer" and was.content.deleted_at is None}  # fmt: skip
    if not now:
        return
    changes.rewrite(conn, {(target[0], one.id): content for target, (one, content) in now.items()})
    conversation_bulk.retitle(conn, {(company, place, was.id): "" for (company, place, _), (was, _) in now.items()})
    _take_back(conn, batch, now)
    stored.chats |= {
        Chat(*astuple(replace(copies[t].chat, chat=chat))) for t in now for chat in copies[t].event.elsewhere
    }


def _targets(batch: Batch, p: Placed) -> tuple[Target, ...]:
    return tuple((*batch.place(p), target) for target in targets_of(p.event))


def _elsewhere(batch: Batch, p: Placed) -> tuple[Target, ...]:
    """Return the same messages in the other conversations in which they may be stored."""
    others = (batch.locked.get(replace(p.chat, chat=chat)) for chat in p.event.elsewhere)
    places = [(one.company_id, one.id) for one in others if one is not None]
    return tuple((*place, target) for place in places for target in targets_of(p.event))


def _meant(batch: Batch, p: Placed, known: Mapping[Target, Known]) -> tuple[Target, ...]:
    """Return where the messages are stored; if they have not come yet, in the event's own conversation."""
    here, elsewhere = _targets(batch, p), _elsewhere(batch, p)
    return tuple(target for target in (*here, *elsewhere) if target in known) or here


def _fold(batch: Batch, p: Placed, targets: Collection[Target], contents: dict[Target, Content]) -> None:
    did_something = False
    for target in targets:
        was = contents.get(target, Content())
        if event_action(p.event) == "deleted":
            is_now = was.deleted(happened_at(p))
        else:
            attachments = tuple(a.as_json() for a in p.event.attachments)
            is_now = was.edited(p.event.text, attachments, happened_at(p), p.event.dedupe_key)
        did_something |= is_now != was
        contents[target] = is_now
    if did_something:
        batch.effected(p)
    else:
        batch.dropped(p, "duplicate")


def _title(content: Content) -> str:
    return messages.preview(content.text, [Attachment.from_json(a) for a in content.attachments[:1]])


def _take_back(conn: Conn, batch: Batch, now: Now) -> None:
    """Count a message that the customer took back as read: there is nothing left for an agent to read."""
    gone = [
        (company, conversation, was.seq)
        for (company, conversation, _), (was, content) in now.items()
        if was.role == "customer" and content.deleted_at is not None and was.content.deleted_at is None
    ]
    for company_id, unread in changes.take_back(conn, gone).items():
        batch.count(company_id, 0, -unread)


def _reschedule_edited(conn: Conn, now: Now, settings: Settings, stored: Stored) -> None:
    """Schedule the open turn of an edited message again, as if the message had just been written, because an answer to
    the old wording helps nobody. Without an open turn an edit asks for no answer."""
    moved = quiet_window.reschedule_edited(
        conn,
        [
            quiet_window.Changed(company, conversation, was.seq, content.deleted_at is not None)
            for (company, conversation, _), (was, content) in now.items()
            if was.role == "customer" and _says(content) != _says(was.content)
        ],
        quiet_s=settings.answers.quiet_window_s,
        quiet_max_s=settings.answers.quiet_window_max_s,
        cancels_max=settings.answers.turn_cancels_max,
        cancel_window_s=settings.answers.turn_cancel_window_s,
    )
    stored.moved += [Moved(claim.company_id, claim.turn_id, claim.epoch) for claim in moved]
    stored.turns += len(moved)


def _says(content: Content) -> tuple[object, ...]:
    return content.text, content.attachments, content.deleted_at is None


def _forget_media(conn: Conn, now: Now, stored: Stored) -> None:
    """Delete the attachments that a deletion or an edit removed, and fetch those that the edit added."""
    replaced = [
        (company, was, content)
        for (company, _, _), (was, content) in now.items()
        if was.content.attachments != content.attachments
    ]
    for company_id in sorted({company for company, _, _ in replaced}):
        of_company = [was.id for company, was, _ in replaced if company == company_id]
        stored.forgotten += [(company_id, sha256) for sha256 in media.forget(conn, company_id, of_company)]
    stored.media += media.add(
        conn,
        (
            (company, was.channel_id, was.id, [Attachment.from_json(a) for a in content.attachments])
            for company, was, content in replaced
            if content.attachments
        ),
    )


def react(conn: Conn, batch: Batch, stored: Stored) -> None:
    """Keep each person's newest reaction (of a name) to each message, whoever wrote that and whether it is here yet."""
    found = [
        (p, reactions.Reaction(p.home.company_id, p.home.channel_id, p.chat.chat, target, p.contact.external_id,
                             None if p.event.status == "removed" else p.event.text, happened_at(p),
                             p.event.payload or ""))
        for p in batch.reactions for target in targets_of(p.event)
    ]  # fmt: skip
    reactions.put(conn, [reaction for _, reaction in found])
    for p in batch.reactions:
        batch.effected(p)
    stored.chats |= {Chat(*astuple(p.chat)) for p, _ in found}
