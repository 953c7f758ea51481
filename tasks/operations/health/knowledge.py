"""Health of the knowledge: whether every document has its vectors, and whether the vector indexes find what is near."""

from __future__ import annotations

from collections.abc import Iterator

from shared.store.knowledge import embedding_models, index_audit
from shared.store.knowledge.embedding_models import ModelHealth
from tasks.operations.health.check import CheckContext, CheckResult, Problem, need

BEHIND_S = 900.0
"""How old the oldest document without vectors of the active model may be; one of a hundred pages takes a minute."""
FILLING_S = 86_400.0


def embedding_models_filled(visit: CheckContext) -> CheckResult:
    """Report for each embedding model how many documents wait for their vectors."""
    found = embedding_models.health(need(visit.conn))
    data = {
        one.name: {"state": one.state, "waiting": one.waiting, "failing": one.failing, "oldest_s": round(one.oldest_s)}
        for one in found
    }
    return CheckResult(data, tuple(problem for one in found for problem in _problems(one)))


def _problems(model: ModelHealth) -> Iterator[Problem]:
    name, see = model.name, "./switchboard embedding-models progress"
    if model.failing:
        yield Problem(f"failing.{name}", f"{model.failing} documents cannot be embedded by {name}: {see}")
    if model.state == "active" and not model.full_once and model.waiting:
        yield Problem(f"half.{name}", f"{name} is active but was never filled, and at least {model.waiting}"
                                      f" documents are found by their words only: {see}")  # fmt: skip
    elif model.state == "active" and model.oldest_s > BEHIND_S:
        yield Problem(f"behind.{name}", f"{model.waiting} documents wait for vectors of {name}, the oldest for"
                                        f" {model.oldest_s:.0f} s: is the index worker running?")  # fmt: skip
    elif model.state == "filling" and model.age_s > FILLING_S:
        yield Problem(f"filling.{name}", f"{name} has been filling for {model.age_s / 3600:.0f} hours: {see}")


def recall_kept(visit: CheckContext) -> CheckResult:
    """Report the recall that the last audits of vector indexes measured."""
    found = index_audit.lowest(need(visit.conn))
    data = {"audited": found.audited, "low": found.low, "lowest": found.lowest, "lowest_company": found.company_id}
    if not found.low:
        return CheckResult(data)
    words = (
        f"the vector indexes of {found.low} companies have a recall below {index_audit.RECALL_MIN}, the lowest"
        f" {found.lowest:.2f} (company {found.company_id}): their ef_search was doubled; if the recall stays low for"
        " several nights, REINDEX INDEX CONCURRENTLY embeddings_hnsw_MODEL_COMPANY"
    )
    return CheckResult(data, (Problem("low", words),))
