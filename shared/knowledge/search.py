"""Finds passages for questions, and stores documents so that they can be found."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from shared.knowledge import asked_identifiers, chunk, follow_up, rank
from shared.knowledge.asked_identifiers import Found
from shared.knowledge.conversation import Said
from shared.knowledge.embed import Embedder, Vector
from shared.knowledge.extract.base import Parsed, Turn
from shared.knowledge.identifiers import keys_of
from shared.knowledge.language import READ_CHARS, detect
from shared.knowledge.relevance import Judgement
from shared.knowledge.remembered import Parts, Results, Scored
from shared.knowledge.views import LIGHT_MAX, NOT_RELEVANT, View, in_light, is_answered, may_hang, ranked, with_before
from shared.knowledge.words import Candidate, weighed
from shared.model import Passage
from shared.store.db.pool import Conn
from shared.store.knowledge import documents, passages
from shared.store.knowledge.filters import Filter
from shared.triage import own_case
from shared.triage.asked import asked

CANDIDATES = 60
"""Of each side: what stands lower changes no ranking's beginning."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """A question's vector. trust: how well the model knows the question's language, 0 to 1. baseline: the model's
    cosine of unrelated texts. leaning: the vector moved towards the conversation. together: of the question with those
    that it hangs on; None if it stands alone."""

    model: str
    vector: Vector
    trust: float
    baseline: float
    leaning: Vector | None = None
    together: Vector | None = None


def understand(
    embedder: Embedder, questions: Sequence[str], *, deadline_s: float, before: Sequence[Said] = ()
) -> dict[str, Meaning]:
    """Embed questions; returns their meanings by question, blank ones left out.

    Call outside a transaction: the embedder may be a remote API. Raises ModelUnavailable, Permanent.
    """
    questions = list(dict.fromkeys(question for question in questions if question.strip()))
    if not questions:
        return {}
    said = [part for part in before if part.meaning > 0]
    pairs = {question: pair for question in questions if (pair := together(question, before)) is not None}
    asked = [*map(searched, questions), *pairs.values(), *(chunk.clean(part.text) for part in said)]
    vectors = iter(embedder.embed(asked, deadline_s=deadline_s))
    alone = dict(zip(questions, vectors, strict=False))
    paired = {question: next(vectors) for question in pairs}
    earlier = rank.weights_of(embedder.model).earlier
    leans = [part.meaning * (earlier if part.words > 0 else 1.0) for part in said]  # the customer's have words
    around = list(zip(leans, vectors, strict=True))
    return {
        question: Meaning(
            embedder.model, vector, embedder.trust(question), embedder.baseline, _leaning(vector, around),
            paired.get(question),
        ) for question, vector in alone.items()
    }  # fmt: skip


@lru_cache(maxsize=64)
def searched(question: str) -> str:
    """Return what is searched for: the question without greetings, mentions and thanks, as it is embedded. A turn needs
    it several times."""
    return chunk.clean(asked(question))


def together(question: str, before: Sequence[Said]) -> str | None:
    """Return a question with the customer's questions that it hangs on, as one text; None if it stands alone."""
    whole = follow_up.together(question, [part.text for part in before if part.words > 0])
    return None if whole is None else chunk.clean(whole)


def _leaning(vector: Vector, around: Sequence[tuple[float, Vector]]) -> Vector:
    """Move a vector towards others by their weights; the result has length 1."""
    if not around:
        return vector
    moved = [value + sum(weight * other[place] for weight, other in around) for place, value in enumerate(vector)]
    length = math.sqrt(sum(value * value for value in moved)) or 1.0
    return [value / length for value in moved]


def search(
    conn: Conn,
    company_id: int,
    question: str,
    limit: int = 8,
    meaning: Meaning | None = None,
    *,
    before: Sequence[Said] = (),
    where: Filter | None = None,
    results: Results | None = None,
    asker: str = "",
    renew: bool = False,
    looked: bool = False,
) -> list[Passage]:
    """Return the company's best passages for a question, best first. The transaction must work for the company.

    Searches by words, and by meaning if there is one and vectors of its model. before: the conversation so far.
    results: the cache of results; asker: whose access rights the search has; renew: search again and cache that;
    looked: the cache has just been looked at in vain.
    """

    searched: list[list[Scored]] = []

    def find() -> list[Scored]:
        searched.append(_find(conn, company_id, question, limit, meaning, before, where))
        return searched[-1]

    if results is None:
        found = find()
        return _passages(found, passages.texts_of(conn, company_id, [each.chunk_id for each in found]))

    def remembered(version: int) -> Parts:
        model = None if meaning is None else meaning.model
        return remembered_as(company_id, version, question, limit, model, before, where, asker)

    # The version seen last is taken for the newest until the statement that reads the texts says otherwise; most often
    # it is. What was searched just now holds all the same, and what was remembered does not.
    supposed = None if renew else results.version_of(company_id)
    if supposed is None:
        version = documents.version(conn, company_id)
    else:
        found = results.get_or_find(remembered(supposed), find, looked=looked)
        texts, version = passages.texts_and_version(conn, company_id, [each.chunk_id for each in found])
        if version == supposed or searched:
            results.saw(company_id, version)
            return _passages(found, texts)
    results.saw(company_id, version)
    found = results.get_or_find(remembered(version), find, renew=renew)
    return _passages(found, passages.texts_of(conn, company_id, [each.chunk_id for each in found]))


