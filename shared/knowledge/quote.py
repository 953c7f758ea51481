"""Quotes what passages say about a question, without a model: sentences, and rows of tables with their columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.knowledge.asked_identifiers import asked
from shared.knowledge.identifiers import keys_of
from shared.knowledge.tabled import LEAD_CHARS, begins_table, cells_of
from shared.llm.prompt import without_marks
from shared.model import Passage

QUOTE_MAX_CHARS = 600
SECOND_PASSAGE_SHARE = 0.75
"""A second passage is quoted if its relevance is at least this share of the first one's."""
STATEMENTS_MAX = 3
"""Of a passage."""
TITLE_CHARS = 80
"""A longer first line says something."""
_IDENTIFIER_COUNTS = 100
"""In words: a row that holds the code that is asked for goes before all others."""
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])|\n\s*")
_HEADING = re.compile(r"#{1,6}\s")
_FIELD = re.compile(r"([^:|\n]{1,60}): (\S.*)")
_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_COMMON_WORDS = """
    a an and are as at be but by can could did do does for from had has have how i if in is it its me my no not of
    on or our please so some than that the their them then there they this to was we were what when where which
    who why will with would you your hello hi thanks thank need want
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class _Statement:
    """A sentence, or a row of a table: its fields as (column, value). caption: what the table is of. heads: it is a
    title, which says nothing by itself."""

    text: str
    fields: tuple[tuple[str, str], ...] = ()
    caption: str = ""
    heads: bool = False


def quote(passages: Sequence[Passage], question: str, introduction: str) -> str:
    """Quote what the best passages say about the question, cited as [1]; under 600 characters.

    passages: best first, as for prompt.build(), so that the numbers mean the same. introduction: stands before them. A
    row of a table is quoted as `column: value`, with the table's caption. Empty where they are titles alone. Raises
    ValueError if there are none.
    """
    if not passages:
        raise ValueError("nothing to quote")
    wanted = _Wanted.of(question)
    chosen = [(n, passage) for n, passage in enumerate(passages, 1) if n <= 2 and _counts(passage, passages[0])]
    room = QUOTE_MAX_CHARS - 1 - len(introduction)
    parts: list[str] = []
    for n, passage in chosen:
        around = len(f"\n“” [{n}]")
        said = _best(passage, wanted, room // (len(chosen) - len(parts)) - around)
        if said and not any(said in part for part in parts):
            parts.append(f"\n“{said}” [{n}]")
            room -= len(parts[-1])
    return introduction + "".join(parts) if parts else ""


def _counts(passage: Passage, best: Passage) -> bool:
    """Whether it is as good as the best. Beside one that holds a code which is asked for, only another code does."""
    if passage is best:
        return True
    if best.identifiers and set(passage.identifiers) <= set(best.identifiers):
        return False
    return passage.relevance >= SECOND_PASSAGE_SHARE * best.relevance


@dataclass(frozen=True, slots=True)
class _Wanted:
    words: frozenset[str]
    keys: frozenset[str]

    @classmethod
    def of(cls, question: str) -> _Wanted:
        return cls(frozenset(_words(question)), frozenset(asked(question).keys))

    def count(self, text: str) -> int:
        """How much of what is wanted a text has."""
        held = len(self.keys.intersection(keys_of(text))) if self.keys else 0
        return len(_words(text) & self.words) + _IDENTIFIER_COUNTS * bool(held)


def _words(text: str) -> set[str]:
    """Words for comparing, cut to what inflection rarely touches; wide scripts as pairs of characters."""
    words = {word[:5] if len(word) > 5 else word for word in _WORD.findall(text.lower()) if word not in _COMMON}
    pairs = {run[i : i + 2] for run in _WIDE.findall(text) for i in range(max(len(run) - 1, 1))}
    return words | pairs


def _best(passage: Passage, wanted: _Wanted, chars: int) -> str:
    """The statements that share most with the question, in their own order; cut with … if one is too long. Of a table's
    rows only those that share most: a row that shares less is about something else. Where no row shares more than the
    others (the question is in another language), all of them if there is room. Where nothing shares a word, the
    passage's beginning, as far as there is room, with … if it goes on."""
    titles = {passage.title, *passage.title.split(" > ")}
    statements = [one for one in _statements(passage.text) if not (one.heads or one.text in titles)]
    if not statements:
        return ""
    counts = [wanted.count(statement.text) for statement in statements]
    order = sorted(range(len(statements)), key=lambda i: (-counts[i], i))
    chosen = _undecided(statements, counts, chars)
    if not chosen and not counts[order[0]] and (begun := _beginning(statements, wanted, chars - len(" …"))):
        return _joined(statements, begun, chars) + (" …" if len(begun) < len(statements) else "")
    for i in [] if chosen else order[:STATEMENTS_MAX]:
        statement = statements[i]
        if chosen and (not counts[i] or _shares_less(statement, counts[i], counts[order[0]])):
            break
        lead = _lead(statement, chars)
        written = _written(statement, wanted, chars - len(lead))
        more = {**chosen, i: written}
        if len(_joined(statements, more, chars)) <= chars:
            chosen = more
    if not chosen:
        cut = statements[order[0]].text[: max(chars - 1, 0)]
        return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"
    return _joined(statements, chosen, chars)


def _beginning(statements: Sequence[_Statement], wanted: _Wanted, chars: int) -> dict[int, str]:
    """The first statements, as many as fit; empty where the first is too long."""
    chosen: dict[int, str] = {}
    for i, statement in enumerate(statements):
        more = {**chosen, i: _written(statement, wanted, chars - len(_lead(statement, chars)))}
        if len(_joined(statements, more, chars)) > chars:
            break
        chosen = more
    return chosen


