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
WORDS_SHARE = 0.3
"""What the words count in the relevance of a passage whose meaning is known. docs/retrieval.md has the figures."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question means to a model. trust: what the model's ranking should count for it, 0 to 1. baseline: the
    model's cosine of unrelated texts."""

    model: str
    vector: Vector
    trust: float
    baseline: float


def understand(embedder: Embedder, questions: Sequence[str], *, deadline_s: float) -> dict[str, Meaning]:
    """The meanings of questions, each under its own text; blank ones have none. Call outside a transaction: the
    embedder may be somebody else's HTTP. Raises ModelUnavailable, Permanent."""
    asked = list(dict.fromkeys(question for question in questions if question.strip()))
    if not asked:
        return {}
    vectors = embedder.embed(asked, deadline_s=deadline_s)
    return {
        question: Meaning(embedder.model, vector, embedder.trust(question), embedder.baseline)
        for question, vector in zip(asked, vectors, strict=True)
    }


def search(conn: Conn, company_id: int, question: str, limit: int = 8, meaning: Meaning | None = None) -> list[Passage]:
    """The company's best passages for a question, best first. The transaction must work for the company.

    By words, and by meaning where there is one and vectors of its model: then both rankings are fused.
    """
    question = chunk.clean(question)
    space_id = None
    if meaning is not None and meaning.trust > 0:
        space_id = embeddings.find_space(conn, meaning.model, len(meaning.vector))
    if meaning is None or space_id is None:
        return knowledge.search(conn, company_id, question, limit)
    words = knowledge.search(conn, company_id, question, CANDIDATES)
    near = embeddings.nearest(conn, company_id, space_id, meaning.vector, CANDIDATES)
    fused = rank.fuse([words, near], limit, k=K, weights=[1.0, meaning.trust])
    far = [passage.chunk_id for passage in fused if passage.cosine is None]
    cosines = embeddings.similarities(conn, company_id, space_id, meaning.vector, far) if far else {}
    return [_judged(replace(p, cosine=cosines.get(p.chunk_id, p.cosine)), meaning) for p in fused]


def _judged(passage: Passage, meaning: Meaning) -> Passage:
    """With the relevance that words and meaning give together; by its words alone while it has no vector.

    Neither is enough: half of the questions about something else share their telling words with some passage, and
    an order's number means nothing to a model. As far as the model is not trusted the words decide.
    """
    if passage.cosine is None:
        return passage
    nearness = (passage.cosine - meaning.baseline) * 0.8 / (1 - meaning.baseline)
    both = min(1.0, max(0.0, WORDS_SHARE * passage.relevance + nearness))
    return replace(passage, relevance=meaning.trust * both + (1 - meaning.trust) * passage.relevance)


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
