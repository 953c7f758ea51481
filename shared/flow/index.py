"""Embedding what documents hold: one batch of one document a call, in the space of the process' model."""

from __future__ import annotations

from enum import Enum

import structlog

from shared.errors import DatabaseUnavailable
from shared.resilience.backoff import delay_s
from shared.resources import Resources
from shared.store import embeddings
from shared.store.embeddings import Claim
from shared.store.pool import describe

log = structlog.get_logger(__name__)

BATCH = 64
"""Chunks a call: 2 to 4 s of the local model, so that companies take turns and a stop waits for little."""
LEASE_S = 120.0
EMBED_DEADLINE_S = 15.0
"""Below the grace period of a stop."""
RETRY_BASE_S, RETRY_CAP_S = 5.0, 900.0


class Result(Enum):
    NOTHING_DUE = "nothing_due"
    INDEXED = "indexed"
    MORE = "more"
    RETRY = "retry"


def index_next_document(r: Resources, after_company: int) -> tuple[Result, int]:
    """Embed the next batch of the document that is due next. Returns how it went and the company it was of (the
    cursor for the next call). Raises DatabaseUnavailable when nothing could be claimed."""
    with r.db.transaction() as conn:
        claim = embeddings.claim(conn, r.embedder.model, after_company, lease_s=LEASE_S)
    if claim is None:
        return Result.NOTHING_DUE, 0
    bound = {"company_id": claim.company_id, "document_id": claim.document_id}
    try:
        return _index(r, claim), claim.company_id
    except DatabaseUnavailable:
        # the lease ends by itself, and the document is found again
        log.warning("index_left", **bound, reason="database_unavailable")
    except Exception as e:
        wait_s = getattr(e, "retry_after_s", None) or delay_s(claim.attempts, RETRY_BASE_S, RETRY_CAP_S, r.rng)
        with r.db.transaction(claim.company_id) as conn:
            embeddings.postpone(conn, claim, delay_s=wait_s, error=describe(e))
        log.warning("index_failed", **bound, attempts=claim.attempts, exc_info=e)
    return Result.RETRY, claim.company_id


def _index(r: Resources, claim: Claim) -> Result:
    """No connection is held while the texts are embedded. Whatever was stored stays, whoever ends first."""
    model = r.embedder.model
    with r.db.transaction(claim.company_id) as conn:
        missing = embeddings.without_vector(conn, claim, model, BATCH + 1)
        if not missing:
            embeddings.finish(conn, claim, model)
            return Result.INDEXED
    batch = missing[:BATCH]
    # The title too: a section's text alone often does not say what it is about.
    vectors = r.embedder.embed([f"{part.title}\n{part.text}" for part in batch], deadline_s=EMBED_DEADLINE_S)
    with r.db.transaction() as conn:
        space_id = embeddings.ensure_space(conn, model, len(vectors[0]))
    with r.db.transaction(claim.company_id) as conn:
        pairs = [(part.chunk_id, vector) for part, vector in zip(batch, vectors, strict=True)]
        embeddings.add(conn, claim.company_id, space_id, pairs)
        more = len(missing) > BATCH
        if more:
            embeddings.go_on(conn, claim)
        else:
            embeddings.finish(conn, claim, model)
    log.info("indexed", company_id=claim.company_id, document_id=claim.document_id, chunks=len(batch), more=more)
    return Result.MORE if more else Result.INDEXED
