"""Searching a company's knowledge over HTTP: the question, where to look, how much to show; and where one
conversation's questions look from now on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from psycopg import errors
from starlette.responses import Response

from gateway.api.agents import Agent, agent
from gateway.api.knowledge import within
from gateway.api.searching import Searcher
from gateway.http.json import as_json
from gateway.http.parameters import ID_MAX, Field, Parameters, Wrong, body_number, body_text, read_object, read_time
from gateway.http.refused import Refused
from gateway.http.resource import Operation, Resource
from shared.store.db.pool import Conn
from shared.store.inbox import conversations
from shared.store.knowledge import documents, passages
from shared.store.knowledge.filters import Filter
from shared.text import storable
from tasks.knowledge.tools import LIMIT_MAX, QUESTION_CHARS

LIST_MAX = 200
NAME_CHARS = 500


def _list(name: str, good: Callable[[Any], bool], what: str) -> Field[tuple[Any, ...]]:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) > LIST_MAX or not all(map(good, value)):
            raise Wrong(f"should be a list of up to {LIST_MAX} {what}")
        return tuple(storable(one) if isinstance(one, str) else one for one in value)

    return Field(name, read, ())


def _is_id(one: Any) -> bool:
    return type(one) is int and 0 < one <= ID_MAX


def _is_name(one: Any) -> bool:
    return isinstance(one, str) and 0 < len(one) <= NAME_CHARS


PARTS = (
    _list("documents", _is_id, "ids"), _list("collections", _is_name, "names"), _list("categories", _is_name, "names"),
    _list("speakers", _is_name, "names"), Field("since", read_time, None), Field("until", read_time, None),
)  # fmt: skip


def _filter(value: Any) -> dict[str, Any]:
    """Whose the ids are is the database's to say."""
    return read_object(value, PARTS, "filter")


QUESTION = body_text("question", QUESTION_CHARS)
LIMIT = body_number("limit", 1, LIMIT_MAX, 8)
WHERE = Field[dict[str, Any]]("filter", _filter, {})
CHAT_FILTER = Field[dict[str, Any]]("filter", lambda value: {} if value is None else _filter(value))


async def search(agent: Agent, asked: Parameters) -> Response:
    """`{"question": "…", "limit": 8, "filter": {"documents": [ids], "collections": [names], "categories": […],
    "speakers": […], "since": time, "until": time}}`, the filter's parts optional. Answers with the passages, best
    first, each with where it begins and ends in its document, and with the embedding model that ranked them (null: only
    words were searched)."""
    wanted = asked.body[WHERE]
    collections = await agent.work(
        lambda conn, company: documents.collection_ids(conn, company, wanted.get("collections", ()))
    )
    await within(agent, "search")
    where = _where(wanted, collections)
    searcher: Searcher = agent.request.app.state.searcher
    try:
        understood, found = await searcher.search(agent.company_id, asked.body[QUESTION], asked.body[LIMIT], where)
    except errors.InsufficientPrivilege:
        raise _foreign() from None
    return as_json({
        "embedding_model": understood.embedding_model,
        "passages": [
            {"chunk": p.chunk_id, "document": p.document_id, "title": p.title, "text": p.text, "start": p.start_char,
             "end": p.start_char + len(p.text), "score": p.score, "relevance": p.relevance, "bm25": p.bm25,
             "cosine": p.cosine, "evidence": p.evidence} for p in found
        ],
    })  # fmt: skip


async def show_filter(agent: Agent, asked: Parameters) -> Response:
    """Return which documents a conversation's questions search: `{"filter": {…}}` as `search` takes it, null for
    everywhere."""

    def work(conn: Conn, company_id: int, conversation_id: int) -> dict[str, Any] | None:
        if conversations.chat_of(conn, company_id, conversation_id) is None:
            return None
        where = passages.chat_filter(conn, company_id, conversation_id)
        return {"filter": None if where is None else _shown(conn, company_id, where)}

    return as_json(await agent.in_conversation(work))


async def set_filter(agent: Agent, asked: Parameters) -> Response:
    """`{"filter": {…}}`, null for everywhere: from the next question on. Answers as `show_filter`."""
    wanted = asked.body[CHAT_FILTER]

    def work(conn: Conn, company_id: int, conversation_id: int) -> dict[str, Any] | None:
        if conversations.chat_of(conn, company_id, conversation_id) is None:
            return None
        where = _where(wanted, documents.collection_ids(conn, company_id, wanted.get("collections", ())))
        passages.save_chat_filter(conn, company_id, conversation_id, where)
        return {"filter": None if where is None else _shown(conn, company_id, where)}

    try:
        return as_json(await agent.in_conversation(work))
    except errors.InsufficientPrivilege:
        raise _foreign() from None


def _where(wanted: Mapping[str, Any], collections: Mapping[str, int]) -> Filter | None:
    """Replace collections' names by their ids. Raises Refused(422) for one that the company does not have."""
    for name in wanted.get("collections", ()):
        if name not in collections:
            raise Refused(422, f"filter: the company has no collection {name[:80]!r}")
    if "collections" in wanted:
        wanted = {**wanted, "collections": tuple(collections[name] for name in wanted["collections"])}
    return Filter(**wanted) if wanted else None


def _shown(conn: Conn, company_id: int, where: Filter) -> dict[str, Any]:
    shown = where.as_dict()
    if where.collections is not None:
        shown["collections"] = documents.collection_names(conn, company_id, where.collections)
    return shown


def _foreign() -> Refused:
    return Refused(422, "filter: documents names one that the company has not")


ROUTES = [
    Resource("/knowledge/search", {"POST": Operation(search, agent, body=(QUESTION, LIMIT, WHERE), scope="read")}),
    Resource("/inbox/conversations/{conversation:id}/filter", {
        "GET": Operation(show_filter, agent), "PUT": Operation(set_filter, agent, body=(CHAT_FILTER,)),
    }),
]  # fmt: skip
