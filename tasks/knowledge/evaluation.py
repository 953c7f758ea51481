"""Evaluates retrieval: loads a corpus as one company and asks each question through the product's own search."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import Permanent
from shared.knowledge import chunk, language, search
from shared.knowledge.conversation import Said, said_before
from shared.knowledge.embed import Embedder, Vector
from shared.knowledge.identifiers import keys_of
from shared.model import ChatLine, NewChunk
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import documents as knowledge
from shared.store.knowledge import embeddings
from shared.store.knowledge.filters import Filter
from shared.store.tenants import companies
from tasks.knowledge.measures import Asked, Found

BATCH = 64
EMBED_DEADLINE_S = 600.0
QUESTION_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """A passage of the corpus. transcript: the conversation that it is part of."""

    id: str
    title: str
    text: str
    transcript: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """A question. relevant: the ids of the passages that answer it; empty if that is not said. language: as the file
    says, or as it was detected. kind: the `type` that the file gives it."""

    id: str
    text: str
    history: tuple[ChatLine, ...]
    transcript: str | None
    relevant: tuple[str, ...] = ()
    language: str = "unknown"
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A loaded corpus. names: row id by chunk id. transcripts: document id by transcript id."""

    company_id: int
    names: Mapping[int, str]
    transcripts: Mapping[str, int]


def read_corpus(path: Path) -> list[Row]:
    """Read a corpus of one `{"id", "text", "title"?, "transcript_id"?}` per line. Raises Permanent naming the invalid
    line."""
    rows = [
        Row(_text(entry, "id"), chunk.clean(str(entry.get("title") or "")), chunk.clean(_text(entry, "text")),
            _optional(entry, "transcript_id"))
        for entry in _entries(path, ("id", "text"))
    ]  # fmt: skip
    if len({row.id for row in rows}) < len(rows):
        raise Permanent("corpus", f"{path}: an id stands there twice")
    return rows


def read_queries(path: Path) -> list[Query]:
    """Read queries of one `{"id", "text", "history"?: [{"role", "text"}], "transcript_id"?, "relevant"?: [ids],
    "lang"?, "type"?}` per line; other fields are ignored. Raises Permanent naming the invalid line."""
    return [
        Query(
            _text(entry, "id"), _text(entry, "text"), history_of(entry), _optional(entry, "transcript_id"),
            tuple(map(str, entry.get("relevant") or ())),
            _optional(entry, "lang") or language.detect(_text(entry, "text")) or "unknown",
            _optional(entry, "type") or "",
        )
        for entry in _entries(path, ("id", "text"))
    ]  # fmt: skip


def unknown_ids(rows: Sequence[Row], queries: Sequence[Query]) -> list[str]:
    """Return the ids that queries call relevant and no row has, each once."""
    known = {row.id for row in rows}
    return list(dict.fromkeys(one for query in queries for one in query.relevant if one not in known))


def load(conn: Conn, name: str, rows: Sequence[Row], embedder: Embedder) -> Corpus:
    """Create a company of that name and store the rows unchanged: each row is one passage. Rows of one transcript
    become passages of one document, in order. Call outside a transaction."""
    languages = language.detect_each(f"{row.title}\n{row.text}" for row in rows)
    with conn.transaction():
        company_id = companies.ensure(conn, name).id
    documents: dict[str, list[tuple[Row, str]]] = {}
    for row, spoken in zip(rows, languages, strict=True):
        # A prefix each, so that no passage is taken for a transcript.
        key = f"passage:{row.id}" if row.transcript is None else f"transcript:{row.transcript}"
        documents.setdefault(key, []).append((row, spoken))
    names: dict[int, str] = {}
    transcripts: dict[str, int] = {}
    for key, parts in documents.items():
        document_id, found = _store(conn, company_id, key, parts)
        names |= found
        if parts[0][0].transcript is not None:
            transcripts[parts[0][0].transcript] = document_id
    _embed(conn, company_id, embedder)
    return Corpus(company_id, names, transcripts)


def _store(conn: Conn, company_id: int, key: str, parts: Sequence[tuple[Row, str]]) -> tuple[int, dict[int, str]]:
    """Store one document. Returns its id, and the row of each chunk."""
    first, spoken = parts[0]
    with conn.transaction():
        set_companies(conn, [company_id])
        added = knowledge.add_document(
            conn, company_id, source=key, title=first.title, text="",
            content_hash=hashlib.sha256(key.encode()).digest(),
            chunks=[NewChunk(row.title, row.text, 0) for row, _ in parts], language=spoken,
            kind="text" if first.transcript is None else "transcript",
            identifiers=[keys_of(f"{row.title}\n{row.text}") for row, _ in parts],
        )  # fmt: skip
        chunks = conn.execute(
            """
            /* evaluation.chunks */
            SELECT id, ordinal
            FROM chunks
            WHERE company_id = %s
              AND document_id = %s
            """,
            (company_id, added.document_id),
        ).fetchall()
    return added.document_id, {int(str(chunk_id)): parts[int(str(place))][0].id for chunk_id, place in chunks}


