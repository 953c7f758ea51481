"""Stores documents and their chunks. Triggers keep the counts that BM25 needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row, scalar_row

from shared.model import NewChunk
from shared.names import name_of
from shared.store.db.pool import Conn
from shared.store.knowledge import identified, names
from shared.store.knowledge.filters import Filter

_LANGUAGE_NAMES = """
    simple arabic armenian basque catalan danish dutch english estonian finnish french german greek hindi hungarian
    indonesian irish italian lithuanian nepali norwegian portuguese romanian russian serbian spanish swedish tamil
    turkish yiddish
"""
LANGUAGES = frozenset(_LANGUAGE_NAMES.split())
"""PostgreSQL's text search configurations: how words are stemmed. `simple` stems nothing and drops nothing."""


Kind = Literal["text", "transcript"]


@dataclass(frozen=True, slots=True)
class Document:
    id: int
    collection: str
    source: str
    title: str
    language: str
    chunk_count: int
    created_at: datetime
    updated_at: datetime
    also: tuple[str, ...] = ()
    """Other names under which the same text came."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", tuple(self.also))  # a list where the database gives it


@dataclass(frozen=True, slots=True)
class Added:
    """Result of adding a document. changed: False if the same content was stored already. stored_as: the source under
    which the same text is stored, where that is another one."""

    document_id: int
    changed: bool
    stored_as: str | None = None


ADD_CHUNKS = """
    /* documents.add_chunks */
    INSERT INTO chunks (company_id, document_id, ordinal, language, title, text, start_char, tsv, length)
    SELECT
        %s, %s, part.place - 1, %s, part.title, part.text, part.start_char, words.tsv,
        knowledge_length(words.tsv)
    FROM unnest(%s::text[], %s::text[], %s::int[]) WITH ORDINALITY AS part (title, text, start_char, place)
    CROSS JOIN LATERAL knowledge_tsvector(%s, part.title || E'\\n' || part.text) AS words(tsv)
    ORDER BY part.place
"""


def add_document(
    conn: Conn,
    company_id: int,
    *,
    source: str,
    title: str,
    text: str,
    content_hash: bytes,
    chunks: Sequence[NewChunk],
    language: str = "english",
    collection: str = "default",
    kind: Kind = "text",
    category: str | None = None,
    dated_at: datetime | None = None,
    once: bool = False,
    identifiers: Sequence[Sequence[str]] | None = None,
) -> Added:
    """Store a document under its source; another hash under the same source replaces its text and chunks.

    content_hash: of everything that is stored. dated_at: when it was said or written. once: a text that is stored under
    another source in the same collection, described alike, is not stored again (names.py). identifiers: the keys of
    each chunk; None: a job finds them later. No text may contain NUL or
    lone surrogates. Raises ValueError for a language that is not in LANGUAGES and for an invalid collection name. Call
    inside a transaction.
    """
    if language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}: one of {', '.join(sorted(LANGUAGES))}")
    collection_id = _collection(conn, company_id, name_of(collection, "collection's name"))
    twin = None
    if once and kind == "text":
        twin = names.same_text(conn, company_id, source, text, (collection_id, language, category, dated_at))
    if twin is not None:
        gone = names.release(conn, company_id, [source])
        return Added(twin.id, changed=gone > 0, stored_as=twin.source)
    names.part(conn, company_id, source, text)
    values = (collection_id, source, title, language, text, content_hash, len(chunks), kind, category, dated_at)
    document_id = _upsert(conn, company_id, values)
    if document_id is None:
        return Added(_id_of(conn, company_id, source), changed=False)
    conn.execute(
        "/* documents.drop_chunks */ DELETE FROM chunks WHERE company_id = %s AND document_id = %s",
        (company_id, document_id),
    )
    conn.execute(
        ADD_CHUNKS,
        (
            company_id,
            document_id,
            language,
            [chunk.title for chunk in chunks],
            [chunk.text for chunk in chunks],
            [chunk.start_char for chunk in chunks],
            language,
        ),
    )
    _add_speakers(conn, company_id, document_id, chunks)
    if identifiers is not None:
        identified.add(conn, company_id, document_id, identifiers)
    return Added(document_id, changed=True)


def _add_speakers(conn: Conn, company_id: int, document_id: int, chunks: Sequence[NewChunk]) -> None:
    speaking = [(ordinal, name) for ordinal, chunk in enumerate(chunks) for name in dict.fromkeys(chunk.speakers)]
    if not speaking:
        return
    conn.execute(
        """
        /* documents.add_speakers */
        INSERT INTO chunk_speakers (company_id, chunk_id, speaker)
        SELECT c.company_id, c.id, named.speaker
        FROM unnest(%s::int[], %s::text[]) AS named (ordinal, speaker)
        JOIN chunks c ON c.company_id = %s
          AND c.document_id = %s
          AND c.ordinal = named.ordinal
        """,
        ([ordinal for ordinal, _ in speaking], [name for _, name in speaking], company_id, document_id),
    )


def delete_document(conn: Conn, company_id: int, document_id: int) -> bool:
    """Remove a document with its chunks; False if there is none."""
    return (
        conn.execute(
            "/* documents.delete_document */ DELETE FROM documents WHERE company_id = %s AND id = %s",
            (company_id, document_id),
        ).rowcount
        > 0
    )


LIST_DOCUMENTS = """
    /* documents.list_documents */
    SELECT
        d.id, c.name AS collection, left(d.source, 2000) AS source, left(d.title, 500) AS title, d.language,
        d.chunk_count, d.created_at, d.updated_at,
        ARRAY(
            SELECT left(i.source, 2000)
            FROM imports i
            WHERE i.company_id = d.company_id
              AND i.document_id = d.id
              AND i.source <> d.source
            ORDER BY 1
            LIMIT 20
        ) AS also
    FROM documents d
    JOIN collections c ON c.company_id = d.company_id
      AND c.id = d.collection_id
    WHERE d.company_id = %(company)s
      AND d.id > %(after)s
      AND (
          %(where)s::jsonb IS NULL
          OR (SELECT knowledge_documents(%(company)s, %(where)s)) IS NULL
          OR d.id = ANY ((SELECT knowledge_documents(%(company)s, %(where)s))::bigint[])
      )
    ORDER BY d.id
    LIMIT %(limit)s
