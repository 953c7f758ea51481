"""Searches for the passages of a question, and answers from cached results where it can, without embedding the
question."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from shared.knowledge import metrics, rank, search
from shared.knowledge.conversation import Said
from shared.knowledge.embedding_models import Understood
from shared.knowledge.remembered import Results
from shared.knowledge.search import questions_of
from shared.model import Passage
from shared.store.db.pool import Database
from shared.store.knowledge.filters import Filter


@dataclass(frozen=True, slots=True)
class Question:
    """A question of one company.

    lines: the messages of a burst, or a single one. before: the conversation so far. asker: whose access rights the
    search has.
    """

    company_id: int
    lines: Sequence[str]
    limit: int
    before: Sequence[Said] = ()
    where: Filter | None = None
    asker: str = ""


def ask(
    db: Database, question: Question, results: Results, model: str | None, understand: Callable[[], Understood]
) -> tuple[Understood, list[Passage]]:
    """Search for the best passages, from the cache where possible. Returns also which embedding model was used.

    model: the active one, if its embedder is there. understand: embeds the question's lines (`questions_of`); called
    outside a transaction, and only if their results are not all cached. Raises DatabaseUnavailable, and psycopg's
    InsufficientPrivilege for a filter that names another company's documents.
    """
    missing: Collection[str] = ()
    if model is not None:
        found, missing = _recalled(db, question, results, model)
        if found is not None:
            metrics.KNOWLEDGE_RANKED.inc(model, "active")
            return Understood({}, model, "active"), found
    understood = understand()
    with db.transaction(question.company_id) as conn:
        found = search.search_burst(
            conn, question.company_id, question.lines, question.limit, understood.meanings, before=question.before,
            where=question.where, results=results, asker=question.asker,
            missing=missing if understood.embedding_model == model else (),
        )  # fmt: skip
    return understood, found


def _recalled(
    db: Database, question: Question, results: Results, model: str
) -> tuple[list[Passage] | None, Collection[str]]:
    """Return the cached results for all lines if they are still valid; otherwise None, and the lines that had none."""
    asked = questions_of(question.lines)
    supposed = results.version_of(question.company_id)
    if supposed is None:
        return None, ()
    keys = {
        text: search.remembered_as(
            question.company_id, supposed, text, question.limit, model if text.strip() else None, question.before,
            question.where, question.asker,
        ) for text in asked
    }  # fmt: skip
    known = results.get_many(list(keys.values()))
    if len(known) < len(keys):
        return None, [text for text, key in keys.items() if key not in known]
    with db.transaction(question.company_id) as conn:
        found = search.with_texts(conn, question.company_id, [known[keys[text]] for text in asked], supposed)
    return (None, asked) if found is None else (rank.fuse(found, question.limit), ())
