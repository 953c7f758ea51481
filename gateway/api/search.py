"""Searching a company's knowledge over HTTP: the question, where to look, how much to show; and where one
conversation's questions look from now on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter
from psycopg import errors
from pydantic import BaseModel, Field

from gateway.api.agents import Reader, Writer
from gateway.api.knowledge import within
from gateway.api.searching import Searcher
from gateway.http.parameters import ID_MAX
from gateway.http.refused import Refused
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id, Time, text
from gateway.rest.representation import IfMatch
from shared.store.db.pool import Conn
from shared.store.inbox import conversations
from shared.store.knowledge import documents, passages
from shared.store.knowledge.filters import Filter
from tasks.knowledge.tools import LIMIT_MAX, QUESTION_CHARS

LIST_MAX = 200
NAME_CHARS = 500

SEARCH = APIRouter(prefix="/api/v1/search", tags=["documents"], route_class=Endpoint)
FILTERS = APIRouter(prefix="/api/v1/conversations", tags=["conversations"], route_class=Endpoint)

Ids = Annotated[list[Annotated[int, Field(ge=1, le=ID_MAX)]], Field(max_length=LIST_MAX)]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=NAME_CHARS)]], Field(max_length=LIST_MAX)]


class Where(Given):
    """Whose the ids are is the database's to say."""

    documents: Ids = Field(default=[])
    collections: Names = Field(default=[])
    categories: Names = Field(default=[])
    speakers: Names = Field(default=[])
    """Of transcripts."""
    since: Time | None = None
    until: Time | None = None
    """Exclusive."""


class Asked(Given):
    question: text(QUESTION_CHARS)  # type: ignore[valid-type]
    limit: int = Field(8, ge=1, le=LIMIT_MAX)
    """How many passages."""
    filter: Where = Where()


class Narrowed(Given):
    filter: Where | None
    """Null: everywhere."""


@dataclass(frozen=True, slots=True)
class Passage:
    chunk: int
    document: int
    title: str
    text: str
    start: int
    end: int
    score: float
    relevance: float
    bm25: float | None
    cosine: float | None
    evidence: Mapping[str, Sequence[float]]


@dataclass(frozen=True, slots=True)
class Found:
    """embedding_model: the one that ranked by meaning; null: only words were searched."""

    embedding_model: str | None
    passages: list[Passage]


class Parts(BaseModel):
    """Those that narrow."""

    documents: list[int] = Field(default=[])
    collections: list[str] = Field(default=[])
    categories: list[str] = Field(default=[])
    speakers: list[str] = Field(default=[])
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    filter: Parts | None


@SEARCH.post("", summary="Search documents")
async def search(agent: Reader, given: Asked) -> Found:
    """Finds passages as the bot does, best first, each with where it begins and ends in its document. It writes nothing
    and calls no language model."""
    wanted = given.filter.given()
    collections = await agent.work(
        lambda conn, company: documents.collection_ids(conn, company, wanted.get("collections", ()))
    )
    await within(agent, "search")
    where = _where(wanted, collections)
    searcher: Searcher = agent.request.app.state.searcher
    try:
        understood, found = await searcher.search(agent.company_id, given.question, given.limit, where)
    except errors.InsufficientPrivilege:
        raise _foreign() from None
    return Found(
        understood.embedding_model,
        [
            Passage(
                p.chunk_id, p.document_id, p.title, p.text, p.start_char, p.start_char + len(p.text), p.score,
                p.relevance, p.bm25, p.cosine, p.evidence,
            )
            for p in found
        ],
    )  # fmt: skip


@FILTERS.get("/{conversation:id}/filter", summary="Show where a conversation's questions look")
async def show_filter(agent: Reader, conversation: Id) -> Shown:
    """Which documents they search; null: all."""
    return await agent.in_conversation(conversation, _filter_of)


@FILTERS.put("/{conversation:id}/filter", summary="Set where a conversation's questions look")
async def set_filter(agent: Writer, conversation: Id, given: Narrowed, match: IfMatch) -> Shown:
    """From the next question on."""
    wanted = None if given.filter is None else given.filter.given()

    def work(conn: Conn, company_id: int, conversation_id: int) -> Shown | None:
        if conversations.lock(conn, company_id, conversation_id) is None:
            return None
        match.check(lambda: _filter_of(conn, company_id, conversation_id))
        where = _where(wanted or {}, documents.collection_ids(conn, company_id, (wanted or {}).get("collections", ())))
        passages.save_chat_filter(conn, company_id, conversation_id, where)
        return Shown(None if where is None else _parts(conn, company_id, where))

    try:
        return await agent.in_conversation(conversation, work)
    except errors.InsufficientPrivilege:
        raise _foreign() from None


def _filter_of(conn: Conn, company_id: int, conversation_id: int) -> Shown | None:
    if conversations.chat_of(conn, company_id, conversation_id) is None:
        return None
    where = passages.chat_filter(conn, company_id, conversation_id)
    return Shown(None if where is None else _parts(conn, company_id, where))


def _where(wanted: Mapping[str, Any], collections: Mapping[str, int]) -> Filter | None:
    """Replace collections' names by their ids. Raises Refused(422) for one that the company does not have."""
    for name in wanted.get("collections", ()):
        if name not in collections:
            raise Refused(422, f"filter: the company has no collection {name[:80]!r}")
    parts: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()}
    if "collections" in parts:
        parts["collections"] = tuple(collections[name] for name in parts["collections"])
    return Filter(**parts) if parts else None


def _parts(conn: Conn, company_id: int, where: Filter) -> Parts:
    shown = where.as_dict()
    if where.collections is not None:
        shown["collections"] = documents.collection_names(conn, company_id, where.collections)
    return Parts(**shown)


def _foreign() -> Refused:
    return Refused(422, "filter: documents names one that the company has not")
