"""One person under several ids: events are told of the id under which the contact and the conversation are kept, and an
event that shows two ids of one person joins what stood under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from shared import channels
from shared.errors import DatabaseUnavailable
from shared.live.topics import Chat, Moved
from shared.model import InboundEvent
from shared.store.db.pool import Conn
from shared.store.inbox import contacts, conversations, identities, moving
from shared.store.inbox.contacts import ContactKey
from shared.store.inbox.conversations import ChatKey
from shared.store.inbox.identities import Found, Identity, Known
from shared.store.inbox.moving import MovedChat
from tasks.inbound.batch import Placed, Stored

log = structlog.get_logger(__name__)

_GROUP = "@g.us"
_LASTING = frozenset({"message", "echo", "edited", "deleted"})
"""Kinds of events that make a conversation."""


@dataclass(slots=True)
class _Person:
    """Ids that belong to one person according to events or tables, each as the platform wrote it. contacts: the
    contacts that have them. lasting: an event creates a conversation for them. moves: their id changes."""

    ids: dict[Identity, str] = field(default_factory=dict)
    contacts: set[Known] = field(default_factory=set)
    lasting: bool = False
    moves: bool = False

    def is_open(self, found: Found) -> bool:
        """Whether something is to be written of them."""
        if not self.contacts:
            return self.lasting
        return self.moves or len(self.contacts) > 1 or not self.ids.keys() <= set(found.linked)

    @property
    def name(self) -> str:
        """How a contact is called that is made now: by their number, where one is told."""
        return next((one for one in self.ids.values() if one.isdigit()), next(iter(self.ids.values())))


@dataclass(frozen=True, slots=True)
class United:
    """placed: the events with the ids under which their people are kept. turns: those that merging made wait anew."""

    placed: Sequence[Placed]
    turns: int = 0


def unite(conn: Conn, placed: Sequence[Placed], stored: Stored) -> United:
    """Join contacts that turn out to be one person, make those that nobody knows, note their identities.

    Raises DatabaseUnavailable when somebody else did so meanwhile: the transaction is to be tried again.
    """
    shown = [(p, ids) for p in placed if (ids := _ids(p))]
    if not shown:
        return United(placed)
    spellings = {one: _spellings(p, raw) for p, ids in shown for group in ids for one, raw in group.items()}
    found = identities.known(conn, spellings)
    alone = {one for person in _persons(shown, found) if person.is_open(found) for one in person.ids}
    identities.hold(conn, alone, spellings.keys() - alone)
    found = identities.known(conn, spellings)
    persons = _persons(shown, found)
    if any(person.is_open(found) and not person.ids.keys() <= alone for person in persons):
        raise DatabaseUnavailable("an identity moved meanwhile", retry_after_s=0.1)
    if any(len(person.contacts) > 1 for person in persons):
        _lock_all(conn, placed, persons)
    contacts, turns = _settle(conn, persons, stored)
    names: dict[Identity, str] = {}
    links: dict[Identity, tuple[int, str]] = {}
    for person, contact in contacts:
        names.update(dict.fromkeys(person.ids, contact.external_id))
        if person.is_open(found):
            links |= {one: (contact.contact_id, raw) for one, raw in person.ids.items() if one not in found.linked}
    identities.link(conn, links)
    return United([_told(p, names) for p in placed], turns)


def _ids(p: Placed) -> list[dict[Identity, str]]:
    """Return the ids that an event shows of its customer, as one group. If an id changes, the old and the new one are
    apart."""
    event, customer = p.event, _customer(p)
    if customer is None:
        return []
    if event.migrated_to is not None:
        return [_group(p, (customer,)), _group(p, (event.migrated_to,))]
    return [_group(p, (customer, *event.aliases))]


def _customer(p: Placed) -> str | None:
    if p.route is None or not channels.platform(p.home.platform).links_identities:
        return None
    chat = p.event.chat
    if chat is None or not chat.endswith(_GROUP):
        return chat
    return p.event.sender if p.event.kind != "echo" else None


def _group(p: Placed, raw: Iterable[str]) -> dict[Identity, str]:
    found: dict[Identity, str] = {}
    for one in raw:
        found.setdefault(_identity(p, one), one)
    return found


def _identity(p: Placed, raw: str) -> Identity:
    return Identity(p.home.company_id, p.home.channel_id, _spellings(p, raw)[0])


def _spellings(p: Placed, raw: str) -> tuple[str, ...]:
    return channels.platform(p.home.platform).spellings(raw)


def _persons(shown: Iterable[tuple[Placed, list[dict[Identity, str]]]], found: Found) -> list[_Person]:
    """Group the ids of these events by person: those who share an id or a contact are one."""
    of_id: dict[Identity, _Person] = {}
    of_contact: dict[Known, _Person] = {}
    for p, groups in shown:
        for ids in groups:
            contacts = {one for identity in ids for one in found.contacts.get(identity, ())}
            same = {id(one): one for one in (*map(of_id.get, ids), *map(of_contact.get, contacts)) if one is not None}
            person = _merged(same.values())
            for identity, raw in ids.items():
                person.ids.setdefault(identity, raw)
            person.contacts |= contacts
            person.lasting |= _lasting(p.event)
            person.moves |= p.event.migrated_to is not None
            of_id.update(dict.fromkeys(person.ids, person))
            of_contact.update(dict.fromkeys(person.contacts, person))
    return list({id(person): person for person in of_id.values()}.values())


def _merged(same: Iterable[_Person]) -> _Person:
    person = _Person()
    for one in same:
        person.ids = {**person.ids, **one.ids}
        person.contacts |= one.contacts
        person.lasting |= one.lasting
        person.moves |= one.moves
    return person


def _lasting(event: InboundEvent) -> bool:
    told = event.kind in ("referral", "optin") and bool(event.payload or event.text)
    return event.migrated_to is None and (event.kind in _LASTING or told)


def _lock_all(conn: Conn, placed: Iterable[Placed], persons: Iterable[_Person]) -> None:
    """Lock the conversations that are joined and those that the batch touches, in the order that all transactions
    use."""
    touched = {p.chat for p in placed if p.route is not None and p.event.chat is not None}
    for person in persons:
        for identity in person.ids:
            touched |= {ChatKey(identity.company_id, identity.channel_id, one.external_id) for one in person.contacts}
    conversations.ensure_locked(conn, {}, touched)


def _settle(conn: Conn, persons: Iterable[_Person], stored: Stored) -> tuple[list[tuple[_Person, Known]], int]:
    """Return one contact for each person, of those that they have or need, and how many turns wait again."""
    settled: list[tuple[_Person, Known]] = []
    new: dict[ContactKey, _Person] = {}
    turns = 0
    for person in persons:
        first = next(iter(person.ids))
        if person.contacts:
            contact, *others = sorted(person.contacts)
            for other in others:
                moved = identities.join(conn, first.company_id, first.channel_id, contact, other)
                turns += _tell(
                    moved, first.company_id, first.channel_id, other.external_id, contact.external_id, stored
                )
                log.info("contacts_joined", company_id=first.company_id, contact_id=contact.contact_id)
            settled.append((person, contact))
        elif person.lasting:
            new[ContactKey(first.company_id, first.channel_id, person.name)] = person
    ids = contacts.ensure_contacts(conn, dict.fromkeys(new))
    settled += [(person, Known(ids[key], key.external_id)) for key, person in new.items()]
    return settled, turns


def _tell(
    moved: MovedChat, company_id: int, channel_id: int, before: str, now: str, stored: Stored, *, same_ids: bool = True
) -> int:
    """Note what is to be done and told of a chat that went on under another id. same_ids: a message's id means the same
    message in both. Returns how many turns wait anew."""
    there = Chat(company_id, channel_id, now)
    stored.moved += [Moved(company_id, turn_id, epoch) for turn_id, epoch in moved.recalled]
    stored.chats.add(there)
    if moved.conversation is not None:
        stored.went[Chat(company_id, channel_id, before)] = there
    if moved.conversation is not None and moved.merged and same_ids:
        stored.merged.add((company_id, moved.conversation))
    return int(moved.merged)


def _told(p: Placed, names: Mapping[Identity, str]) -> Placed:
    """Return the event under the ids by which its people are stored. If an id changes, the old id is kept as an
    alias."""
    if _customer(p) is None:
        return p
    event = p.event

    def name(raw: str | None) -> str | None:
        return raw if raw is None else names.get(_identity(p, raw), raw)

    chat = event.chat if event.chat is not None and event.chat.endswith(_GROUP) else name(event.chat)
    aliases = event.aliases if event.migrated_to is None or event.chat is None else (event.chat,)
    told = replace(event, chat=chat, sender=name(event.sender), migrated_to=name(event.migrated_to), aliases=aliases)
    return p if told == event else replace(p, event=told)


def move(conn: Conn, p: Placed, stored: Stored, *, for_good: bool) -> bool:
    """A chat goes on under another id, and on platforms that link identities its contact with it. Their ids are held
    alone (see `unite`). for_good: as in `moving.move_chat`; such a chat numbers its messages by itself. Returns whether
    it was news."""
    assert p.event.migrated_to is not None
    company_id, channel_id, before, now = p.home.company_id, p.home.channel_id, p.chat.chat, p.event.migrated_to
    moved = moving.move_chat(conn, p.chat, now, for_good=for_good)
    stored.turns += _tell(moved, company_id, channel_id, before, now, stored, same_ids=not for_good)
    if _customer(p) is None:
        return moved.changed
    raw = next(iter(p.event.aliases), before)
    spellings = {_identity(p, one): _spellings(p, one) for one in (before, now)}
    found = identities.known(conn, spellings)
    was, becomes = (found.contacts.get(_identity(p, one), set()) for one in (before, now))
    for contact in sorted(becomes)[:1]:
        for other in sorted(set(was) - set(becomes)):
            joined = identities.join(conn, company_id, channel_id, contact, other)
            stored.turns += _tell(joined, company_id, channel_id, other.external_id, contact.external_id, stored)
    identities.rename(conn, company_id, channel_id, before, now, _identity(p, raw))
    return moved.changed
