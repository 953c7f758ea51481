"""Questions with and without an answer, as people write them, asked through the product's own search.

Each becomes an example: what relevance sees of its six best passages, and which of them answer it. Of each XQuAD set
half of the articles are a company's texts, and questions about the others have no answer.
"""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
import unicodedata
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.knowledge import chunk, rank, relevance, search
from shared.knowledge.conversation import Said, said_before
from shared.knowledge.e5 import LocalE5
from shared.knowledge.embed import Vector
from shared.knowledge.words import weighed
from shared.model import ChatLine
from shared.store.db.pool import Conn, set_companies
from shared.store.knowledge import passages
from tasks.knowledge import evaluation
from tasks.knowledge.evaluation import Row

SHOPS = Path(__file__).parents[1] / "tests" / "contract" / "relevance"
SHOP_LANGUAGES = ("en", "de", "es", "fr", "ru", "tr", "ar", "zh")
XQUAD = {
    "en": ("de", "es", "zh"), "de": ("en", "es", "ru"), "es": ("en",), "ru": ("en",), "ar": ("en",), "zh": ("en", "de"),
}  # fmt: skip
"""Languages of texts, and the languages that their questions are also asked in."""
SHOWN = 6
MANY, SOME, FEW = 200, 120, 80
TYPO_SHARE = 0.3
COURTESIES = {
    "de": ("Hallo, ich hätte eine Frage: {} Viele Grüße", "Guten Tag, {} Danke im Voraus", "@acme_bot {}"),
    "es": ("Hola, buenos días, tengo una pregunta: {} Muchas gracias", "Buenas tardes. {} Un saludo", "@acme_bot {}"),
    "ru": ("Здравствуйте, у меня вопрос: {} Заранее спасибо", "Добрый день! {} С уважением", "@acme_bot {}"),
    "ar": ("مرحبا، لدي سؤال: {} شكرا جزيلا", "السلام عليكم، {} وشكرا لكم", "@acme_bot {}"),
    "zh": ("你好，我想问一下：{} 谢谢", "您好！请问{} 非常感谢", "@acme_bot {}"),
    "en": (
        "Hi there, quick question: {} Thanks a lot!",
        "Hello, I have a question. {} Kind regards, Tom",
        "@acme_bot {}",
    ),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question. relevant: ids of the passages that answer it; none: without an answer. topic: questions with the same
    one go into the same half."""

    text: str
    situation: str
    relevant: tuple[str, ...] = ()
    history: tuple[ChatLine, ...] = ()
    topic: str = ""

    def written(self, text: str, situation: str) -> Asked:
        """Return the same question written in another way."""
        return Asked(text, situation, self.relevant, self.history, self.topic)


class Remembering:
    """The local embedding model; vectors are kept in a file, because most of the time goes there."""

    def __init__(self, path: Path) -> None:
        self._inner = LocalE5(threads=2)
        self.model, self.baseline = self._inner.model, self._inner.baseline
        self._path = path
        with sqlite3.connect(path) as kept:
            kept.execute("CREATE TABLE IF NOT EXISTS v (k blob PRIMARY KEY, v blob)")

    def prepare(self) -> None:
        """Load nothing: only texts that are not kept need the model."""

    def trust(self, text: str) -> float:
        return self._inner.trust(text)

    def embed(self, texts: Sequence[str], *, deadline_s: float, passages: bool = False) -> list[Vector]:
        keys = {text: hashlib.sha1(f"{'p' if passages else 'q'}:{text}".encode()).digest() for text in texts}
        with sqlite3.connect(self._path, timeout=60) as kept:
            known = {
                text: array("f", row[0]).tolist()
                for text, key in keys.items()
                if (row := kept.execute("SELECT v FROM v WHERE k = ?", (key,)).fetchone()) is not None
            }
            missing = [text for text in keys if text not in known]
            for text, vector in zip(missing, self._inner.embed(missing, passages=passages), strict=True):
                known[text] = list(vector)
                kept.execute("INSERT OR REPLACE INTO v VALUES (?, ?)", (keys[text], array("f", vector).tobytes()))
        return [known[text] for text in texts]


def examples(
    owner: Conn, conn: Conn, folder: Path, sets: Sequence[str], embedder: Remembering
) -> Iterator[dict[str, Any]]:
    """Load each set as a company and ask its questions. owner, conn: as the owner and as the application."""
    for name, rows, asked in _companies(folder):
        family = name.partition("-")[0]
        if family not in sets:
            continue
        corpus = evaluation.load(owner, name, rows, embedder)
        embedder.embed([search.searched(each.text) for each in asked], deadline_s=600)
        for each in asked:
            with conn.transaction():
                set_companies(conn, [corpus.company_id])
                found = _seen(conn, corpus, each, embedder)
            topic = each.topic or each.text
            yield {
                "corpus": name, "family": family, "situation": each.situation, "answered": bool(each.relevant),
                "topic": topic, "rows": found,
            }  # fmt: skip


def _seen(conn: Conn, corpus: evaluation.Corpus, asked: Asked, embedder: Remembering) -> list[list[Any]]:
    """Return for the best passages: whether they answer the question, whether it is in another language, features."""
    before: tuple[Said, ...] = tuple(said_before(asked.history))
    meaning = search.understand(embedder, [asked.text], deadline_s=60, before=before).get(asked.text)
    if meaning is None:
        return []
    said = [part for part in before if part.words > 0]
    bare = search.searched(asked.text)
    found = passages.hits(
        conn, corpus.company_id, [bare, *(chunk.clean(part.text) for part in said)], [1.0, *(p.words for p in said)],
        (meaning.model, meaning.vector), None, search.CANDIDATES,
    )  # fmt: skip
    candidates = weighed(found)
    scores = rank.scores(candidates, meaning.trust, meaning.baseline, rank.weights_of(meaning.model))
    best = sorted(candidates, key=lambda each: (-scores[each.chunk_id], each.chunk_id))[:SHOWN]
    judged = relevance.features(found, best, relevance.Asked(bare, meaning.model, meaning.baseline))
    scale = relevance.scale_of(meaning.model)
    return [
        [corpus.names[chunk_id] in asked.relevant, weights is scale.foreign, *features]
        for chunk_id, (features, weights) in judged.items()
    ]


def _companies(folder: Path) -> Iterator[tuple[str, Sequence[Row], Sequence[Asked]]]:
    chance = random.Random(2)
    bank = elsewhere(folder / "banking77", "banking77", 3)
    clinc = elsewhere(folder / "clinc150", "clinc150", 4, label="oos")
    yield from _shops(chance)
    yield from _xquad(folder, chance)
    asked = _answered(folder / "stackfaq", "as written", 5)
    varied = [*_varied(asked[:SOME], "en", chance)]
    yield "stackfaq", _rows(folder / "stackfaq"), [*asked, *varied, *bank, *clinc]
    kinds = {"first": "first question", "followup": "follow-up"}
    for name in ("doc2dial", "mtrag"):
        asked = _answered(folder / name, kinds, 6)
        unanswered = [
            Asked(entry["text"], entry["answerability"], (), evaluation.history_of(entry))
            for entry in _lines(folder / name / "queries_without_answer.jsonl")
            if entry["answerability"] in ("unanswerable", "underspecified")
        ]
        yield name, _rows(folder / name), [*asked, *unanswered, *bank, *clinc]


def _shops(chance: random.Random) -> Iterator[tuple[str, Sequence[Row], Sequence[Asked]]]:
    shops = {language: _shop(language) for language in SHOP_LANGUAGES}
    for language, (rows, asked) in shops.items():
        full = [each for each in asked if each.situation == "as written" and each.relevant]
        foreign = [
            each.written(each.text, "other language")
            for other in ("en", "de", "fr", "tr", "zh")
            if other != language
            for each in shops[other][1]
            if each.situation != "short"
        ]
        yield f"shop-{language}", rows, [*asked, *_varied(full, language, chance), *foreign]


def _shop(language: str) -> tuple[list[Row], list[Asked]]:
    rows: list[Row] = []
    asked: list[Asked] = []
    for line in (SHOPS / f"{language}.txt").read_text("utf-8").splitlines():
        kind, _, text = line.partition(" ")
        if kind == "#":
            title, _, body = text.partition(" | ")
            rows.append(Row(str(len(rows)), title, body, None))
        elif kind == "?":
            own = (rows[-1].id,)
            short = bool(asked) and asked[-1].relevant == own
            asked.append(Asked(text, "short" if short else "as written", own, (), own[0]))
        else:
            asked.append(Asked(text, "as written", (), (), text))
    return rows, asked


def _xquad(folder: Path, chance: random.Random) -> Iterator[tuple[str, Sequence[Row], Sequence[Asked]]]:
    written = {
        language: {
            entry["id"].split("-", 1)[1]: entry for entry in _lines(folder / f"xquad-{language}" / "queries.jsonl")
        }
        for language in XQUAD
    }
    for language, others in XQUAD.items():
        rows = _rows(folder / f"xquad-{language}")
        own = set(sorted({row.id.split("-")[2] for row in rows})[::2])
        kept = [(entry["relevant"][0].split("-")[2] in own, key) for key, entry in written[language].items()]
        random.Random(6).shuffle(kept)
        asked: list[Asked] = []
        for has, number in ((True, MANY), (False, MANY)):
            keys = [key for mine, key in kept if mine == has][:number]
            plain = [_of(written[language][key], "as written", has) for key in keys]
            asked += [*plain, *_varied(plain[: SOME if has else FEW], language, chance)]
            asked += [
                Asked(written[other][key]["text"], "other language", plain[at].relevant, (), plain[at].topic)
                for other in others
                for at, key in enumerate(keys[:FEW])
                if key in written[other]
            ]
        yield f"xquad-{language}", [row for row in rows if row.id.split("-")[2] in own], asked


def _of(entry: Mapping[str, Any], situation: str, has: bool) -> Asked:
    topic = entry["relevant"][0].split("-", 2)[2]
    return Asked(entry["text"], situation, tuple(entry["relevant"]) if has else (), (), topic)


def _answered(folder: Path, situation: str | Mapping[str, str], seed: int) -> list[Asked]:
    entries = _lines(folder / "queries.jsonl")
    random.Random(seed).shuffle(entries)
    return [
        Asked(
            entry["text"], situation if isinstance(situation, str) else situation[entry["type"]],
            tuple(entry["relevant"]), evaluation.history_of(entry), entry["relevant"][0],
        ) for entry in entries[: 2 * MANY]
    ]  # fmt: skip


def elsewhere(folder: Path, situation: str, seed: int, label: str | None = None) -> list[Asked]:
    entries = [entry for entry in _lines(folder / "labelled.jsonl") if label is None or entry["label"] == label]
    random.Random(seed).shuffle(entries)
    return [Asked(entry["text"], situation) for entry in entries[:MANY]]


def _varied(asked: Sequence[Asked], language: str, chance: random.Random) -> Iterator[Asked]:
    """Write questions as people do: with typos, with courtesies around them, in lower case without marks."""
    forms = COURTESIES.get(language, COURTESIES["en"])
    for at, each in enumerate(asked):
        yield each.written(with_typos(each.text, TYPO_SHARE, chance), "typos")
        yield each.written(forms[at % len(forms)].format(each.text), "courtesies")
        yield each.written(lower(each.text), "lower case")


def with_typos(text: str, share: float, chance: random.Random) -> str:
    """Put a typo into so many of the words of four letters or more."""
    return " ".join(_typo(word, chance) if chance.random() < share else word for word in text.split())


def _typo(word: str, chance: random.Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    at = chance.randrange(1, len(word) - 1)
    left_out, swapped = word[:at] + word[at + 1 :], word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    doubled, wrong = word[:at] + word[at] + word[at:], word[:at] + chance.choice("aeiorstn") + word[at + 1 :]
    return chance.choice((left_out, swapped, doubled, wrong))


def lower(text: str) -> str:
    """Return a text without capitals, accents and closing marks."""
    letters = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(each for each in letters if not unicodedata.combining(each)).lower().rstrip("?")


def _rows(folder: Path) -> list[Row]:
    return list(evaluation.read_corpus(folder / "corpus.jsonl"))


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
