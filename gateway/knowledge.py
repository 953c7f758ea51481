"""A company's documents: sent, listed, deleted; websites; and how far the reading is. `Authorization: Bearer KEY`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.agents import ID_MAX, PAGE_MAX, Refused, as_agent, as_json, body_of, number
from shared.channels.body import decode_object
from shared.channels.text import storable
from shared.knowledge.extract import BYTES_MAX, FORMATS, format_of
from shared.model import Rate
from shared.names import name_of
from shared.store import embeddings, imports, knowledge
from shared.store.pool import Conn
from tasks.doorbell import ring
from tasks.index import embed_due, import_due

NAME_CHARS = 500
ADDRESS_CHARS = 2_000
STATES = ("queued", "done", "parked")


async def within(request: Request, what: Literal["search", "write"], company_id: int) -> None:
    """Raises Refused(429) beyond what a company's agents together may ask or send."""
    settings = request.app.state.edge.settings
    limit = settings.knowledge_search_limit if what == "search" else settings.knowledge_write_limit
    rate = Rate(f"knowledge:{what}:{company_id}", limit.count, 60.0, burst=limit.burst)
    wait_s = await request.app.state.edge.limits.take((rate,))
    if wait_s > 0:
        raise Refused(429, f"too many requests: again in {max(1, -int(-wait_s // 1))} s")


async def _may_write(request: Request) -> None:
    """Before the body is read. Raises Refused(401, 429)."""
    await within(request, "write", await as_agent(request, lambda conn, company_id: company_id))


async def send_document(request: Request) -> Response:
    """A file as the body, `?name=handbook.pdf` (its source: the same name again replaces it), and, where wanted, title,
    collection, language, category, date (ISO). 202: it is read soon; `/knowledge/imports` says what became of it."""
    name = storable(request.query_params.get("name", "")).strip()
    if not 0 < len(name) <= NAME_CHARS:
        raise Refused(422, f"name should have up to {NAME_CHARS} characters")
    media_type = request.headers.get("content-type")
    if format_of(name, media_type) is None:
        raise Refused(415, f"none of the formats that are read: {', '.join(FORMATS)}")
    described = _described(request)
    await _may_write(request)
    body = await body_of(request, BYTES_MAX)

    def work(conn: Conn, company_id: int) -> int:
        return imports.queue_file(
            conn, company_id, source=name, name=name, media_type=media_type, body=body, described=described
        )

    queued = await as_agent(request, work)
    await asyncio.to_thread(ring, import_due)
    return JSONResponse({"import": queued}, status_code=202)


async def send_site(request: Request) -> Response:
    """`{"sitemap": "https://…/sitemap.xml"}`: its pages are read soon, as robots.txt allows."""
    try:
        address = decode_object(await body_of(request, 16 * 1024)).get("sitemap")
    except ValueError:
        address = None
    if not isinstance(address, str) or not address.startswith(("https://", "http://")) or len(address) > ADDRESS_CHARS:
        raise Refused(422, 'send {"sitemap": "https://…/sitemap.xml"}')
    sitemap, described = storable(address), _described(request)
    await _may_write(request)
    queued = await as_agent(request, lambda conn, company: imports.queue_site(conn, company, sitemap, described))
    await asyncio.to_thread(ring, import_due)
    return JSONResponse({"import": queued}, status_code=202)


async def list_documents(request: Request) -> Response:
    after_id, limit = number(request, "after_id", 0, ID_MAX), number(request, "limit", 100, PAGE_MAX)

    def work(conn: Conn, company_id: int) -> Any:
        return {"documents": knowledge.list_documents(conn, company_id, after_id=after_id, limit=limit)}

    return as_json(await as_agent(request, work))


async def delete_document(request: Request) -> Response:
    document_id = int(request.path_params["document"])

    def work(conn: Conn, company_id: int) -> bool:
        return document_id <= ID_MAX and knowledge.delete_document(conn, company_id, document_id)

    if not await as_agent(request, work):
        raise Refused(404, "this company has no such document")
    return as_json({"deleted": True})


async def list_imports(request: Request) -> Response:
    """How many are in each state, and those in `?state=` (parked unless said otherwise) with their reason."""
    state = request.query_params.get("state", "parked")
    if state not in STATES:
        raise Refused(422, f"state should be one of {', '.join(STATES)}")
    after_id, limit = number(request, "after_id", 0, ID_MAX), number(request, "limit", 100, PAGE_MAX)

    def work(conn: Conn, company_id: int) -> Any:
        return {
            "counts": imports.counts(conn, company_id),
            "documents_without_vectors": embeddings.waiting(conn, company_id),
            "imports": imports.listed(conn, company_id, state, after_id=after_id, limit=limit),
        }

    return as_json(await as_agent(request, work))


async def retry_imports(request: Request) -> Response:
    count = await as_agent(request, imports.retry_parked)
    await asyncio.to_thread(ring, import_due)
    await asyncio.to_thread(ring, embed_due)
    return as_json({"queued": count})


def _described(request: Request) -> dict[str, str]:
    """Raises Refused(422) for a language or date that is none."""
    given = {key: storable(request.query_params[key]) for key in ("title", "collection", "language", "category")
             if request.query_params.get(key, "").strip()}  # fmt: skip
    if any(len(value) > NAME_CHARS for value in given.values()):
        raise Refused(422, f"title, collection, language and category may have {NAME_CHARS} characters")
    if "collection" in given:
        try:
            given["collection"] = name_of(given["collection"], "collection's name")
        except ValueError as e:
            raise Refused(422, str(e)) from None
    if "language" in given and given["language"] not in knowledge.LANGUAGES:
        raise Refused(422, f"language should be one of {', '.join(sorted(knowledge.LANGUAGES))}")
    if date := request.query_params.get("date"):
        try:
            given["dated_at"] = datetime.fromisoformat(date).isoformat()
        except ValueError:
            raise Refused(422, "date should be a time such as 2026-01-31T12:00:00+00:00") from None
    return given


ROUTES = [
    Route("/knowledge/documents", list_documents),
    Route("/knowledge/documents", send_document, methods=["POST"]),
    Route("/knowledge/documents/{document:int}", delete_document, methods=["DELETE"]),
    Route("/knowledge/sites", send_site, methods=["POST"]),
    Route("/knowledge/imports", list_imports),
    Route("/knowledge/imports/retry", retry_imports, methods=["POST"]),
]