def _embed(conn: Conn, company_id: int, embedder: Embedder) -> None:
    """Embed all of the company's chunks, in the same way as the index worker."""
    with conn.transaction():
        set_companies(conn, [company_id])
        rows = conn.execute(
            """
            /* evaluation.texts */
            SELECT id, title, text
            FROM chunks
            WHERE company_id = %s
            ORDER BY length, id
            """,
            (company_id,),
        ).fetchall()
    vectors = _vectors(embedder, [f"{title}\n{text}" for _, title, text in rows], EMBED_DEADLINE_S, passages=True)
    if not vectors:
        return
    with conn.transaction():
        set_companies(conn, [company_id])
        model_id = embeddings.ensure_model(conn, embedder.model, len(vectors[0]))
        pairs = [(int(str(row[0])), vector) for row, vector in zip(rows, vectors, strict=True)]
        embeddings.add(conn, company_id, model_id, pairs)
        # The planner knows nothing of rows that came a moment ago.
        conn.execute("ANALYZE chunks, lexemes, knowledge_stats, embeddings, documents")


def ask(
    conn: Conn, corpus: Corpus, queries: Sequence[Query], embedder: Embedder, limit: int, *, given: int
) -> Iterator[Found]:
    """Return what each query finds. given: from how many passages an answer is made. Call outside a transaction."""
    said = [said_before(query.history) for query in queries]
    known = _Known(embedder, [query.text for query in queries], said)
    for query, before in zip(queries, said, strict=True):
        meanings = search.understand(known, [query.text], deadline_s=QUESTION_DEADLINE_S, before=before)
        where = None
        if query.transcript is not None:
            # A transcript that is not there is not the whole company.
            where = Filter(
                documents=tuple(corpus.transcripts[t] for t in (query.transcript,) if t in corpus.transcripts)
            )
        with conn.transaction():
            set_companies(conn, [corpus.company_id])
            found = search.search(
                conn, corpus.company_id, query.text, limit, meanings.get(query.text), before=before, where=where
            )
        yield Found([corpus.names[passage.chunk_id] for passage in found], [p.relevance for p in found], given)


def asked(queries: Sequence[Query], found: Sequence[Found], *, answerable: bool = True) -> list[Asked]:
    """Join queries with what they found, for the figures."""
    return [
        Asked(query.language, each, frozenset(query.relevant), answerable)
        for query, each in zip(queries, found, strict=True)
    ]


class _Known:
    """An embedder that has embedded all queries in advance, on all cores."""

    def __init__(self, embedder: Embedder, questions: Sequence[str], said: Sequence[Sequence[Said]]) -> None:
        self._embedder = embedder
        self.model, self.baseline = embedder.model, embedder.baseline
        asked = [search.searched(question) for question in questions if question.strip()]
        earlier = [chunk.clean(part.text) for parts in said for part in parts]
        pairs = [search.together(question, parts) for question, parts in zip(questions, said, strict=True)]
        texts = dict.fromkeys([*asked, *earlier, *(pair for pair in pairs if pair is not None)])
        ordered = sorted(texts, key=len)
        self._vectors = dict(zip(ordered, _vectors(embedder, ordered, EMBED_DEADLINE_S), strict=True))

    def prepare(self) -> None:
        self._embedder.prepare()

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Vector]:
        return [self._vectors[text] for text in texts]

    def trust(self, text: str) -> float:
        return self._embedder.trust(text)


def _vectors(embedder: Embedder, texts: Sequence[str], deadline_s: float, *, passages: bool = False) -> list[Vector]:
    parts = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    with ThreadPoolExecutor(2) as threads:
        done = threads.map(lambda part: embedder.embed(part, deadline_s=deadline_s, passages=passages), parts)
        return [vector for part in done for vector in part]


def _entries(path: Path, needed: Sequence[str]) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                raise Permanent("corpus", f"{path}, line {number}: no JSON") from None
            if not isinstance(entry, dict) or any(not isinstance(entry.get(key), str) for key in needed):
                raise Permanent("corpus", f"{path}, line {number}: should be an object with the texts id and text")
            if not isinstance(entry.get("relevant") or [], list):
                raise Permanent("corpus", f"{path}, line {number}: relevant should be a list of ids")
            yield entry


def _text(entry: Mapping[str, Any], key: str) -> str:
    return str(entry[key])


def _optional(entry: Mapping[str, Any], key: str) -> str | None:
    value = entry.get(key)
    return None if value is None else str(value)


def history_of(entry: Mapping[str, Any]) -> tuple[ChatLine, ...]:
    """Return what was said before a question, oldest first."""
    lines = entry.get("history") or []
    return tuple(
        ChatLine("customer" if line.get("role") in ("user", "customer") else "bot", str(line.get("text") or ""))
        for line in lines
        if isinstance(line, dict)
    )
