"""What became of our parts afterwards: echoes of our own sends, delivered, read, failed. And whose an echo is.

Platforms tell these things in any order, several times, and also before the answer to our own request is here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field

from shared.channels.markup import to_plain
from shared.live.topics import Chat
from shared.model import Reason, read_ref
from shared.store.db.pool import Conn
from shared.store.delivery import statuses
from shared.store.delivery.statuses import Part, PartId, PartMatch, PartQuery
from shared.store.inbox import conversation_bulk
from shared.store.inbox.conversations import ChatKey
from tasks.inbound.batch import Alert, Batch, Placed, Stored, happened_at, targets_of


@dataclass(slots=True)
class _About:
    """An event and the parts that it may be about. external_id: the platform's id of the one message that it names.
    parts: those that it certainly means. maybe: parts being sent, whose ids are not known yet."""

    p: Placed
    status: str
    external_id: str | None = None
    parts: list[PartId] = field(default_factory=list)
    maybe: list[PartId] = field(default_factory=list)


def understand(conn: Conn, batch: Batch) -> list[_About]:
    """Find what each status is about, and whose each echo is. Our own echoes are not messages but news of our parts."""
    echoes = [p for p in batch.talk if p.event.kind == "echo"]
    told = [*echoes, *batch.statuses]
    asked, askers = _questions(told)
    by_number: dict[int, list[PartMatch]] = defaultdict(list)
    for found in statuses.find(conn, asked):
        by_number[found.number].append(found)
    abouts: list[_About] = []
    claimed: set[PartId] = set()
    foreign: set[int] = set()
    for question, index in zip(asked, askers, strict=True):
        p, found_here = told[index], by_number[question.number]
        about = _about(p, question, found_here)
        if p.event.kind == "echo" and not about.parts:
            ours = _same_words(p, found_here, claimed)
            if ours is None and not _by_our_app(p):
                foreign.add(index)
                continue
            about.parts, about.maybe = [ours] if ours else [], []
        claimed.update(about.parts)
        abouts.append(about)
    own = {id(p) for index, p in enumerate(echoes) if index not in foreign}
    batch.talk = [p for p in batch.talk if id(p) not in own]
    return abouts


def _questions(told: Sequence[Placed]) -> tuple[list[PartQuery], list[int]]:
    """Return a question for each message that an event names, at least one, with the event's place in `told`."""
    asked: list[PartQuery] = []
    askers: list[int] = []
    for index, p in enumerate(told):
        named = read_ref(p.event.ref)
        ref = named[1] if named is not None and named[0] == p.home.company_id else None
        for number, target in enumerate(targets_of(p.event) or (None,)):
            until = p.event.until if number == 0 else None
            asked.append(PartQuery(len(asked), p.home.company_id, p.home.channel_id, p.event.chat, target, ref, until))
            askers.append(index)
    return asked, askers


def _about(p: Placed, question: PartQuery, found: Iterable[PartMatch]) -> _About:
    status = "sent" if p.event.kind == "echo" else p.event.status or ("read" if p.event.kind == "read" else "delivered")
    about = _About(p, status, question.external_id)
    for one in found:
        if one.by == "open":
            about.maybe.append((one.company_id, one.id))
        elif one.by == "ref" or one.by == "id" or one.by == "mark":
            about.parts.append((one.company_id, one.id))
    about.parts = list(dict.fromkeys(about.parts))
    return about


def _by_our_app(p: Placed) -> bool:
    return p.event.app is not None and p.event.app == p.home.me.app


def _same_words(p: Placed, found: Iterable[PartMatch], claimed: set[PartId]) -> PartId | None:
    """Return the oldest part being sent in the chat with the same words, for platforms that return neither our
    reference nor, so far, a known id. Punctuation is ignored, because some platforms remove markup."""
    other_app = p.event.app is not None and p.home.me.app is not None and not _by_our_app(p)
    if other_app or p.event.text is None:
        return None
    words = _words(p.event.text)
    for one in found:
        part = (one.company_id, one.id)
        if (
            one.by == "open"
            and part not in claimed
            and words
            and words in (_words(one.text), _words(to_plain(one.text)))
        ):
            return part
    return None


def _words(text: str) -> str:
    return "".join(character for character in text if character.isalnum()).casefold()


def chats_to_lock(batch: Batch) -> set[ChatKey]:
    """A failure is written to its conversation, and conversations are locked before parts."""
    return {p.chat for p in batch.statuses if p.event.status == "failed" and p.event.chat is not None}


