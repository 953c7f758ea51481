"""From a question to passages, and from a text to what can be found."""

from __future__ import annotations

import hashlib

from shared.knowledge import chunk
from shared.model import Passage
from shared.store import knowledge
from shared.store.pool import Conn


def search(conn: Conn, company_id: int, question: str, limit: int = 8) -> list[Passage]:
    """The company's best passages for a question, best first. The transaction must work for the company."""
    return knowledge.search(conn, company_id, chunk.clean(question), limit)


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
