"""Searches a company's chunks: candidates, what words and vectors say of each, and their texts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from psycopg.rows import class_row, dict_row

from shared.model import Passage
from shared.store.db.pool import Conn
from shared.store.db.vectors import halfvec
from shared.store.knowledge.filters import Filter


class Word(NamedTuple):
    """A word of the question. tells: its weight, higher for rarer words. mean_length: mean length of the language's
    chunks, in words."""

    tells: float
    mean_length: float


class Background(NamedTuple):
    """Cosines of a sample of a company's chunks: mean, standard deviation, and how many those are."""

    mean: float
    deviation: float
    texts: int


class Hit(NamedTuple):
    """A candidate.

    family: its document's title, empty for transcripts; spoken: it is part of a transcript. length: in words. places:
    positions of the question's words, in the form that `positions` reads, because most are only counted. cosine: None
    without a vector.
    """

    chunk_id: int
    document_id: int
    ordinal: int
    family: str
    spoken: bool
    language: str
    length: int
    places: Mapping[str, str]
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Hits:
    """Candidates of a question, with what is needed to score them.

    words: by language and lexeme, including those that no chunk has. asked: the question's own words in each language,
    in order. chunks: the company's number of chunks in each language. held: which of the identifiers and marks that
    were asked for a chunk has, by its id. complete: all of the company's documents have their identifiers. background:
    of a sample of the company's chunks in each language, whatever the filter.
    """

    words: Mapping[tuple[str, str], Word]
    asked: Mapping[str, Sequence[str]]
    chunks: Mapping[str, int]
    hits: Sequence[Hit]
    held: Mapping[int, frozenset[str]] = field(default_factory=dict)
    complete: bool = True
    background: Mapping[str, Background] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Text:
    chunk_id: int
    title: str
    text: str
    start_char: int


def hits(
    conn: Conn,
    company_id: int,
    texts: Sequence[str],
    weights: Sequence[float],
    near: tuple[str, Sequence[float]] | None,
    where: Filter | None,
    limit: int,
    identifiers: Sequence[str] = (),
    marks: Sequence[str] = (),
) -> Hits:
    """Return the candidates of a question, in no order: up to `limit` by words and by meaning, each scored by both.

    texts: the question, then what was said before it, without NUL and lone surrogates (4096 characters of each are
    read); weights: the weight of each text's words. near: a model's name and the question's vector; None, or a model
    without vectors, searches by words only. identifiers: keys that chunks are also found by; marks: keys that only the
    chunks that were found are looked up for. Raises psycopg's InsufficientPrivilege if the transaction does not work
    for the company, or the filter names something that is not the company's.
    """
    model, vector = near if near is not None else (None, None)
    row = conn.execute(
        """
        /* passages.hits */
        SELECT knowledge_search(
            %s, %s::text[], %s::float8[], %s, %s::halfvec, %s::jsonb, %s, %s::text[], %s::text[]
        )::text
        """,
        (
            company_id,
            list(texts),
            list(weights),
            model,
            None if vector is None else halfvec(conn, vector),
            None if where is None else where.as_json(),
            limit,
            list(identifiers),
            list(marks),
        ),
    ).fetchone()
    assert row is not None
    found: Any = orjson.loads(str(row[0]))
    held: defaultdict[int, set[str]] = defaultdict(set)
    for chunk_id, key in found["identifiers"]:
        held[chunk_id].add(key)
    return Hits(
        words={(language, lexeme): Word(tells, mean) for language, lexeme, tells, mean in found["words"]},
        asked=found["asked"],
        chunks=found["chunks"],
        hits=[_hit(found["documents"], *values) for values in found["candidates"]],
        held={chunk_id: frozenset(keys) for chunk_id, keys in held.items()},
        complete=found["complete"],
        background={language: Background(*sample) for language, *sample in found["background"]},
    )


def _hit(
    documents: Mapping[str, tuple[str, str]], chunk_id: int, document_id: int, ordinal: int, language: str, length: int,
    tsvector: str | None, cosine: float | None,
) -> Hit:  # fmt: skip
    title, kind = documents[str(document_id)]
    spoken = kind == "transcript"
    family = "" if spoken else title
    where = places(tsvector) if tsvector else {}
    return Hit(chunk_id, document_id, ordinal, family, spoken, language, length, where, cosine)


_LEXEME = re.compile(r"(?<![^ ])'((?:[^'\\]|''|\\.)*)'(?::([0-9,A]+))?")


