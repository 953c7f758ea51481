"""From a question to passages, and from a text to what can be found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.knowledge import chunk, rank
from shared.knowledge.embed import Embedder, Vector
from shared.model import Passage
from shared.store import embeddings, knowledge
from shared.store.pool import Conn

CANDIDATES = 50
"""Of each side: what stands lower changes no fused ranking's beginning."""
K = 10
"""How fast a place further down counts less. Lower than usual, so that a side that is sure is heard."""
NEAR_0, NEAR_1 = 0.3, 0.8
"""Cosines whose worth as relevance is 0 and 1, linear between: measured, see docs/performance.md."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question means to a model. trust: what the model's ranking should count for it, 0 to 1."""

    model: str
    vector: Vector
    trust: float


def understand(embedder: Embedder, questions: Sequence[str], *, deadline_s: float) -> dict[str, Meaning]:
    """The meanings of questions, each under its own text; blank ones have none. Call outside a transaction: the
    embedder may be somebody else's HTTP. Raises ModelUnavailable, Permanent."""
    asked = list(dict.fromkeys(question for question in questions if question.strip()))
    if not asked:
        return {}
    vectors = embedder.embed(asked, deadline_s=deadline_s)
    return {
        question: Meaning(embedder.model, vector, embedder.trust(question))
        for question, vector in zip(asked, vectors, strict=True)
    }


def search(conn: Conn, company_id: int, question: str, limit: int = 8, meaning: Meaning | None = None) -> list[Passage]:
    """The company's best passages for a question, best first. The transaction must work for the company.

    By words, and by meaning where there is one and vectors of its model: then both rankings are fused, and a passage
    is as relevant as the better side says.
    """
    question = chunk.clean(question)
    near = _near(conn, company_id, meaning) if meaning is not None and meaning.trust > 0 else []
    if meaning is None or not near:
        return knowledge.search(conn, company_id, question, limit)
    words = knowledge.search(conn, company_id, question, CANDIDATES)
    return rank.fuse([words, near], limit, k=K, weights=[1.0, meaning.trust])


def _near(conn: Conn, company_id: int, meaning: Meaning) -> list[Passage]:
    space_id = embeddings.find_space(conn, meaning.model, len(meaning.vector))
    if space_id is None:
        return []
    found = embeddings.nearest(conn, company_id, space_id, meaning.vector, CANDIDATES)
    return [replace(p, relevance=meaning.trust * worth(p.score)) for p in found]


def worth(cosine: float) -> float:
    """What nearness in meaning alone is worth as relevance, 0 to 1."""
    return min(1.0, max(0.0, (cosine - NEAR_0) / (NEAR_1 - NEAR_0)))


LINES_MAX = 3
"""Of a burst only the newest lines are also asked one by one: each is a search."""


def questions_of(lines: Sequence[str]) -> list[str]:
    """What is asked for a burst of messages: the burst as a whole, and its newest lines where it has several."""
    asked = [line for line in lines if line.strip()]
    return ["\n".join(asked), *(asked[-LINES_MAX:] if len(asked) > 1 else ())]


def search_burst(
    conn: Conn, company_id: int, lines: Sequence[str], limit: int = 8, meanings: Mapping[str, Meaning] | None = None
) -> list[Passage]:
    """The best passages for a burst of messages, which may ask several things. meanings: of `questions_of(lines)`.

    The burst as a whole and its newest lines are asked and the rankings fused: four questions in one would leave
    each passage with a quarter of the words, and none relevant. score: reciprocal rank where several were asked.
    """
    known = meanings or {}
    found = [search(conn, company_id, asked, limit, known.get(asked)) for asked in questions_of(lines)]
    return rank.fuse(found, limit)


def add(
    conn: Conn,
    company_id: int,
    *,
    source: str,
    title: str,
    text: str,
    language: str = "english",
    collection: str = "default",
) -> knowledge.Added:
    """Chunk a text or Markdown document and make it findable; adding the same again changes nothing.

    source: the owner's key of the document, unique in the company; adding another text under it replaces it.
    Raises ValueError for an unknown language. Call inside a transaction that works for the company, one document
    in each: two writers with several could wait for each other in a circle.
    """
    source, title, text = chunk.clean(source).strip(), chunk.clean(title).strip(), chunk.clean(text)
    parts = (str(chunk.VERSION), collection, language, title, text)
    # Lengths between the parts: no two different documents may read the same end to end.
    hashed = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return knowledge.add_document(
        conn,
        company_id,
        source=source,
        title=title,
        text=text,
        content_hash=hashed,
        chunks=chunk.split(title, text),
        language=language,
        collection=collection,
    )