"""


def list_documents(
    conn: Conn, company_id: int, *, after_id: int = 0, limit: int = 100, where: Filter | None = None
) -> list[Document]:
    """List documents that match the filter, in the order of their ids, from after_id on."""
    with conn.cursor(row_factory=class_row(Document)) as cursor:
        return cursor.execute(
            LIST_DOCUMENTS,
            {
                "company": company_id,
                "after": after_id,
                "limit": limit,
                "where": None if where is None else where.as_json(),
            },
        ).fetchall()


def version(conn: Conn, company_id: int) -> int:
    """Return a number that grows with every change of what the company's searches can find."""
    row = conn.execute(
        """
        /* documents.version */
        SELECT version
        FROM knowledge_versions
        WHERE company_id = %s
        """,
        (company_id,),
        prepare=True,
    ).fetchone()
    return 0 if row is None else int(str(row[0]))


def collection_ids(conn: Conn, company_id: int, names: Sequence[str]) -> dict[str, int]:
    """Return the ids of these collections; names that the company does not have are left out."""
    if not names:
        return {}
    rows = conn.execute(
        """
        /* documents.collection_ids */
        SELECT asked.name, c.id
        FROM unnest(%s::text[]) AS asked (name)
        JOIN collections c ON c.company_id = %s
          AND name_key(c.name) = name_key(asked.name)
        """,
        (list(names), company_id),
    ).fetchall()
    return {str(name): int(str(id_)) for name, id_ in rows}


def collection_names(conn: Conn, company_id: int, ids: Sequence[int]) -> list[str]:
    """Return the names of these collections, sorted."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* documents.collection_names */
            SELECT name
            FROM collections
            WHERE company_id = %s
              AND id = ANY (%s)
            ORDER BY 1
            """,
            (company_id, list(ids)),
        ).fetchall()


def commonest_language(conn: Conn, company_id: int) -> str | None:
    """Return the language of most of the company's chunks; None while it has none."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(
            """
            /* documents.commonest_language */
            SELECT language
            FROM knowledge_stats
            WHERE company_id = %s
              AND chunks > 0
            ORDER BY chunks DESC, language
            LIMIT 1
            """,
            (company_id,),
        ).fetchone()


def _collection(conn: Conn, company_id: int, name: str) -> int:
    with conn.cursor(row_factory=scalar_row) as cursor:
        cursor.execute(
            """
            /* documents.add_collection */
            INSERT INTO collections (company_id, name)
            VALUES (%s, %s)
            ON CONFLICT DO NOTHING
            """,
            (company_id, name),
        )
        return _one_id(
            cursor.execute(
                """
                /* documents.collection */
                SELECT id
                FROM collections
                WHERE company_id = %s
                  AND name_key(name) = name_key(%s)
                """,
                (company_id, name),
            ).fetchone()
        )


def _one_id(row: object) -> int:
    assert isinstance(row, int)  # stands there: written a moment ago in this transaction
    return row


ADD_DOCUMENT = """
    /* documents.add_document */
    INSERT INTO documents AS d (
        company_id, collection_id, source, title, language, text, content_hash, chunk_count, kind, category,
        dated_at
    )
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (company_id, source) DO UPDATE
    SET collection_id = EXCLUDED.collection_id, title = EXCLUDED.title, language = EXCLUDED.language,
        text = EXCLUDED.text, content_hash = EXCLUDED.content_hash, chunk_count = EXCLUDED.chunk_count,
        kind = EXCLUDED.kind, category = EXCLUDED.category, dated_at = EXCLUDED.dated_at, updated_at = now()
    WHERE d.content_hash <> EXCLUDED.content_hash
    RETURNING d.id
"""


def _upsert(conn: Conn, company_id: int, values: tuple[object, ...]) -> int | None:
    """Insert or update a document; returns its id if it is new or differs from what was stored, else None."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(ADD_DOCUMENT, (company_id, *values)).fetchone()


def _id_of(conn: Conn, company_id: int, source: str) -> int:
    with conn.cursor(row_factory=scalar_row) as cursor:
        return _one_id(
            cursor.execute(
                """
                /* documents.document_id */
                SELECT id
                FROM documents
                WHERE company_id = %s
                  AND source = %s
                """,
                (company_id, source),
            ).fetchone()
        )
