"""What the events of one value of a WhatsApp webhook share: our number, and the people that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.channels.fields import called, digits, inner
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

    def person(self, *ids: Any) -> dict[str, Any]:
        known = (self.people[found] for each in ids if (found := identity(each)) in self.people)
        return next(known, {})


def scope_of(field: str, value: dict[str, Any], me: Me) -> Scope:
    metadata = inner(value, "metadata")
    contacts = list_of(value.get("contacts"))[:_NAMED_MAX]
    people: dict[str, dict[str, Any]] = {}
    for person in contacts:
        for each in (person.get("wa_id"), person.get("user_id"), person.get("parent_user_id")):
            if (found := identity(each)) is not None:
                people.setdefault(found, person)
    ours = (digits(metadata.get("display_phone_number")), digits(me.handle))
    return Scope(
        field=field,
        account=identity(metadata.get("phone_number_id"), value.get("phone_number_id")),
        display=frozenset(number for number in ours if number),
        people=people,
        alone=contacts[0] if len(contacts) == 1 else {},
    )


def name_of(person: dict[str, Any]) -> str | None:
    profile = inner(person, "profile")
    return called(profile.get("name")) or called(profile.get("username")) or called(person.get("username"))