def places(tsvector: str) -> dict[str, str]:
    """Return where each word stands, such as "1A,7A", from a tsvector's text form."""
    found = _LEXEME.findall(tsvector)
    if "''" in tsvector or "\\" in tsvector:
        return {lexeme.replace("''", "'").replace("\\\\", "\\"): written for lexeme, written in found}
    return dict(found)


@lru_cache(maxsize=4096)
def positions(written: str) -> tuple[int, ...]:
    """Return a word's positions as numbers, with or without the mark A. Cached, because most words have one of a few
    hundred values."""
    return tuple(int(place) for place in written.replace("A", "").split(",")) if written else ()


def texts_of(conn: Conn, company_id: int, chunk_ids: Sequence[int]) -> dict[int, Text]:
    """Return the texts of these chunks; those that are gone are left out."""
    with conn.cursor(row_factory=class_row(Text)) as cursor:
        rows = cursor.execute(
            """
            /* passages.texts */
            SELECT id AS chunk_id, title, text, start_char
            FROM chunks
            WHERE company_id = %s
              AND id = ANY (%s)
            """,
            (company_id, list(chunk_ids)),
            prepare=True,
        ).fetchall()
    return {row.chunk_id: row for row in rows}


def texts_and_version(conn: Conn, company_id: int, chunk_ids: Sequence[int]) -> tuple[dict[int, Text], int]:
    """Return what `texts_of` does, with the version of the company's knowledge that the texts are from."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            /* passages.texts_and_version */
            SELECT coalesce(v.version, 0) AS version, c.id AS chunk_id, c.title, c.text, c.start_char
            FROM (SELECT) one
            LEFT JOIN knowledge_versions v ON v.company_id = %(company)s
            LEFT JOIN chunks c ON c.company_id = %(company)s AND c.id = ANY (%(ids)s)
            """,
            {"company": company_id, "ids": list(chunk_ids)},
            prepare=True,
        ).fetchall()
    texts = [Text(row["chunk_id"], row["title"], row["text"], row["start_char"]) for row in rows if row["chunk_id"]]
    return {text.chunk_id: text for text in texts}, int(rows[0]["version"])


def save_chat_filter(conn: Conn, company_id: int, conversation_id: int, where: Filter | None) -> None:
    """Restrict a conversation's questions to a part of the knowledge; None removes the restriction.

    Raises psycopg's InsufficientPrivilege for a filter that names something that is not the company's.
    """
    if where is None:
        conn.execute(
            "/* passages.drop_chat_filter */ DELETE FROM chat_filters WHERE company_id = %s AND conversation_id = %s",
            (company_id, conversation_id),
        )
        return
    conn.execute(
        """
        /* passages.save_chat_filter */
        INSERT INTO chat_filters (company_id, conversation_id, wanted)
        VALUES (%s, %s, %s::jsonb)
        ON CONFLICT (company_id, conversation_id) DO UPDATE SET wanted = EXCLUDED.wanted, updated_at = now()
        """,
        (company_id, conversation_id, where.as_json()),
    )


def chat_filter(conn: Conn, company_id: int, conversation_id: int) -> Filter | None:
    """Return which part of the knowledge a conversation's questions are answered from; None: all."""
    row = conn.execute(
        """
        /* passages.chat_filter */
        SELECT wanted
        FROM chat_filters
        WHERE company_id = %s
          AND conversation_id = %s
        """,
        (company_id, conversation_id),
    ).fetchone()
    return None if row is None or not isinstance(row[0], dict) else Filter.from_json(row[0])


SURROUNDINGS = """
    /* passages.surroundings */
    SELECT
        c.id AS chunk_id, c.document_id, c.title, c.ordinal, c.text, 0.0::float8 AS score,
        0.0::float8 AS relevance, c.start_char
    FROM chunks one
    JOIN chunks c ON c.company_id = one.company_id
      AND c.document_id = one.document_id
      AND c.ordinal BETWEEN one.ordinal - %(around)s AND one.ordinal + %(around)s
    WHERE one.company_id = %(company)s
      AND one.id = %(chunk)s
      AND knowledge_visible(%(company)s, one.document_id, %(where)s::jsonb)
    ORDER BY c.ordinal
"""


def surroundings(conn: Conn, company_id: int, chunk_id: int, around: int, where: Filter | None = None) -> list[Passage]:
    """Return a chunk and up to `around` chunks before and after it, in order; nothing if the filter excludes it.
    relevance and score are 0, because no question was asked."""
    with conn.cursor(row_factory=class_row(Passage)) as cursor:
        return cursor.execute(
            SURROUNDINGS,
            {
                "around": around, "company": company_id, "chunk": chunk_id,
                "where": None if where is None else where.as_json(),
            },
        ).fetchall()  # fmt: skip
