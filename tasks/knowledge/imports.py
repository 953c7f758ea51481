"""Turns files and web pages into documents, one import a call, within limits of size and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import Message
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import structlog

from shared import faults
from shared.errors import DatabaseUnavailable, Permanent
from shared.knowledge import chunk, extract, search, site
from shared.knowledge.extract import BYTES_MAX, Parsed, ReaderLost
from shared.resilience import outside
from shared.resilience.backoff import delay_s
from shared.resilience.breaker import BreakerOpen
from shared.resilience.egress import Fetched
from shared.store.db.pool import Conn, describe
from shared.store.knowledge import documents as store
from shared.store.knowledge import imports, sites
from shared.store.knowledge.imports import Claim, Import
from shared.store.tenants import limits
from shared.telemetry import work
from tasks.dispatch import ClaimCapacity, Claimed
from tasks.knowledge.resources import KnowledgeResources
from tasks.tenants import allowance
from tasks.tenants.allowance import NotAllowed

log = structlog.get_logger(__name__)

LEASE_S = 300.0
"""Above what reading a file may take."""
FETCH_DEADLINE_S = 20.0
SITE_WITHIN_S = 120.0
"""Within so long a site is asked for its sitemaps; fetching and reading the last one still ends before LEASE_S does."""
PAGE_BYTES = 5 * 1024 * 1024
ATTEMPTS_MAX = 5
KILLED_MAX = 2
"""So often a file may be what was read when the system killed its reader, as it does where memory runs out."""
RETRY_BASE_S, RETRY_CAP_S = 10.0, 900.0
BREAKER_OPEN = "the site does not answer; it is tried again soon"


class Result(Enum):
    NOTHING_DUE = "nothing_due"
    DONE = "done"
    FAILED = "failed"
    RETRY = "retry"


def take_due(r: KnowledgeResources, after_company: int, room: ClaimCapacity) -> Claimed[Claim]:
    """Claim as many due imports as there is capacity for, in turn between companies, and pass each to do(). Raises
    DatabaseUnavailable if nothing could be claimed."""
    with r.db.transaction() as conn:
        claims = imports.claim_several(
            conn, after_company, limit=room.slots, lease_s=LEASE_S, held=room.held, company_max=room.company_max
        )
    if claims:
        faults.reach("import.claimed")
    companies = [claim.company_id for claim in claims]
    return Claimed(claims, companies, companies[-1] if companies else 0, more=len(claims) == room.slots)


def import_next(r: KnowledgeResources, after_company: int) -> tuple[Result, int]:
    """Import what is due next. Returns the result and its company, which is the cursor for the next call. Raises
    DatabaseUnavailable if nothing could be claimed."""
    batch = take_due(r, after_company, ClaimCapacity(1))
    for claim in batch.pieces:
        return do(r, claim), batch.company
    return Result.NOTHING_DUE, 0


def do(r: KnowledgeResources, claim: Claim) -> Result:
    """Import what was claimed: it becomes a document, or it is marked as failed with the reason, or postponed."""
    key = f"import-{claim.company_id}-{claim.import_id}-{claim.version}"
    with work.piece("knowledge.import_document", key, company=claim.company_id, **{"import": claim.import_id}):
        return _do(r, claim)


def _do(r: KnowledgeResources, claim: Claim) -> Result:
    bound = {"company_id": claim.company_id, "import_id": claim.import_id}
    try:
        _import(r, claim)
    except DatabaseUnavailable:
        log.warning("import_left", **bound, reason="database_unavailable")
        work.retried("database_unavailable")
        return Result.RETRY
    except Permanent as e:
        return _failed(r, claim, str(e))
    except NotAllowed as e:
        with r.db.transaction(claim.company_id) as conn:
            imports.postpone(conn, claim, delay_s=e.retry_after_s or 0.0, reason=str(e), tried=False)
        log.warning("import_waits", **bound, reason=e.reason)
        work.retried("waits", e.reason)
        return Result.RETRY
    except BreakerOpen as e:
        # no attempt: the site has failed again and again, whatever was asked of it
        with r.db.transaction(claim.company_id) as conn:
            imports.postpone(conn, claim, delay_s=e.retry_after_s or 0.0, reason=BREAKER_OPEN, tried=False)
        log.warning("import_waits", **bound, reason="breaker_open")
        work.retried("waits", "breaker_open")
        return Result.RETRY
    except Exception as e:
        if claim.attempts >= (KILLED_MAX if isinstance(e, ReaderLost) and e.killed else ATTEMPTS_MAX):
            return _failed(r, claim, f"{describe(e)}, {claim.attempts} times")
        wait_s = delay_s(claim.attempts, RETRY_BASE_S, RETRY_CAP_S, r.rng)
        with r.db.transaction(claim.company_id) as conn:
            imports.postpone(conn, claim, delay_s=wait_s, reason=describe(e))
        log.warning("import_failed", **bound, attempts=claim.attempts, exc_info=e)
        work.retried(describe(e))
        return Result.RETRY
    faults.reach("import.after_commit")
    log.info("imported", **bound)
    work.ended("imported")
    return Result.DONE


def _failed(r: KnowledgeResources, claim: Claim, reason: str) -> Result:
    with r.db.transaction(claim.company_id) as conn:
        imports.fail(conn, claim, reason)
    log.warning("import_failed", company_id=claim.company_id, import_id=claim.import_id)
    work.failed("unreadable")
    return Result.FAILED


def _import(r: KnowledgeResources, claim: Claim) -> None:
    """Read the file or fetch the page, holding no database connection meanwhile."""
    if claim.attempts > ATTEMPTS_MAX:
        raise Permanent("import", f"{ATTEMPTS_MAX} workers ended while they read it")
    with r.db.transaction(claim.company_id) as conn:
        wanted = imports.load(conn, claim)
        if wanted is None:
            return
        costs = limits.SITES if wanted.kind == "site" else limits.IMPORTS
        allowance.take(conn, claim.company_id, costs, now=r.clock.now(), spread=r.rng.random())
    if wanted.kind == "site":
        _queue_pages(r, claim, wanted)
        return
    name, media_type, body = (wanted.name, wanted.media_type, wanted.body)
    seen = None
    if wanted.kind == "page":
        fetched = _page(r, wanted)
        faults.reach("import.fetched")
        if fetched is None:
            with r.db.transaction(claim.company_id) as conn:
                imports.unchanged(conn, claim)
            return
        # By what it was sent as: `/about.php` tells nothing.
        name, media_type, body = "", fetched.headers.get("content-type") or "text/html", fetched.body
        seen = {"as": chunk.VERSION, **(_tags(fetched) if fetched.url == wanted.source else {})}
    if body is None:
        raise Permanent("import", "what was sent is not there any more: send it again")
    parsed = read(name, media_type, body, title=wanted.described.get("title"), called=wanted.name)
    faults.reach("import.chunked")
    with r.db.transaction(claim.company_id) as conn:
        added = add(conn, claim.company_id, wanted.source, parsed, wanted.described)
        faults.reach("import.stored")
        imports.finish(conn, claim, added.document_id, seen)
        faults.reach("import.before_commit")


def _queue_pages(r: KnowledgeResources, claim: Claim, wanted: Import) -> None:
    """Queue the pages that a sitemap names, and remove those that it no longer names."""
    found = site.pages_of(wanted.source, _getting(r))
    faults.reach("import.site_fetched")
    with r.db.transaction(claim.company_id) as conn:
        queued = sites.queue_pages(
            conn, claim.company_id, found.pages, wanted.described, site=wanted.source, version=chunk.VERSION
        )
        faults.reach("import.site_stored")
        gone = 0 if found.named is None else sites.part_with(conn, claim.company_id, wanted.source, found.named)
        imports.finish(conn, claim, None)
        faults.reach("import.site_before_commit")
    log.info(
        "site_read", company_id=claim.company_id, pages=queued, as_before=len(found.pages) - queued, left=found.left,
        gone=gone,
    )  # fmt: skip


def _page(r: KnowledgeResources, wanted: Import) -> Fetched | None:
    """Fetch a page; None if it has not changed since it became its document."""
    seen = wanted.seen if wanted.seen is not None and wanted.seen.get("as") == chunk.VERSION else {}
    asked = {_ASKED[name]: str(value) for name, value in seen.items() if name in _ASKED}
    fetched = _get(r, wanted.source, PAGE_BYTES, asked)
    if fetched.status == 304 and asked:
        return None
    if fetched.status in (429, 503):
        raise ConnectionError(f"the page answers {fetched.status}")  # later, it may be there
    if fetched.status != 200:
        raise Permanent("page", f"the page answers {fetched.status}")
    if urlsplit(fetched.url).netloc != urlsplit(wanted.source).netloc:
        raise Permanent("page", "the page leads to another site")
    return fetched


_ASKED = {"etag": "if-none-match", "modified": "if-modified-since"}
TAG_CHARS = 200


def _tags(fetched: Fetched) -> dict[str, str]:
    """Return the validators (ETag, Last-Modified) to send with the next request."""
    found = {"etag": fetched.headers.get("etag", ""), "modified": fetched.headers.get("last-modified", "")}
    return {name: value for name, value in found.items() if 0 < len(value) <= TAG_CHARS and value.isascii()}


def _getting(r: KnowledgeResources) -> site.Get:
    """Return a function that fetches what a site names. It raises TimeoutError once the site's time is over, before
    another worker may claim the site."""
    until_s = r.clock.monotonic_s() + SITE_WITHIN_S

    def get(address: str, max_bytes: int) -> Fetched:
        if r.clock.monotonic_s() >= until_s:
            raise TimeoutError(f"the site took longer than {SITE_WITHIN_S:.0f} s")
        return _get(r, address, max_bytes)

    return get


def _get(r: KnowledgeResources, address: str, max_bytes: int, headers: Mapping[str, str] | None = None) -> Fetched:
    """Through the guard: resolved once, never into a private network, bounded in bytes and time. Behind the site's
    breaker: raises BreakerOpen."""

    async def get(within_s: float) -> Fetched:
        return await r.egress.get(address, purpose="site", deadline_s=within_s, max_bytes=max_bytes, headers=headers)

    return r.loop.run(
        outside.fetch(r.outside.sites, address, get, deadline_s=FETCH_DEADLINE_S),
        timeout_s=FETCH_DEADLINE_S + 5,
    )


def read(
    name: str, media_type: str | None, body: bytes, *, title: str | None = None, called: str | None = None
) -> Parsed:
    """A file as a document in chunks, made in a child that has limits. title: instead of its own; called: what it is
    named after where it has none, else its name. Raises Permanent, which says why not, and ReaderLost. Call outside a
    transaction."""
    kind = extract.format_of(name, media_type)
    if kind is None:
        raise Permanent("format", f"none of the formats that are read: {', '.join(extract.FORMATS)}")
    charset = Message()
    charset["content-type"] = media_type or ""
    return extract.read_document(
        kind, body, title=title, name=title_of(called or name), charset=charset.get_content_charset()
    )


def add(conn: Conn, company_id: int, source: str, parsed: Parsed, described: Mapping[str, Any]) -> store.Added:
    """Make it a document. described: collection, language, category, dated_at (ISO), each optional.
    Raises Permanent for a language or time that is none."""
    try:
        dated_at = datetime.fromisoformat(described["dated_at"]) if described.get("dated_at") else None
        return search.add_parsed(
            conn, company_id, parsed,
            source=source,
            language=described.get("language"),
            collection=described.get("collection") or "default",
            category=described.get("category"),
            dated_at=dated_at,
            once=True,
        )  # fmt: skip
    except ValueError as e:
        raise Permanent("document", str(e)) from None


def title_of(name: str) -> str:
    """`returns-and-refunds.pdf` → `returns and refunds`."""
    last = urlsplit(name).path.rstrip("/").rpartition("/")[2] or name
    stem = last.rpartition(".")[0] or last
    return stem.replace("-", " ").replace("_", " ").strip() or name


__all__ = ["BYTES_MAX", "Result", "add", "do", "import_next", "read", "take_due", "title_of"]
