"""A company's documents and websites over HTTP: add, list, delete, and show how far reading them is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from starlette.requests import Request

from gateway.api.agents import Agent, Reader, Writer
from gateway.http.limits import Ask
from gateway.http.parameters import Wrong, read_date
from gateway.http.rate_headers import too_many
from gateway.http.refused import Refused
from gateway.rest import cursors
from gateway.rest.endpoint import Endpoint
from gateway.rest.given import Given, Id, Page
from shared.knowledge.extract import BYTES_MAX, FORMATS, format_of
from shared.model import Rate
from shared.names import name_of
from shared.resilience.refusals import Asker
from shared.store.db.pool import Conn
from shared.store.knowledge import documents, embeddings, imports
from shared.store.knowledge.documents import Document
from shared.store.knowledge.imports import Listed as Import
from shared.text import storable
from tasks.knowledge.tasks import embed_due, import_due
from tasks.wakeups import wake_up

NAME_CHARS = 500
ADDRESS_CHARS = 2_000
SITE_MAX_BYTES = 16 * 1024

DOCUMENTS = APIRouter(prefix="/api/v1/documents", tags=["documents"], route_class=Endpoint)
SITES = APIRouter(prefix="/api/v1/sites", tags=["documents"], route_class=Endpoint)
IMPORTS = APIRouter(prefix="/api/v1/imports", tags=["documents"], route_class=Endpoint)


def _language(given: str) -> str:
    if given.strip() and given not in documents.LANGUAGES:
        raise Wrong(f"should be one of {', '.join(sorted(documents.LANGUAGES))}")
    return given


def _collection(given: str) -> str:
    try:
        return name_of(given, "collection's name") if given.strip() else ""
    except ValueError as e:
        raise Wrong(f"is not a name: {e}") from None


class Described(Given):
    title: str = Field("", max_length=NAME_CHARS)
    collection: Annotated[str, AfterValidator(_collection)] = ""
    """A name for a group of documents; without one it is `default`."""
    language: Annotated[str, AfterValidator(_language)] = ""
    """How words are stemmed: a text search configuration of PostgreSQL; without one it is detected from the text."""
    category: str = Field("", max_length=NAME_CHARS)
    date: Annotated[datetime, BeforeValidator(read_date)] | None = None
    """When it was said or written: a day or a time."""

    def described(self) -> dict[str, str]:
        given = {name: getattr(self, name) for name in ("title", "collection", "language", "category")}
        dated = {} if self.date is None else {"dated_at": self.date.isoformat()}
        return {name: value for name, value in given.items() if value.strip()} | dated


class File(Described):
    name: str = Field(min_length=1, max_length=NAME_CHARS, pattern=r"\S")
    """Its source, such as `returns.md`; a file with the same name replaces it."""

    @property
    def source(self) -> str:
        return self.name.strip()


class Site(Given):
    sitemap: str = Field(
        max_length=ADDRESS_CHARS, pattern="^https?://", examples=["https://www.example.com/sitemap.xml"]
    )


class InState(Page):
    state: Literal["queued", "done", "failed"] = "failed"
    """`failed`: it could not be read, and `reason` says why."""


class Queued(BaseModel):
    number: int = Field(serialization_alias="import")


@dataclass(frozen=True, slots=True)
class Documents:
    documents: list[Document]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Imports:
    """How many imports are in each state, how many documents have no vectors yet, and the imports in one state."""

    counts: dict[str, int]
    documents_without_vectors: int
    imports: list[Import]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Deleted:
    deleted: bool


@dataclass(frozen=True, slots=True)
class Again:
    queued: int


async def within(agent: Agent, what: Literal["search", "write"]) -> None:
    """Raises Refused(429) beyond what a company's agents together may ask or send."""
    settings = agent.edge.settings
    limit = settings.knowledge.search_limit if what == "search" else settings.knowledge.write_limit
    rate = Rate(f"knowledge_{what}:{agent.company_id}", limit.count, 60.0, burst=limit.burst)
    asker: Asker = "key" if agent.key.agent_id is None else "agent"
    decision = await agent.edge.limits.decide((Ask(f"knowledge_{what}", asker, agent.company_id, "all", rate),))
    if not decision.allowed:
        raise too_many(decision)


