"""Assistants over HTTP: how the company's turns are answered, in which words, and which channel is bound to which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from gateway.api.agents import Reader, Writer
from gateway.http.refused import Refused
from gateway.rest import cursors
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id, Page, id_of
from gateway.rest.representation import IfMatch
from shared.store.assistants import assistants, policies
from shared.store.assistants.assistants import Assistant
from shared.store.db.pool import Conn
from shared.triage import texts

WORD_CHARS = 500
BUILT_IN: dict[str, str] = {name: texts.default(name, texts.FALLBACK) for name in texts.NAMES}

ROUTER = APIRouter(prefix="/api/v1/assistants", tags=["assistants"], route_class=Endpoint)

Word = Annotated[str, Field(max_length=WORD_CHARS)]


@dataclass(frozen=True, slots=True)
class Listed:
    id: int
    kind: str
    is_default: bool
    name: str
    language: str | None
    on_miss: str
    misses_max: int
    on_wish: str
    return_after_s: int | None
    hours: str
    time_zone: str
    channels: list[int]


@dataclass(frozen=True, slots=True)
class Assistants:
    assistants: list[Listed]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Shown(Listed):
    texts: Mapping[str, Mapping[str, str]]
    built_in: Mapping[str, str]


class Change(Given):
    name: Word = ""
    """1 to 100 characters; customers may call it so."""
    language: Word | None = None
    """As ISO 639-1, for who writes in a language that has no texts; null: the built-in choice."""
    on_miss: Word = ""
    """What happens where nothing relevant is known: `offer`, `at_once`, `after_misses`."""
    misses_max: int = 0
    """After so many misses in a row, 1 to 20, with `after_misses`."""
    on_wish: Word = ""
    """What happens where a person is wished for: `hand_over`, `tell`."""
    return_after_s: int | None = None
    """After a handover the bot answers again once nobody has written for so long; null: never by itself."""
    hours: Word = ""
    """When the team is there, such as `Mon-Fri 09:00-17:00`; empty: at all times."""
    time_zone: Word = ""
    texts: dict[str, dict[str, str | None]] = Field({}, examples=[{"welcome": {"en": "Hello!", "*": None}}])
    """`{name: {language: text}}`; null: the built-in text again."""


class Bind(Given):
    channel: id_of("channel")  # type: ignore[valid-type]
    """A channel or widget of the company."""


@ROUTER.get("", summary="List assistants")
async def list_(agent: Reader, query: Annotated[Page, Query()]) -> Assistants:
    """The company's assistants with their policies, and the channels bound to each; texts are on each one's page."""
    after_id = cursors.after_id(query.cursor)

    def work(conn: Conn, company_id: int) -> Assistants:
        bound = assistants.channels(conn, company_id)
        found = assistants.of_company(conn, company_id, after_id=after_id, limit=query.limit)
        return Assistants(
            [Listed(**_policies(one, bound.get(one.id, []))) for one in found],
            cursors.next_cursor(found, query.limit, "id"),
        )

    return await agent.work(work)


@ROUTER.get("/{assistant:id}", summary="Show an assistant")
async def show(agent: Reader, assistant: Id) -> Shown:
    """One, and `built_in`: what each text says in English where it has no words of its own."""
    return await agent.work(lambda conn, company_id: _shown(conn, company_id, assistant))


@ROUTER.patch("/{assistant:id}", summary="Change an assistant")
async def change(agent: Writer, assistant: Id, given: Change, match: IfMatch) -> Shown:
    """Any of the policies, and texts, from the next answer on: all of it or nothing."""
    changes = given.given(*policies.POLICIES)

    def work(conn: Conn, company_id: int) -> Shown:
        before = _found(conn, company_id, assistant)
        match.check(lambda: _shown(conn, company_id, assistant))
        try:
            changed, words = policies.changes(before, changes, given.texts)
            if changed:
                assistants.update(conn, company_id, before.id, changed)
        except ValueError as e:
            raise Refused(422, str(e)) from None
        if words != before.texts:
            assistants.set_texts(conn, company_id, before.id, words)
        return _shown(conn, company_id, assistant)

    return await agent.work(work)


@ROUTER.post("/{assistant:id}/bind", summary="Bind a channel to an assistant")
async def bind(agent: Writer, assistant: Id, given: Bind) -> Shown:
    """That channel or widget is answered by this assistant from the next answer on."""

    def work(conn: Conn, company_id: int) -> Shown:
        found = _found(conn, company_id, assistant)
        if not assistants.bind(conn, company_id, given.channel, found.id):
            raise Refused(404, "this company has no such channel")
        return _shown(conn, company_id, assistant)

    return await agent.work(work)


def _found(conn: Conn, company_id: int, assistant_id: int) -> Assistant:
    """Locked until the transaction ends."""
    found = assistants.by_id(conn, company_id, assistant_id)
    if found is None:
        raise Refused(404, "this company has no such assistant")
    return found


def _shown(conn: Conn, company_id: int, assistant_id: int) -> Shown:
    found = _found(conn, company_id, assistant_id)
    bound = assistants.channels(conn, company_id).get(found.id, [])
    return Shown(**_policies(found, bound), texts=found.texts, built_in=BUILT_IN)


def _policies(one: Assistant, channels: list[int]) -> dict[str, Any]:
    return {**{name: value for name, value in asdict(one).items() if name != "texts"}, "channels": channels}
