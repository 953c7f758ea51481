"""What customers' questions are answered from: whether all of it can be found by its meaning, and whether the index
still finds what is near."""

from __future__ import annotations

from collections.abc import Iterator

from shared.store.knowledge import embedding_models, index_audit
from shared.store.knowledge.embedding_models import Watched
from tasks.operations.health.check import CheckContext, CheckResult, Problem, need

BEHIND_S = 900.0
"""Of the active space: a document of a hundred pages takes a minute."""
FILLING_S = 86_400.0


def spaces_filled(visit: CheckContext) -> CheckResult:
    """Each space: how much of it waits for its vectors."""
    found = embedding_models.watched(need(visit.conn))
    data = {
        one.model: {"state": one.state, "waiting": one.waiting, "failing": one.failing, "oldest_s": round(one.oldest_s)}
        for one in found
    }
    return CheckResult(data, tuple(problem for one in found for problem in _problems(one)))


def _problems(space: Watched) -> Iterator[Problem]:
    name, see = space.model, "./switchboard spaces progress"
    if space.failing:
        yield Problem(f"failing.{name}", f"{space.failing} documents cannot be embedded by {name}: {see}")
    if space.state == "active" and not space.full_once and space.waiting:
        yield Problem(f"half.{name}", f"{name} ranks and was never full, {space.waiting} documents or more are found by"
                                      f" their words alone: {see}")  # fmt: skip
    elif space.state == "active" and space.oldest_s > BEHIND_S:
        yield Problem(f"behind.{name}", f"{space.waiting} documents wait for vectors of {name}, the oldest for"
                                        f" {space.oldest_s:.0f} s: is the index worker running?")  # fmt: skip
    elif space.state == "filling" and space.age_s > FILLING_S:
        yield Problem(f"filling.{name}", f"{name} is being filled for {space.age_s / 3600:.0f} hours: {see}")


def recall_kept(visit: CheckContext) -> CheckResult:
    """The last audits of the companies that are searched by a graph."""
    found = index_audit.lowest(need(visit.conn))
    data = {"audited": found.audited, "low": found.low, "lowest": found.lowest, "lowest_company": found.company_id}
    if not found.low:
        return CheckResult(data)
    words = (
        f"the graphs of {found.low} companies find less than {index_audit.RECALL_MIN} of what is nearest, that of"
        f" company {found.company_id} {found.lowest:.2f}: they are looked through further since; if it stays so for"
        " nights, REINDEX INDEX CONCURRENTLY embeddings_graph_SPACE_COMPANY"
    )
    return CheckResult(data, (Problem("low", words),))