def _undecided(statements: Sequence[_Statement], counts: Sequence[int], chars: int) -> dict[int, str]:
    """All rows, where the question tells none of them from the others and no sentence says more; empty where it does,
    or they are too long."""
    rows = [i for i, statement in enumerate(statements) if statement.fields]
    if len(rows) < 2 or any(counts[i] != counts[rows[0]] for i in rows) or max(counts) > counts[rows[0]]:
        return {}
    every = {i: _row_text(statements[i].fields) for i in rows}
    return every if len(_joined(statements, every, chars)) <= chars else {}


def _joined(statements: Sequence[_Statement], chosen: Mapping[int, str], chars: int) -> str:
    """What is chosen, in its own order. A table's caption stands before the first of its rows, and nowhere else."""
    captions = {statements[i].caption for i in chosen if _lead(statements[i], chars)}
    said, before, told = "", -1, ""
    for i in sorted(chosen):
        statement = statements[i]
        if not statement.fields and any(statement.text in caption for caption in captions):
            continue
        if said:
            said += " … " if i > before + 1 else "; " if statement.fields else " "
        if statement.caption != told:
            said += _lead(statement, chars)
        told, before = statement.caption or told, i
        said += chosen[i]
    return said


def _lead(statement: _Statement, chars: int) -> str:
    """The caption as it stands before a row, where there is room for it."""
    caption = statement.caption
    fits = len(statement.text) <= chars or 2 * len(caption) < chars
    return f"{caption} – " if caption and fits else ""


def _shares_less(statement: _Statement, count: int, best: int) -> bool:
    return count < best if statement.fields else best >= _IDENTIFIER_COUNTS > count


def _written(statement: _Statement, wanted: _Wanted, chars: int) -> str:
    """A statement as it is quoted, without its caption. A row that is too long keeps its first field and those that
    share most with the question, and says by … that there are more."""
    if not statement.fields:
        return statement.text
    whole = _row_text(statement.fields)
    if len(whole) <= chars:
        return whole
    fields = [f"{name}: {value}" if name else value for name, value in statement.fields]
    order = sorted(range(len(fields)), key=lambda i: (i > 0, -len(_words(fields[i]) & wanted.words), i))
    kept: list[int] = []
    left = chars - 3
    for i in order:
        if len(fields[i]) + 2 <= left:
            kept.append(i)
            left -= len(fields[i]) + 2
    return "; ".join(fields[i] for i in sorted(kept)) + "; …" if kept else whole


def _row_text(fields: Sequence[tuple[str, str]]) -> str:
    return "; ".join(f"{name}: {value}" if name else value for name, value in fields)


def _statements(text: str) -> Iterator[_Statement]:
    """Sentences, rows of tables, and records that are written as `column: value` lines."""
    lines = text.split("\n")
    at, plain = 0, 0  # plain: where the lines begin that are no table
    while at < len(lines):
        if not begins_table(lines, at):
            at += 1
            continue
        yield from _of_text(lines[plain:at], begins=not plain, tabled=True)
        caption, names = _caption(lines[plain:at]), [_bare(name) for name in cells_of(lines[at])]
        at += 2
        while at < len(lines) and "|" in lines[at]:
            yield _row(names, [_bare(cell) for cell in cells_of(lines[at])], caption)
            at += 1
        plain = at
    yield from _of_text(lines[plain:], begins=not plain)


def _row(names: Sequence[str], cells: Sequence[str], caption: str) -> _Statement:
    padded = [*names, *[""] * (len(cells) - len(names))]
    return _record([(name, cell) for name, cell in zip(padded, cells, strict=False) if cell], caption)


def _record(fields: Sequence[tuple[str, str]], caption: str = "") -> _Statement:
    said = _row_text(fields)
    return _Statement(f"{caption} – {said}" if caption else said, tuple(fields), caption)


def _caption(above: Sequence[str]) -> str:
    """The short paragraph above a table, as tabled.py takes it."""
    said: list[str] = []
    for line in reversed(above):
        if line.strip():
            said.insert(0, line)
        elif said:
            break
    caption = " ".join(map(_bare, said)).rstrip(":")
    return caption if len(caption) <= LEAD_CHARS and not (said and said[0].startswith("#")) else ""


def _is_title(line: str, first: bool) -> bool:
    """Whether it is a heading, or reads like a text's title. first: a line by itself above all others."""
    line = line.strip()
    if _HEADING.match(line):
        return True
    return first and len(line) <= TITLE_CHARS and line[-1:].isalnum() and line[:1] not in "-*•>"


def _of_text(lines: Sequence[str], *, begins: bool, tabled: bool = False) -> Iterator[_Statement]:
    """Paragraphs as sentences; one whose lines are all fields is a record. begins: the text begins with them. tabled:
    a table stands below."""
    paragraphs = [paragraph for paragraph in "\n".join(lines).split("\n\n") if paragraph.strip()]
    for place, paragraph in enumerate(paragraphs):
        first, followed = begins and not place, tabled or place + 1 < len(paragraphs)
        rows = [line.strip() for line in paragraph.split("\n") if line.strip()]
        fields = [_FIELD.fullmatch(row) for row in rows]
        named = [(_bare(found[1]), _bare(found[2])) for found in fields if found is not None]
        if len(rows) > 1 and len({name for name, _ in named}) == len(rows):
            yield _record(named)
            continue
        for n, sentence in enumerate(_SENTENCE.split(paragraph)):
            if plain := _bare(sentence):
                yield _Statement(plain, heads=_is_title(sentence, first and not n and len(rows) == 1 and followed))


def _bare(text: str) -> str:
    """On one line, without marks of Markdown and footnotes."""
    plain = " ".join(without_marks(text).split()).lstrip("#>*-•").strip()
    return plain.replace("**", "").replace("`", "").replace("\\|", "|")