async def may_write(agent: Writer) -> None:
    await within(agent, "write")


async def may_send_file(request: Request, agent: Writer, query: Annotated[File, Query()]) -> None:
    """Before a file is read: its format. Raises Refused(415, 429)."""
    if format_of(query.source, request.headers.get("content-type")) is None:
        raise Refused(415, f"none of the formats that are read: {', '.join(FORMATS)}")
    await within(agent, "write")


@DOCUMENTS.post(
    "", summary="Send a document", status_code=202, max_body_size=BYTES_MAX, dependencies=[Depends(may_send_file)],
    responses={415: {"description": "A file of a format that cannot be read."}},
)  # fmt: skip
async def send_document(
    request: Request, agent: Writer, query: Annotated[File, Query()],
    file: Annotated[bytes, Body(media_type="application/octet-stream")],
) -> Queued:  # fmt: skip
    """A file as the body, up to 25 MiB. It is read afterwards; its import tells what became of it. The ending of the
    name or the Content-Type says which format it is."""
    media_type, described = request.headers.get("content-type"), query.described()

    def work(conn: Conn, company_id: int) -> int:
        return imports.queue_file(
            conn, company_id, source=query.source, name=query.source,
            media_type=None if media_type is None else storable(media_type), body=file, described=described,
        )  # fmt: skip

    queued = await agent.work(work)
    await asyncio.to_thread(wake_up, import_due)
    return Queued(number=queued)


@SITES.post(
    "", summary="Read a website", status_code=202, max_body_size=SITE_MAX_BYTES, dependencies=[Depends(may_write)]
)
async def send_site(agent: Writer, query: Annotated[Described, Query()], given: Site) -> Queued:
    """Its pages are read soon, as robots.txt allows. What the query says describes each of them."""
    queued = await agent.work(lambda conn, company: imports.queue_site(conn, company, given.sitemap, query.described()))
    await asyncio.to_thread(wake_up, import_due)
    return Queued(number=queued)


@DOCUMENTS.get("", summary="List documents")
async def list_documents(agent: Reader, query: Annotated[Page, Query()]) -> Documents:
    """By id."""
    after_id = cursors.after_id(query.cursor)

    def work(conn: Conn, company_id: int) -> Documents:
        found = documents.list_documents(conn, company_id, after_id=after_id, limit=query.limit)
        return Documents(found, cursors.next_cursor(found, query.limit, "id"))

    return await agent.work(work)


@DOCUMENTS.delete("/{document:id}", summary="Delete a document")
async def delete_document(agent: Writer, document: Id) -> Deleted:
    """It is not found by the next search."""
    if not await agent.work(lambda conn, company: documents.delete_document(conn, company, document)):
        raise Refused(404, "this company has no such document")
    return Deleted(True)


@IMPORTS.get("", summary="List imports")
async def list_imports(agent: Reader, query: Annotated[InState, Query()]) -> Imports:
    """How far reading files, sites and pages is, and the imports in one state."""
    after_id = cursors.after_id(query.cursor)

    def work(conn: Conn, company_id: int) -> Imports:
        found = imports.listed(conn, company_id, query.state, after_id=after_id, limit=query.limit)
        return Imports(
            imports.counts(conn, company_id), embeddings.waiting(conn, company_id), found,
            cursors.next_cursor(found, query.limit, "id"),
        )  # fmt: skip

    return await agent.work(work)


@IMPORTS.post("/retry", summary="Retry failed imports")
async def retry_imports(agent: Writer) -> Again:
    """Queues every failed import again whose content is still there."""
    count = await agent.work(imports.retry_failed)
    await asyncio.to_thread(wake_up, import_due)
    await asyncio.to_thread(wake_up, embed_due)
    return Again(count)