def remembered_as(
    company_id: int, version: int, question: str, limit: int, model: str | None, before: Sequence[Said],
    where: Filter | None, asker: str,
) -> Parts:  # fmt: skip
    """Return the cache key: everything that the results depend on. The vector is not part of it, because a model gives
    the same text the same one each time."""
    said = [f"{part.words:.3f} {part.meaning:.3f} {part.text}" for part in before]
    return (
        str(company_id), str(version), asker, question, str(limit), model or "",
        "" if where is None else where.as_json(), *said,
    )  # fmt: skip


def with_texts(
    conn: Conn, company_id: int, found: Sequence[Sequence[Scored]], version: int
) -> list[list[Passage]] | None:
    """Add the texts to cached results, in one statement; None if the company's knowledge has a newer version."""
    texts, newest = passages.texts_and_version(conn, company_id, [each.chunk_id for one in found for each in one])
    return [_passages(one, texts) for one in found] if newest == version else None


def _passages(found: Sequence[Scored], texts: Mapping[int, passages.Text]) -> list[Passage]:
    """Add the texts to results; those whose chunk is gone are left out."""
    return [
        Passage(
            each.chunk_id, each.document_id, text.title, each.ordinal, text.text, each.score, each.relevance,
            each.bm25, each.cosine, text.start_char, each.identifiers, each.evidence,
        )
        for each in found
        if (text := texts.get(each.chunk_id)) is not None
    ]  # fmt: skip


def _find(
    conn: Conn, company_id: int, question: str, limit: int, meaning: Meaning | None, before: Sequence[Said],
    where: Filter | None,
) -> list[Scored]:  # fmt: skip
    """Search for a question alone, and if something was said before, in its light: that ranks. A passage is relevant
    that answers the question alone, or, if it cannot stand alone, with the questions that it hangs on. Where nothing
    does surely, what was said before lifts it."""
    said = [part for part in before if part.words > 0]
    pair = together(question, before)
    carries = pair is not None and follow_up.carries_identifiers(question, pair)
    exact = asked_identifiers.asked(pair if pair is not None and carries else question)
    trust, baseline = (meaning.trust, meaning.baseline) if meaning is not None else (0.0, 0.0)
    model = None if meaning is None else meaning.model

    def look(text: str, vector: Vector | None, around: Sequence[Said] = ()) -> View:
        hits = passages.hits(
            conn, company_id, [text, *(chunk.clean(part.text) for part in around)],
            [1.0, *(part.words for part in around)], None if model is None or vector is None else (model, vector),
            where, CANDIDATES, exact.keys, exact.marks,
        )  # fmt: skip
        found = weighed(hits)
        scores = rank.scores(found, trust, baseline, rank.weights_of(model))
        return View(text, hits, {candidate.chunk_id: candidate for candidate in found}, scores)

    alone = look(searched(question), None if meaning is None else meaning.vector)
    views, scores, chosen = [alone], dict(alone.scores), alone.best(limit)
    leaning = look(alone.text, None if meaning is None else meaning.leaning, said) if said else None
    if leaning is not None:
        views.append(leaning)
        chosen = list(dict.fromkeys((*chosen, *leaning.best(limit))))
    judged = by_itself = alone.judge(chosen, model, baseline)
    stands = follow_up.Stands.ALONE if pair is None else follow_up.stands(question)
    hangs = False
    if pair is not None and (carries or stands is follow_up.Stands.NOT or may_hang(alone, judged)):
        paired = look(pair, None if meaning is None else meaning.together)
        views.append(paired)
        chosen = list(dict.fromkeys((*chosen, *paired.best(limit))))
        judged = with_before(
            alone.judge(chosen, model, baseline), paired.judge(chosen, model, baseline), carries=carries
        )
        hangs = True
    if leaning is not None:
        says_nothing = carries or stands is follow_up.Stands.NOT
        scores = ranked(views, alone, leaning, {} if says_nothing else by_itself)
        if not (carries or is_answered(judged)):
            judged = in_light(judged, leaning.judge(chosen, model, baseline), math.inf if hangs else LIGHT_MAX)
    held = {one: keys for view in views for one, keys in view.hits.held.items()}
    identified = asked_identifiers.resolve(exact, held, complete=alone.hits.complete)
    scores = rank.with_identifiers(scores, identified)
    candidates = {one: candidate for view in reversed(views) for one, candidate in view.candidates.items()}
    best = sorted(scores, key=lambda one: (-scores[one], one))[:limit]
    of_case = own_case.has_reference(question)
    if not carries:
        judged |= alone.judge([one for one in best if one not in judged], model, baseline)
    return [
        _scored(candidates[one], scores[one], judged.get(one, NOT_RELEVANT), identified, of_case=of_case)
        for one in best
    ]  # fmt: skip


