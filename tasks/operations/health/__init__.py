"""The registry of checks: what `GET /health` shows and what alerts come from.

A check looks at one thing and says what it found and what is wrong with it. Whoever builds something that can go wrong
adds its check here: a function in a module of its kind, and a line in CHECKS.
"""

from __future__ import annotations

from collections.abc import Mapping

from tasks.operations.health import database, knowledge, services, work
from tasks.operations.health.check import Away, Check, CheckContext, CheckResult, Examined, Problem, run

CHECKS: Mapping[str, Check] = {
    "database_size": database.size,
    "tables": database.tables,
    "indexes": database.indexes,
    "replication": database.replication,
    "long_queries": database.long_queries,
    "connections": database.connections,
    "redis": services.redis_memory,
    "disks": services.disks,
    "media": services.media,
    "breakers": services.breakers,
    "sockets": services.sockets,
    "caches": services.caches,
    "journal": work.journal,
    "balance": work.balance,
    "queues": work.queues,
    "rows": work.rows,
    "background": work.background,
    "channels": work.channels,
    "dropped": work.dropped,
    "overload": work.overload,
    "budgets": work.budgets,
    "jobs": work.jobs,
    "backups": work.backups,
    "embedding_models": knowledge.embedding_models_filled,
    "recall": knowledge.recall_kept,
}


def examine(visit: CheckContext, checks: Mapping[str, Check] = CHECKS) -> dict[str, Examined]:
    """Run every check and return what each found. One that raises is reported, and the others go on."""
    return {name: run(check, visit) for name, check in checks.items()}


def problems(examined: Mapping[str, Examined]) -> dict[str, str]:
    """Return the text of each problem by its key, as alerts use them."""
    return {f"{name}.{problem.key}": problem.words for name, one in examined.items() for problem in one.problems}


__all__ = ["CHECKS", "Away", "CheckContext", "CheckResult", "Examined", "Problem", "examine", "problems"]
