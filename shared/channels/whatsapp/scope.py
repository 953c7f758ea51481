"""What the events of one value of a WhatsApp webhook share: our number, and the people that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.channels.fields import called, digits, inner
from shared.channels.whatsapp.numbers import spellings
from shared.channels.whatsapp.values import identity, list_of
from shared.model import Me

_NAMED_MAX = 2000  # contacts of one value that are looked at


@dataclass(frozen=True, slots=True)
class Scope:
    """What the events of one value share. account: our number's id. display: its digits. people: the contacts'
    entries by each of their ids. alone: the entry, where there is only one."""

    field: str
    account: str | None
    display: frozenset[str]
    people: dict[str, dict[str, Any]]
    alone: dict[str, Any]

    def others(self, known: str | None, *ids: Any) -> tuple[str, ...]:
        """The other ids of whom these name, without the one that is known."""
        named = [found for each in (known, *ids) if (found := identity(each)) is not None]
        told = [found for one in named for found in ids_of(self.people.get(one, {}))]
        return tuple(dict.fromkeys(one for one in (*named, *told) if one != known))

    def person(self, *ids: Any) -> dict[str, Any]:
        known = (self.people[found] for each in ids if (found := identity(each)) in self.people)
        return next(known, {})


def scope_of(field: str, value: dict[str, Any], me: Me) -> Scope:
    metadata = inner(value, "metadata")
    contacts = list_of(value.get("contacts"))[:_NAMED_MAX]
    people: dict[str, dict[str, Any]] = {}
    for person in contacts:
        for found in ids_of(person):
            for spelling in spellings(found):
                people.setdefault(spelling, person)
    ours = (digits(metadata.get("display_phone_number")), digits(me.handle))
    return Scope(
        field=field,
        account=identity(metadata.get("phone_number_id"), value.get("phone_number_id")),
        display=frozenset(number for number in ours if number),
        people=people,
        alone=contacts[0] if len(contacts) == 1 else {},
    )


def ids_of(person: dict[str, Any]) -> tuple[str, ...]:
    """The ids that a contact's entry shows: a number, one that only this business sees, one that its portfolio sees."""
    named = (identity(person.get(name)) for name in ("wa_id", "user_id", "parent_user_id"))
    return tuple(one for one in named if one is not None)


def name_of(person: dict[str, Any]) -> str | None:
    profile = inner(person, "profile")
    return called(profile.get("name")) or called(profile.get("username")) or called(person.get("username"))