def _scored(candidate: Candidate, score: float, judged: Judgement, identified: Found, *, of_case: bool) -> Scored:
    """Add what the question's identifiers say: a chunk that holds one is relevant by that alone; one that holds another
    code in place of a missing one is not, and no document answers what is about the asker's own case."""
    chunk_id = candidate.chunk_id
    evidence = identified.of_chunk.get(chunk_id)
    if evidence is not None:
        judged = judged.overruled("identifiers", max(judged.probability, evidence.relevance))
    elif chunk_id in identified.no_answers:
        judged = judged.overruled("identifiers", 0.0)
    elif of_case:
        judged = judged.overruled("own_case", 0.0)
    return Scored(
        chunk_id, candidate.document_id, candidate.ordinal, score, judged.probability, candidate.bm25, candidate.cosine,
        identified.texts(chunk_id), judged.evidence,
    )  # fmt: skip


LINES_MAX = 3
"""Of a burst only the newest lines are also asked one by one: each is a search."""


def questions_of(lines: Sequence[str]) -> list[str]:
    """Return the questions to ask for a burst of messages: the burst as a whole, and its newest lines if there are
    several."""
    asked = [line for line in lines if line.strip()]
    return ["\n".join(asked), *(asked[-LINES_MAX:] if len(asked) > 1 else ())]


def search_burst(
    conn: Conn,
    company_id: int,
    lines: Sequence[str],
    limit: int = 8,
    meanings: Mapping[str, Meaning] | None = None,
    *,
    before: Sequence[Said] = (),
    where: Filter | None = None,
    results: Results | None = None,
    asker: str = "",
    missing: Collection[str] = (),
) -> list[Passage]:
    """Return the best passages for a burst of messages, which may ask several things.

    meanings: of `questions_of(lines)`. missing: those of them that the cache was just looked at for in vain. The burst
    as a whole and its newest lines are searched separately and the rankings are fused: with four questions in one
    search each passage would match a quarter of the words, and none would be relevant. score: the reciprocal rank, if
    several were searched.
    """
    known = meanings or {}
    found = [
        search(
            conn, company_id, asked, limit, known.get(asked), looked=asked in missing,
            before=before, where=where, results=results, asker=asker,
        ) for asked in questions_of(lines)
    ]  # fmt: skip
    return rank.fuse(found, limit)


def add(
    conn: Conn,
    company_id: int,
    *,
    source: str,
    title: str,
    text: str = "",
    turns: Sequence[Turn] = (),
    language: str | None = "english",
    collection: str = "default",
    category: str | None = None,
    dated_at: datetime | None = None,
) -> documents.Added:
    """Chunk a text, a Markdown document or a conversation in this process, and make it findable.

    For trusted texts only: uploads are parsed in a child process first, outside the transaction, and stored by
    `add_parsed`, which has the same promises. turns: of a transcript, instead of text.
    """
    return add_parsed(
        conn, company_id, chunk.parsed(title, text, turns), source=source, language=language, collection=collection,
        category=category, dated_at=dated_at,
    )  # fmt: skip


def add_parsed(
    conn: Conn,
    company_id: int,
    parsed: Parsed,
    *,
    source: str,
    language: str | None = None,
    collection: str = "default",
    category: str | None = None,
    dated_at: datetime | None = None,
    once: bool = False,
) -> documents.Added:
    """Make a parsed document findable; adding the same one again changes nothing.

    source: the owner's key of the document, unique in the company; another text under it replaces the document.
    language: None to detect it. Raises ValueError for an unknown language. Call inside a transaction that works for the
    company, with one document each: two writers of several documents could deadlock.
    """
    source, title, text = chunk.clean(source).strip(), parsed.title, parsed.text
    looks_like = f"{title}\n{text[:READ_CHARS]}"
    language = language or detect(looks_like, documents.commonest_language(conn, company_id)) or "english"
    described = (category or "", dated_at.isoformat() if dated_at else "", parsed.times)
    parts = (str(chunk.VERSION), collection, language, title, text, *described)
    # Lengths between the parts: no two different documents may read the same end to end.
    hashed = hashlib.sha256("".join(f"{len(part)}:{part}" for part in parts).encode()).digest()
    return documents.add_document(
        conn,
        company_id,
        source=source,
        title=title,
        text=text,
        content_hash=hashed,
        chunks=parsed.chunks,
        language=language,
        collection=collection,
        kind=parsed.kind,
        category=category,
        dated_at=dated_at,
        once=once,
        identifiers=[keys_of(f"{part.title}\n{part.text}") for part in parsed.chunks],
    )
