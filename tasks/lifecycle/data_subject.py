"""A data subject's data: read out for them, or erased everywhere, with a receipt. Erasing goes conversation by
conversation, each in one transaction with its share of the receipt: ended half way and run again it goes on."""

from __future__ import annotations

from typing import Any

from shared import faults
from shared.channels.base import Platform
from shared.channels.body import decode_object
from shared.errors import Transient
from shared.model import JournalEntry, Me
from shared.store.inbound.journal import Reader
from shared.store.lifecycle import data_subjects, deletion, erasure
from shared.store.lifecycle.data_subjects import Contact
from shared.store.lifecycle.erasure import Counts
from tasks.lifecycle.archive import forget_contents
from tasks.operations.jobs import Work

STATEMENT_S = 600.0
"""Finding everything of one data subject reads a company's archive once."""


def export(work: Work, contact: Contact) -> dict[str, Any]:
    """Everything that is stored about a contact, as JSON values. attachments: by their hash in the media store."""
    conversations, message_ids = [], []
    with work.transaction(statement_s=STATEMENT_S) as conn:
        for part in data_subjects.parts(conn, contact):
            messages = data_subjects.said(conn, contact, part)
            message_ids += [int(message["id"]) for message in messages]
            conversations.append({"conversation": part.conversation_id, "alone": part.alone, "messages": messages})
        return {
            "contact": {
                "company": contact.company_id, "contact": contact.id, "platform": contact.platform,
                "external_id": contact.external_id, "name": contact.name, "since": contact.created_at.isoformat(),
            },
            "conversations": conversations,
            "attachments": data_subjects.attachments(conn, contact, message_ids),
            "reactions": data_subjects.reactions(conn, contact),
            "costs": data_subjects.costs(conn, contact),
            "answers_of_an_hour": data_subjects.answer_times(conn, contact),
            "model_calls": data_subjects.model_calls(conn, contact),
        }  # fmt: skip


def erase(work: Work, contact: Contact, *, by: str) -> Counts:
    """Erase a contact; returns the rows by what they were. Raises Transient where they have written meanwhile."""
    total: Counts = {}
    with work.transaction(statement_s=STATEMENT_S) as conn:
        parts = data_subjects.parts(conn, contact)
    for part in parts:
        with work.transaction(statement_s=STATEMENT_S) as conn:
            erase_part = erasure.erase_alone if part.alone else erasure.erase_among_others
            counts, contents = erase_part(conn, contact, part.conversation_id)
            faults.reach("data_subject.erased_part")
            _receive(work, contact, by, counts, total)
            forget_contents(work.settings, contact.company_id, contents)
    with work.transaction(statement_s=STATEMENT_S) as conn:
        if not erasure.delete_contact(conn, contact):
            raise Transient(f"contact {contact.company_id}/{contact.id} has written meanwhile: erase it once more")
        left = {
            "message_reactions": erasure.erase_reactions(conn, contact),
            "daily_uses": erasure.erase_uses(conn, contact),
            **erasure.erase_budget(conn, contact),
            "llm_calls_emptied": erasure.erase_calls(conn, contact),
        }
        _receive(work, contact, by, {"contacts": 1, **left}, total)
    return total


def _receive(work: Work, contact: Contact, by: str, counts: Counts, total: Counts) -> None:
    for name, count in counts.items():
        total[name] = total.get(name, 0) + count
    deletion.add_receipt(work.conn, contact.company_id, "contact", subject(contact.id), by, counts)


def subject(contact_id: int) -> str:
    """Return the name by which a receipt refers to somebody of whom nothing else is left."""
    return f"contact {contact_id}"


def journalled(contact: Contact, reader: Reader, platforms: dict[str, Platform]) -> int:
    """Return how many of a contact's requests are in the journal and not stored yet. Raises redis' errors."""
    return sum(_is_theirs(contact, entry, platforms) for entry in reader.lying())


def _is_theirs(contact: Contact, entry: JournalEntry, platforms: dict[str, Platform]) -> bool:
    if entry.platform != contact.platform:
        return False
    try:
        events = platforms[entry.platform].parse(decode_object(entry.raw), Me())
    except Exception:  # noqa: BLE001  what cannot be parsed becomes a dead letter: better once too often than not at all
        return contact.external_id.encode() in entry.raw
    return any(event.sender == contact.external_id for event in events)