def apply(conn: Conn, batch: Batch, abouts: Sequence[_About], stored: Stored) -> None:
    """Settle, deliver, read, fail. The conversations of `chats_to_lock` are locked."""
    if not abouts:
        return
    before = statuses.lock(conn, [part for about in abouts for part in (*about.parts, *about.maybe)])
    named = {(part.company_id, part.channel_id, part.platform_message_id): key for key, part in before.items()}
    now = dict(before)
    early: list[statuses.Early] = []
    did: dict[int, tuple[Placed, Reason | None]] = {}
    for about in abouts:
        p = about.p
        if not about.parts and about.maybe:  # its send may have been recorded since we looked
            known = named.get((p.home.company_id, p.home.channel_id, about.external_id))
            about.parts = [known] if known is not None else []
        ending = _tell(about, now)
        if ending == "unknown_message" and any(now[part].left for part in about.maybe if part in now):
            early.append(_early(about))
            ending = None
        if did.get(id(p), (p, "other"))[1] is not None:
            did[id(p)] = (p, ending)
    _tell_early(conn, before, now)
    statuses.keep_early(conn, early)
    _write(conn, batch, before, now, stored)
    for p, ending in did.values():
        if ending is None:
            batch.effected(p)
        else:
            batch.dropped(p, ending)
    stored.chats |= {
        Chat(*astuple(p.chat)) for p, ending in did.values() if ending is None and p.event.chat is not None
    }


def _tell(about: _About, now: dict[PartId, Part]) -> Reason | None:
    """Apply an event. Returns why it has no effect; None if it has one."""
    changed = False
    parts = [part for part in about.parts if part in now]
    for part in parts:
        after = now[part].told(about.status, about.p.event.meaning, happened_at(about.p), about.external_id)
        changed |= after != now[part]
        now[part] = after
    if changed:
        return None
    if about.p.event.kind == "echo":
        return "own_echo"
    return "nothing_new" if parts or about.p.event.until is not None else "unknown_message"


def _early(about: _About) -> statuses.Early:
    assert about.external_id is not None
    p = about.p
    return statuses.Early(
        p.home.company_id, p.home.channel_id, about.external_id, about.status, p.event.meaning, happened_at(p)
    )


def _tell_early(conn: Conn, before: dict[PartId, Part], now: dict[PartId, Part]) -> None:
    """Apply to parts whose ids were just learned what was reported of them earlier."""
    learned = [part for key, part in now.items() if part.platform_message_id != before[key].platform_message_id]
    named = {(p.company_id, p.channel_id, p.platform_message_id): (p.company_id, p.id)
             for p in learned if p.platform_message_id is not None}  # fmt: skip
    for key, said in statuses.take_early(conn, named).items():
        for one in said:
            now[key] = now[key].told(one.status, one.meaning, one.at)


def _write(conn: Conn, batch: Batch, before: dict[PartId, Part], now: dict[PartId, Part], stored: Stored) -> None:
    changed = [part for key, part in now.items() if part != before[key]]
    statuses.write(conn, changed)
    stored.parts += sum(part.state != before[(part.company_id, part.id)].state for part in changed)
    failed = [p for p in changed if p.state == "failed" and before[(p.company_id, p.id)].state != "failed"]
    note_failures(conn, failed)
    platforms = {p.home.channel_id: p.home.platform for p in (*batch.statuses, *batch.talk)}
    stored.alerts += [
        Alert("part_failed_later", platforms.get(part.channel_id, ""), part.meaning or "", part.company_id,
              part.channel_id, part.id)
        for part in failed
    ]  # fmt: skip


def note_failures(conn: Conn, failed: Sequence[Part]) -> None:
    """A part did not reach the customer after all: the rest of its message is not sent, and the agent sees why."""
    statuses.fail_rest(conn, failed)
    conversation_bulk.set_problems(
        conn, {(part.company_id, part.conversation_id): part.meaning or "failed_later" for part in failed}
    )


def hear_early(conn: Conn, part: PartId, channel_id: int, platform_message_id: str) -> list[Part]:
    """A send was just recorded, in this transaction, which so holds the part's row: what its platform said of it
    meanwhile counts now. Returns the part if it failed."""
    said = statuses.take_early(conn, {(part[0], channel_id, platform_message_id): part}).get(part)
    if not said:  # as a rule
        return []
    before = statuses.lock(conn, [part])
    now = dict(before)
    for key in before:
        for one in said:
            now[key] = now[key].told(one.status, one.meaning, one.at)
    statuses.write(conn, [one for key, one in now.items() if one != before[key]])
    failed = [one for key, one in now.items() if one.state == "failed" and before[key].state != "failed"]
    note_failures(conn, failed)
    return failed
