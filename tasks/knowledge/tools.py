"""Functions with which a model may search a company's knowledge. Each works for one company and sees no other.

Names and ids from a model are passed as values, never as SQL, and never trusted: the database refuses documents that
are not the company's, and nothing here writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.knowledge import trim
from shared.knowledge.asking import Question
from shared.model import Passage
from shared.store.knowledge import documents as store
from shared.store.knowledge import passages
from shared.store.knowledge.documents import Document
from shared.store.knowledge.filters import Filter
from tasks.knowledge.resources import KnowledgeResources

LIMIT_MAX = 20
BUDGET_TOKENS = 3_000
AROUND_MAX = 5
QUESTION_CHARS = 1_000
EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Desk:
    """One company's knowledge, as far as the asker may see it. within: a filter that every search keeps to (speakers
    narrow searches, not reading). asker: names those rights, because results are cached under them."""

    r: KnowledgeResources
    company_id: int
    asker: str = ""
    within: Filter = EVERYTHING

    def search(self, question: str, limit: int = 6) -> list[Passage]:
        """Return the passages that answer a question best."""
        return self._find(question, self.within, limit)

    def search_by_speaker(self, question: str, speaker: str, limit: int = 6) -> list[Passage]:
        """Return what a speaker said about a question."""
        return self._find(question, self._narrowed(speakers=(speaker,)), limit)

    def search_by_date(
        self, question: str, since: datetime | None, until: datetime | None, limit: int = 6
    ) -> list[Passage]:
        """Return what was said or written about a question in a period; until is exclusive."""
        # the narrower bound of each side: nobody looks outside what they may see
        since = max((time for time in (since, self.within.since) if time is not None), default=None)
        until = min((time for time in (until, self.within.until) if time is not None), default=None)
        return self._find(question, replace(self.within, since=since, until=until), limit)

    def search_by_category(self, question: str, category: str, limit: int = 6) -> list[Passage]:
        return self._find(question, self._narrowed(categories=(category,)), limit)

    def list_documents(self, after_id: int = 0, limit: int = 50) -> list[Document]:
        """List documents in the order of their ids, starting after after_id."""
        with self.r.db.transaction(self.company_id) as conn:
            return store.list_documents(
                conn, self.company_id, after_id=after_id, limit=min(max(limit, 1), 200), where=self.within
            )

    def read_passage(self, chunk_id: int, around: int = 1) -> list[Passage]:
        """Return a passage with those before and after it in its document; nothing if it does not exist."""
        with self.r.db.transaction(self.company_id) as conn:
            return passages.surroundings(
                conn, self.company_id, chunk_id, min(max(around, 0), AROUND_MAX), where=self.within
            )

    def compare_documents(self, one: int, other: int, question: str, limit: int = 3) -> dict[int, list[Passage]]:
        """Return what two documents say about a question, each with its own best passages."""
        return {
            document: self._find(question, self._narrowed(documents=(document,)), limit) for document in (one, other)
        }

    def _narrowed(self, **fields: tuple[str, ...] | tuple[int, ...]) -> Filter:
        """Combine a filter with what the asker may see: of lists that both have, what is in both."""
        narrowed = {}
        for name, wanted in fields.items():
            allowed = getattr(self.within, name)
            narrowed[name] = wanted if allowed is None else tuple(each for each in wanted if each in allowed)
        return replace(self.within, **narrowed)  # type: ignore[arg-type]

    def _find(self, question: str, where: Filter, limit: int) -> list[Passage]:
        question = question[:QUESTION_CHARS]
        limit = min(max(limit, 1), LIMIT_MAX)
        _, found = self.r.ask(Question(self.company_id, [question], 2 * limit, where=where, asker=self.asker))
        return trim.fitting(found, limit, BUDGET_TOKENS)


def cited(passages_used: Sequence[Passage]) -> list[dict[str, object]]:
    """Return where each passage stands in its document, in characters, so that it can be shown there."""
    return [
        {"chunk": p.chunk_id, "document": p.document_id, "title": p.title, "start": p.start_char,
         "end": p.start_char + len(p.text)} for p in passages_used
    ]  # fmt: skip
