"""Keeps the vectors and results of frequent questions in the cache: found each hour, renewed before they expire.

Nothing stale is kept, because results are cached under the version of the company's knowledge.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby

from shared.knowledge import search as knowledge
from shared.llm import made_calls
from shared.resources import Resources, open_resources
from shared.store.knowledge import popular
from shared.store.models import usage
from shared.store.operations.jobs import Cursor
from shared.store.tenants import companies
from tasks.answers.reply import PASSAGES, QUESTION_LINE_CHARS
from tasks.knowledge.resources import KnowledgeResources
from tasks.operations.jobs import Batch, Job, Preview, Work

COMPANIES_A_BATCH = 50
QUESTIONS_A_COMPANY = 20
QUESTIONS = 300
"""Of all companies together: at 10 ms a search 3 s of each four minutes."""
EMBED_DEADLINE_S = 10.0


def _find(work: Work, cursor: Cursor | None) -> Batch:
    ids = companies.ids_after(work.conn, int(cursor["after"]) if cursor else 0, limit=COMPANIES_A_BATCH)
    found = 0
    for company_id in ids:
        with work.transaction(company_id) as conn:
            found += popular.find(conn, company_id, limit=QUESTIONS_A_COMPANY)
    return Batch(found, next={"after": ids[-1]} if len(ids) == COMPANIES_A_BATCH else None)


def _warm(work: Work, cursor: Cursor | None) -> Batch:
    """Renew all questions in one batch, because a second batch would come to the first one's companies again."""
    asked = popular.commonest(work.conn, limit=QUESTIONS)
    if not asked:
        return Batch()
    with _resources(work) as r:
        for company_id, questions in groupby(asked, key=lambda one: one.company_id):
            with work.transaction(company_id) as conn:
                texts = popular.texts(conn, company_id, [one.message_id for one in questions])
            _renew(r, company_id, [text[-QUESTION_LINE_CHARS:] for text in texts])
    return Batch(len(asked))


def _renew(r: KnowledgeResources, company_id: int, questions: list[str]) -> None:
    """Search as an answer does at the beginning of a conversation."""
    with made_calls.collected() as made:
        understood = r.understand(questions, deadline_s=EMBED_DEADLINE_S, renew=True)
    with r.db.transaction(company_id) as conn:
        for question in questions:
            knowledge.search(
                conn, company_id, question, 2 * PASSAGES, understood.meanings.get(question), results=r.results,
                renew=True,
            )  # fmt: skip
        usage.add(conn, company_id, made)


@contextmanager
def _resources(work: Work) -> Iterator[Resources]:
    """Return the worker's resources, or open some for a run by hand."""
    if work.resources is not None:
        yield work.resources
        return
    opened = open_resources(work.settings, name="job", clock=work.clock)
    try:
        yield opened
    finally:
        opened.close()


def _would_find(work: Work) -> Preview:
    count = len(companies.ids(work.conn))
    return Preview(count, 0, (f"would look through the last turns of {count} companies",))


def _would_warm(work: Work) -> Preview:
    asked = popular.commonest(work.conn, limit=QUESTIONS)
    lines = tuple(
        f"company {company_id}: would renew {len(list(questions))} questions"
        for company_id, questions in groupby(asked, key=lambda one: one.company_id)
    )
    return Preview(len(asked), 0, lines)


FIND = Job("knowledge.find_popular", _find, _would_find, as_owner=False)
WARM = Job("knowledge.warm_popular", _warm, _would_warm, as_owner=False)
