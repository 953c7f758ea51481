"""A company's documents and websites over HTTP: add, list, delete, and show how far reading them is."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from starlette.responses import JSONResponse, Response

from gateway.api.agents import AFTER_ID, Agent, agent, limit
from gateway.http.json import as_json
from gateway.http.parameters import Field, Parameters, Values, Wrong, query_choice, query_text, read_date
from gateway.http.refused import Refused
from gateway.http.resource import Operation, Resource
from shared.knowledge.extract import BYTES_MAX, FORMATS, format_of
from shared.model import Rate
from shared.names import name_of
from shared.store.db.pool import Conn
from shared.store.knowledge import documents, embeddings, imports
from shared.text import storable
from tasks.knowledge.tasks import embed_due, import_due
from tasks.wakeups import wake_up

NAME_CHARS = 500
ADDRESS_CHARS = 2_000


def _name(raw: str) -> str:
    name = storable(raw).strip()
    if not 0 < len(name) <= NAME_CHARS:
        raise Wrong(f"should have 1 to {NAME_CHARS} characters")
    return name


def _language(raw: str) -> str:
    if raw.strip() and raw not in documents.LANGUAGES:
        raise Wrong(f"should be one of {', '.join(sorted(documents.LANGUAGES))}")
    return raw


def _collection(raw: str) -> str:
    try:
        return name_of(storable(raw), "collection's name") if raw.strip() else ""
    except ValueError as e:
        raise Wrong(f"is not a name: {e}") from None


def _date(raw: str) -> str:
    return read_date(raw).isoformat()


def _sitemap(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("https://", "http://")) or len(value) > ADDRESS_CHARS:
        raise Wrong(f"should be an address such as https://…/sitemap.xml of up to {ADDRESS_CHARS} characters")
    return storable(value)


LIMIT = limit(100)
NAME = Field("name", _name)
TITLE, CATEGORY = query_text("title", NAME_CHARS, ""), query_text("category", NAME_CHARS, "")
COLLECTION = Field("collection", _collection, "")
LANGUAGE = Field("language", _language, "")
DATE = Field("date", _date, "")
DESCRIBED = (TITLE, COLLECTION, LANGUAGE, CATEGORY)
STATE = query_choice("state", imports.STATES, "failed")
SITEMAP = Field("sitemap", _sitemap)


async def within(agent: Agent, what: Literal["search", "write"]) -> None:
    """Raises Refused(429) beyond what a company's agents together may ask or send."""
    settings = agent.edge.settings
    limit = settings.knowledge.search_limit if what == "search" else settings.knowledge.write_limit
    rate = Rate(f"knowledge:{what}:{agent.company_id}", limit.count, 60.0, burst=limit.burst)
    wait_s = await agent.edge.limits.take((rate,))
    if wait_s > 0:
        raise Refused(429, f"too many requests: again in {max(1, -int(-wait_s // 1))} s", wait_s)


async def _may_write(agent: Agent) -> None:
    await within(agent, "write")


async def _may_send_file(agent: Agent) -> None:
    """Before a file is read: its format. Raises Refused(415, 429)."""
    name = agent.request.query_params["name"]  # the query has been read
    if format_of(storable(name).strip(), agent.request.headers.get("content-type")) is None:
        raise Refused(415, f"none of the formats that are read: {', '.join(FORMATS)}")
    await within(agent, "write")


async def send_document(agent: Agent, asked: Parameters) -> Response:
    """A file as the body, `?name=handbook.pdf` (its source: the same name again replaces it), and, where wanted, title,
    collection, language, category, date (ISO). 202: it is read soon; `/knowledge/imports` says what became of it."""
    name, media_type = asked.query[NAME], agent.request.headers.get("content-type")
    described = _described(asked.query)

    def work(conn: Conn, company_id: int) -> int:
        return imports.queue_file(
            conn, company_id, source=name, name=name, media_type=media_type, body=asked.raw, described=described
        )

    queued = await agent.work(work)
    await asyncio.to_thread(wake_up, import_due)
    return JSONResponse({"import": queued}, status_code=202)


async def send_site(agent: Agent, asked: Parameters) -> Response:
    """`{"sitemap": "https://…/sitemap.xml"}`: its pages are read soon, as robots.txt allows. What is said in the query
    (title, collection, language, category, date) describes each of them."""
    sitemap, described = asked.body[SITEMAP], _described(asked.query)
    queued = await agent.work(lambda conn, company: imports.queue_site(conn, company, sitemap, described))
    await asyncio.to_thread(wake_up, import_due)
    return JSONResponse({"import": queued}, status_code=202)


async def list_documents(agent: Agent, asked: Parameters) -> Response:
    after_id, most = asked.query[AFTER_ID], asked.query[LIMIT]

    def work(conn: Conn, company_id: int) -> Any:
        return {"documents": documents.list_documents(conn, company_id, after_id=after_id, limit=most)}

    return as_json(await agent.work(work))


async def delete_document(agent: Agent, asked: Parameters) -> Response:
    document_id = int(agent.request.path_params["document"])
    if not await agent.work(lambda conn, company: documents.delete_document(conn, company, document_id)):
        raise Refused(404, "this company has no such document")
    return as_json({"deleted": True})


async def list_imports(agent: Agent, asked: Parameters) -> Response:
    """Return the number of imports in each state, and those in `?state=` (default: failed) with their reasons."""
    state, after_id, most = asked.query[STATE], asked.query[AFTER_ID], asked.query[LIMIT]

    def work(conn: Conn, company_id: int) -> Any:
        return {
            "counts": imports.counts(conn, company_id),
            "documents_without_vectors": embeddings.waiting(conn, company_id),
            "imports": imports.listed(conn, company_id, state, after_id=after_id, limit=most),
        }

    return as_json(await agent.work(work))


async def retry_imports(agent: Agent, asked: Parameters) -> Response:
    count = await agent.work(imports.retry_failed)
    await asyncio.to_thread(wake_up, import_due)
    await asyncio.to_thread(wake_up, embed_due)
    return as_json({"queued": count})


def _described(query: Values) -> dict[str, str]:
    given = {field.name: query[field] for field in DESCRIBED if query[field].strip()}
    return {**given, "dated_at": query[DATE]} if query[DATE] else given


ROUTES = [
    Resource("/knowledge/documents", {
        "GET": Operation(list_documents, agent, query=(AFTER_ID, LIMIT)),
        "POST": Operation(send_document, agent, query=(NAME, *DESCRIBED, DATE), file=True, body_max_bytes=BYTES_MAX,
                          before_body=_may_send_file),
    }),
    Resource("/knowledge/documents/{document:id}", {"DELETE": Operation(delete_document, agent)}),
    Resource("/knowledge/sites", {
        "POST": Operation(send_site, agent, query=(*DESCRIBED, DATE), body=(SITEMAP,), body_max_bytes=16 * 1024,
                          before_body=_may_write),
    }),
    Resource("/knowledge/imports", {"GET": Operation(list_imports, agent, query=(STATE, AFTER_ID, LIMIT))}),
    Resource("/knowledge/imports/retry", {"POST": Operation(retry_imports, agent)}),
]  # fmt: skip
