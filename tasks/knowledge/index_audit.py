"""Whether the index still finds what is nearest: real questions, asked of it and exactly, for each large company."""

from __future__ import annotations

import structlog

from shared.store.knowledge import embeddings, index_audit
from tasks.knowledge import metrics
from tasks.knowledge.resources import KnowledgeResources

log = structlog.get_logger(__name__)

QUESTIONS = 20
NEAREST = 10
EMBED_DEADLINE_S = 20.0


def audit(r: KnowledgeResources, company_id: int) -> float | None:
    """Measure one company and have its index look twice as far where it found too little. Returns the recall; None
    where there is nothing to measure: a small company, which is searched exactly, or one that nobody asked."""
    with r.db.transaction(company_id) as conn:
        if not index_audit.by_index(conn, company_id):
            return None
        questions = list(dict.fromkeys(index_audit.recent_questions(conn, company_id, QUESTIONS)))
    if not questions:
        return None
    understood = r.understand(questions, deadline_s=EMBED_DEADLINE_S)
    vectors = [meaning.vector for meaning in understood.meanings.values()]
    if understood.space is None or not vectors:
        log.warning("recall_not_measured", company_id=company_id)
        return None
    found = wanted = 0
    with r.db.transaction(company_id) as conn:
        space_id = embeddings.find_space(conn, understood.space, len(vectors[0]))
        if space_id is None:
            return None
        for vector in vectors:
            near = embeddings.nearest(conn, company_id, space_id, vector, NEAREST)
            exact = embeddings.nearest(conn, company_id, space_id, vector, NEAREST, exact=True)
            # By distance, not by id: of two chunks that are equally near either will do.
            furthest = exact[-1].score - 1e-6 if exact else 0.0
            found += sum(passage.score >= furthest for passage in near)
            wanted += len(exact)
        share = min(found / wanted, 1.0) if wanted else 1.0
        ef_search = index_audit.list_of(conn, company_id, space_id)
        if share < index_audit.RECALL_MIN:
            ef_search = min(2 * ef_search, index_audit.EF_MAX)
        index_audit.record(conn, company_id, recall=share, questions=len(questions), ef_search=ef_search)
    metrics.RECALL.observe(share)
    if share < index_audit.RECALL_MIN:
        metrics.RECALL_LOW.inc()
        log.warning("recall_low", company_id=company_id, recall=round(share, 3), ef_search=ef_search)
    return share
