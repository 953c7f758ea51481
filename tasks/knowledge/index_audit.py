"""Audits the recall of large companies' vector indexes: recent questions, searched by the index and exactly."""

from __future__ import annotations

import structlog

from shared.llm import made_calls
from shared.store.knowledge import embeddings, index_audit
from tasks.knowledge import metrics
from tasks.knowledge.resources import KnowledgeResources

log = structlog.get_logger(__name__)

QUESTIONS = 20
NEAREST = 10
EMBED_DEADLINE_S = 20.0


def audit(r: KnowledgeResources, company_id: int) -> float | None:
    """Measure the recall of one company's index, and double its ef_search if the recall is too low.

    Returns the recall, 0 to 1; None if there is nothing to measure: a small company is searched exactly, and another
    one was asked nothing.
    """
    with r.db.transaction(company_id) as conn:
        if not index_audit.by_index(conn, company_id):
            return None
        questions = list(dict.fromkeys(index_audit.recent_questions(conn, company_id, QUESTIONS)))
    if not questions:
        return None
    with made_calls.recorded(r.db, company_id):
        understood = r.understand(questions, deadline_s=EMBED_DEADLINE_S)
    vectors = [meaning.vector for meaning in understood.meanings.values()]
    if understood.embedding_model is None or not vectors:
        log.warning("recall_not_measured", company_id=company_id)
        return None
    found = wanted = 0
    with r.db.transaction(company_id) as conn:
        model_id = embeddings.find_model(conn, understood.embedding_model, len(vectors[0]))
        if model_id is None:
            return None
        for vector in vectors:
            near = embeddings.nearest(conn, company_id, model_id, vector, NEAREST)
            exact = embeddings.nearest(conn, company_id, model_id, vector, NEAREST, exact=True)
            # By distance, not by id: of two chunks that are equally near either will do.
            furthest = exact[-1].score - 1e-6 if exact else 0.0
            found += sum(passage.score >= furthest for passage in near)
            wanted += len(exact)
        share = min(found / wanted, 1.0) if wanted else 1.0
        ef_search = index_audit.list_of(conn, company_id, model_id)
        if share < index_audit.RECALL_MIN:
            ef_search = min(2 * ef_search, index_audit.EF_MAX)
        index_audit.record(conn, company_id, recall=share, questions=len(questions), ef_search=ef_search)
    metrics.RECALL.observe(share)
    if share < index_audit.RECALL_MIN:
        metrics.RECALL_LOW.inc()
        log.warning("recall_low", company_id=company_id, recall=round(share, 3), ef_search=ef_search)
    return share
