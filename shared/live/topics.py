"""Where news is published and what it looks like. A message is only a hint: whoever watches reads the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

PREFIX = "sb:live:"


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation, named so that it can be watched before its first message is stored."""

    company_id: int
    channel_id: int
    chat: str

    @property
    def topic(self) -> str:
        return f"chat:{self.company_id}:{self.channel_id}:{self.chat}"


@dataclass(frozen=True, slots=True, order=True)
class AnswerId:
    """One generation of an answer; a later one of the same conversation is greater."""

    turn_id: int
    epoch: int

    def __str__(self) -> str:
        return f"{self.turn_id}.{self.epoch}"


@dataclass(frozen=True, slots=True)
class Stored:
    """A message was committed: read the table. answer: the generation that it ends, if it came of one."""

    answer: AnswerId | None = None


@dataclass(frozen=True, slots=True)
class PartialAnswer:
    """What a generation in flight has said so far, whole: who comes late or misses one needs no other."""

    answer: AnswerId
    text: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A generation ended without becoming a message: pages remove its pieces."""

    answer: AnswerId


@dataclass(frozen=True, slots=True)
class Went:
    """The conversation goes on as this chat of the channel, perhaps as part of one that was there: its messages have
    other numbers then, and what is new is told there."""

    chat: str


News = Stored | PartialAnswer | Withdrawn | Went


HINTS = "hints"
"""The topic that every process with leases listens to."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A turn's epoch moved, or (turn_id None) a person took a conversation of this company over: whoever holds a
    lease of it looks into the table now."""

    company_id: int
    turn_id: int | None = None
    epoch: int = 0


def channel_name(database: int, topic: str) -> str:
    """The channel's name on the server. Publishing is not divided by Redis' logical databases; names are."""
    return f"{PREFIX}{database}:{topic}"


def encode(news: News | Moved) -> bytes:
    match news:
        case Stored(answer):
            return orjson.dumps({"k": "stored", **_numbers(answer)})
        case PartialAnswer(answer, text):
            return orjson.dumps({"k": "piece", **_numbers(answer), "text": text})
        case Withdrawn(answer):
            return orjson.dumps({"k": "withdrawn", **_numbers(answer)})
        case Went(chat):
            return orjson.dumps({"k": "went", "chat": chat})
        case Moved(company_id, turn_id, epoch):
            return orjson.dumps({"k": "moved", "c": company_id, "t": turn_id, "e": epoch})


def decode(raw: bytes) -> News | Moved | None:
    """Parse an event; None if this version does not know it: during an upgrade both versions publish."""
    try:
        said = orjson.loads(raw)
        answer = AnswerId(said["t"], said["e"]) if said.get("t") is not None else None
        return _read(said, answer)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None


def _read(said: dict[str, Any], answer: AnswerId | None) -> News | Moved | None:
    match said["k"], answer:
        case "stored", _:
            return Stored(answer)
        case "piece", AnswerId():
            return PartialAnswer(answer, said["text"])
        case "withdrawn", AnswerId():
            return Withdrawn(answer)
        case "went", _:
            return Went(str(said["chat"]))
        case "moved", _:
            return Moved(said["c"], said["t"], said["e"])
    return None


def _numbers(answer: AnswerId | None) -> dict[str, int]:
    return {} if answer is None else {"t": answer.turn_id, "e": answer.epoch}
