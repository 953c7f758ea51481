"""Searching a company's knowledge over HTTP: the question, where to look, how much to show; and where one
conversation's questions look from now on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from psycopg import errors
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.agents import ID_MAX, Refused, as_agent, as_json, body_of, conversation_of, no_such_conversation
from gateway.knowledge import within
from gateway.searching import Searcher
from shared.channels.body import decode_object
from shared.channels.text import storable
from shared.flow.knowledge_tools import LIMIT_MAX, QUESTION_CHARS
from shared.store import conversations, knowledge, passages
from shared.store.filters import Filter
from shared.store.pool import Conn

BODY_BYTES = 64 * 1024
LIST_MAX = 200
NAME_CHARS = 500
FIELDS = ("documents", "collections", "categories", "speakers", "since", "until")


async def search(request: Request) -> Response:
    """`{"question": "…", "limit": 8, "filter": {"documents": [ids], "collections": [names], "categories": […],
    "speakers": […], "since": time, "until": time}}`, the filter's parts optional. Answers with the passages, best
    first, each with where it begins and ends in its document, and with the space that ranked them (null: by words)."""
    try:
        asked = decode_object(await body_of(request, BODY_BYTES))
    except ValueError:
        raise Refused(422, 'send {"question": "…"}') from None
    question, limit = asked.get("question"), asked.get("limit", 8)
    if not isinstance(question, str) or not question.strip() or len(question) > QUESTION_CHARS:
        raise Refused(422, f"question should have up to {QUESTION_CHARS} characters")
    if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
        raise Refused(422, f"limit should be a number from 1 to {LIMIT_MAX}")
    wanted = _filter(asked.get("filter", {}))

    def work(conn: Conn, company_id: int) -> tuple[int, dict[str, int]]:
        return company_id, knowledge.collection_ids(conn, company_id, wanted.get("collections", ()))

    company_id, collections = await as_agent(request, work)
    await within(request, "search", company_id)
    where = _where(wanted, collections)
    searcher: Searcher = request.app.state.searcher
    try:
        understood, found = await searcher.search(company_id, storable(question), limit, where)
    except errors.InsufficientPrivilege:
        raise _foreign() from None
    return as_json({
        "space": understood.space,
        "passages": [
            {"chunk": p.chunk_id, "document": p.document_id, "title": p.title, "text": p.text, "start": p.start_char,
             "end": p.start_char + len(p.text), "score": p.score, "relevance": p.relevance, "bm25": p.bm25,
             "cosine": p.cosine} for p in found
        ],
    })  # fmt: skip


async def show_filter(request: Request) -> Response:
    """Where a conversation's questions look: `{"filter": {…}}` as `search` takes it, null for everywhere."""
    conversation_id = conversation_of(request)

    def work(conn: Conn, company_id: int) -> dict[str, Any] | None:
        if conversations.chat_of(conn, company_id, conversation_id) is None:
            raise no_such_conversation()
        where = passages.chat_filter(conn, company_id, conversation_id)
        return None if where is None else _shown(conn, company_id, where)

    return as_json({"filter": await as_agent(request, work)})


async def set_filter(request: Request) -> Response:
    """`{"filter": {…}}`, null for everywhere: from the next question on. Answers as `show_filter`."""
    conversation_id = conversation_of(request)
    try:
        given = decode_object(await body_of(request, BODY_BYTES))["filter"]
    except (ValueError, KeyError):
        raise Refused(422, 'send {"filter": {…}}, or null for everywhere') from None
    wanted = _filter(given) if given is not None else {}

    def work(conn: Conn, company_id: int) -> dict[str, Any] | None:
        if conversations.chat_of(conn, company_id, conversation_id) is None:
            raise no_such_conversation()
        where = _where(wanted, knowledge.collection_ids(conn, company_id, wanted.get("collections", ())))
        passages.save_chat_filter(conn, company_id, conversation_id, where)
        return None if where is None else _shown(conn, company_id, where)

    try:
        return as_json({"filter": await as_agent(request, work)})
    except errors.InsufficientPrivilege:
        raise _foreign() from None


def _where(wanted: Mapping[str, Any], collections: Mapping[str, int]) -> Filter | None:
    """With the collections' ids for their names. Raises Refused(422) for one that the company has not."""
    for name in wanted.get("collections", ()):
        if name not in collections:
            raise Refused(422, f"filter: the company has no collection {name[:80]!r}")
    if "collections" in wanted:
        wanted = {**wanted, "collections": tuple(collections[name] for name in wanted["collections"])}
    return Filter(**wanted) if wanted else None


def _shown(conn: Conn, company_id: int, where: Filter) -> dict[str, Any]:
    shown = where.as_dict()
    if where.collections is not None:
        shown["collections"] = knowledge.collection_names(conn, company_id, where.collections)
    return shown


def _foreign() -> Refused:
    return Refused(422, "filter: documents names one that the company has not")


def _filter(given: Any) -> dict[str, Any]:
    """Raises Refused(422) naming the part that is wrong. Whose the ids are is the database's to say."""
    if not isinstance(given, dict) or set(given) - set(FIELDS):
        raise Refused(422, f"filter should be an object with some of {', '.join(FIELDS)}")
    wanted: dict[str, Any] = {}
    for name, value in given.items():
        if name in ("since", "until"):
            wanted[name] = _time(name, value)
        elif name == "documents":
            wanted[name] = _list(name, value, lambda one: type(one) is int and 0 < one <= ID_MAX, "ids")
        else:
            names = _list(name, value, lambda one: isinstance(one, str) and 0 < len(one) <= NAME_CHARS, "names")
            wanted[name] = tuple(storable(one) for one in names)
    return wanted


def _list(name: str, value: Any, good: Callable[[Any], bool], what: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > LIST_MAX or not all(map(good, value)):
        raise Refused(422, f"filter: {name} should be a list of up to {LIST_MAX} {what}")
    return tuple(value)


def _time(name: str, value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refused(422, f"filter: {name} should be a time such as 2026-01-31T12:00:00+00:00")
    return found


ROUTES = [
    Route("/knowledge/search", search, methods=["POST"]),
    Route("/inbox/conversations/{conversation:int}/filter", show_filter),
    Route("/inbox/conversations/{conversation:int}/filter", set_filter, methods=["PUT"]),
]
