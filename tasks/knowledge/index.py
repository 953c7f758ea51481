"""Embeds the chunks of documents, one batch of one document a call. The active embedding model comes first; the others
are filled while nothing waits for it."""

from __future__ import annotations

from enum import Enum

import structlog

from shared import faults
from shared.errors import DatabaseUnavailable, Permanent
from shared.llm import made_calls
from shared.llm.metrics import UNRECORDED
from shared.model import ModelAttempt
from shared.resilience.backoff import delay_s
from shared.resilience.breaker import BreakerOpen
from shared.store.db.pool import describe
from shared.store.knowledge import embedding_models, embeddings
from shared.store.knowledge.embedding_models import EmbeddingModel
from shared.store.knowledge.embeddings import Claim
from shared.store.models import usage
from shared.telemetry import work
from tasks.knowledge.resources import KnowledgeResources

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


def index_next_document(r: KnowledgeResources, after_company: int) -> tuple[Result, int]:
    """Embed the next batch of the document that is due next. Returns how it went and the company it was of (the
    cursor for the next call). Raises DatabaseUnavailable when nothing could be claimed."""
    workable = _workable(r)
    if not workable:
        return Result.NOTHING_DUE, 0
    with r.db.transaction() as conn:
        claim = embeddings.claim(conn, list(workable), after_company, lease_s=LEASE_S)
    if claim is None:
        return Result.NOTHING_DUE, 0
    faults.reach("index.claimed")
    with work.piece("knowledge.embed_batch", company=claim.company_id, document=claim.document_id):
        return _index_claimed(r, claim, workable[claim.model_id]), claim.company_id


def _index_claimed(r: KnowledgeResources, claim: Claim, model: EmbeddingModel) -> Result:
    bound = {"company_id": claim.company_id, "document_id": claim.document_id, "embedding_model": model.name}
    made: list[ModelAttempt] = []
    try:
        with made_calls.collected() as made:
            result = _index(r, claim, model, made)
        work.ended(result.value)
        return result
    except DatabaseUnavailable:
        # the lease ends by itself, and the document is found again
        log.warning("index_left", **bound, reason="database_unavailable")
        UNRECORDED.inc(by=len(made))
        work.retried("database_unavailable")
    except Exception as e:
        if isinstance(e, BreakerOpen):
            r.embedding_models.back_off(model.id, e.retry_after_s or RETRY_BASE_S)
        wait_s = getattr(e, "retry_after_s", None) or delay_s(claim.attempts, RETRY_BASE_S, RETRY_CAP_S, r.rng)
        with r.db.transaction(claim.company_id) as conn:
            embeddings.postpone(conn, claim, delay_s=wait_s, error=describe(e))
            usage.add(conn, claim.company_id, made_calls.taken(made))
        log.warning("index_failed", **bound, attempts=claim.attempts, exc_info=e)
        work.retried(describe(e))
    return Result.RETRY


def _workable(r: KnowledgeResources) -> dict[int, EmbeddingModel]:
    """Return the embedding models that this process has an embedder for, by id, in the order in which to fill them.

    Adds the model of the process's first embedder if it is missing: on a new installation, and after EMBEDDINGS_MODEL
    was changed.
    """
    known = r.embedding_models.every()
    if r.embedder.model not in {model.name for model in known}:
        with r.db.transaction() as conn:
            embedding_models.add(conn, r.embedder.model)
        log.info("embedding_model_added", embedding_model=r.embedder.model)
        r.embedding_models.forget()
        known = r.embedding_models.every()
    embedders = r.embedders
    return {
        model.id: model for model in known
        if model.name in embedders and model.state != "dropping" and not r.embedding_models.backs_off(model.id)
    }  # fmt: skip


def _index(r: KnowledgeResources, claim: Claim, model: EmbeddingModel, made: list[ModelAttempt]) -> Result:
    """Embed the next batch, holding no connection meanwhile. What was stored stays, even if the claim is lost. made:
    the calls of the embedder, of which what is stored is taken."""
    with r.db.transaction(claim.company_id) as conn:
        missing = embeddings.without_vector(conn, claim, BATCH + 1)
        if not missing:
            embeddings.finish(conn, claim)
            return Result.INDEXED
    batch = missing[:BATCH]
    # The title too: a section's text alone often does not say what it is about.
    texts = [f"{part.title}\n{part.text}" for part in batch]
    vectors = r.embedders[model.name].embed(texts, deadline_s=EMBED_DEADLINE_S, passages=True)
    faults.reach("index.embedded")
    if model.dimension is None:
        with r.db.transaction() as conn:
            embeddings.ensure_model(conn, model.name, len(vectors[0]))
        r.embedding_models.forget()
    elif len(vectors[0]) != model.dimension:
        raise Permanent("embedding_dimension", f"{model.name}: {len(vectors[0])} dimensions, not {model.dimension}")
    with r.db.transaction(claim.company_id) as conn:
        pairs = [(part.chunk_id, vector) for part, vector in zip(batch, vectors, strict=True)]
        embeddings.add(conn, claim.company_id, claim.model_id, pairs)
        more = len(missing) > BATCH
        if more:
            embeddings.go_on(conn, claim)
        else:
            embeddings.finish(conn, claim)
        calls = made_calls.taken(made)
        usage.add(conn, claim.company_id, calls)
        faults.reach("index.before_commit")
    faults.reach("index.after_commit")
    log.info(
        "indexed", company_id=claim.company_id, document_id=claim.document_id, embedding_model=model.name,
        chunks=len(batch), more=more,
    )  # fmt: skip
    return Result.MORE if more else Result.INDEXED
