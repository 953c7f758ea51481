"""From a question to passages, and from a text to what can be found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from shared.knowledge import chunk, rank
from shared.model import Passage
from shared.store import knowledge
from shared.store.pool import Conn


def search(conn: Conn, company_id: int, question: str, limit: int = 8) -> list[Passage]:
    """The company's best passages for a question, best first. The transaction must work for the company."""
    return knowledge.search(conn, company_id, chunk.clean(question), limit)


LINES_MAX = 3
"""Of a burst only the newest lines are also asked one by one: each is a search."""


def search_burst(conn: Conn, company_id: int, lines: Sequence[str], limit: int = 8) -> list[Passage]:
    """The best passages for a burst of messages, which may ask several things.

    The burst as a whole and its newest lines are asked and the rankings fused: four questions in one would leave
    each passage with a quarter of the words, and none relevant. score: reciprocal rank where several were asked.
    """
    asked = [line for line in lines if line.strip()]
    whole = search(conn, company_id, "\n".join(asked), limit)
    if len(asked) < 2:
        return whole
    return rank.fuse([whole, *(search(conn, company_id, line, limit) for line in asked[-LINES_MAX:])], limit)


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
