"""Defines filters, which narrow a search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Filter:
    """Where to search. All fields that are set must match; None does not narrow.

    documents, collections: ids of the company's. speakers: by name, ignoring case. since, until: when it was said or
    written; until is exclusive.
    """

    documents: tuple[int, ...] | None = None
    collections: tuple[int, ...] | None = None
    categories: tuple[str, ...] | None = None
    speakers: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def as_json(self) -> str:
        """Return the JSON that knowledge_search() and chat_filters take."""
        return json.dumps(self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are set, as JSON values."""
        named: dict[str, Any] = {}
        for name in ("documents", "collections", "categories", "speakers"):
            values = getattr(self, name)
            if values is not None:
                named[name] = list(values)
        for name in ("since", "until"):
            time = getattr(self, name)
            if time is not None:
                named[name] = time.isoformat()
        return named

    @classmethod
    def from_json(cls, named: Mapping[str, Any]) -> Self:
        """Parse what `as_json` returned."""
        values: dict[str, Any] = {key: tuple(value) for key, value in named.items() if isinstance(value, list)}
        values |= {key: datetime.fromisoformat(named[key]) for key in ("since", "until") if key in named}
        return cls(**values)
