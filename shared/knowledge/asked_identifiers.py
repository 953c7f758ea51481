"""Finds what exact things a question asks for, and decides from the keys that chunks hold which of them there are.

An identifier that a chunk holds is evidence by itself. One that is looked for and that no chunk holds is missing: other
codes are no answer to it. Ordinary figures ("2 people", "in 30 days") are never missing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache

from shared.knowledge.identifier_words import ARTICLES, CASES, PERIODS, SMALL, UNITS
from shared.knowledge.identifiers import (
    CODE,
    DIGIT,
    LOOSE_LETTERS,
    VERSION,
    Piece,
    emails,
    is_code,
    is_error_before,
    is_slashed,
    is_small,
    is_year,
    is_year_text,
    named_key,
    numbers_of,
    pieces,
    plain,
    shortened,
    version_of,
)
from shared.knowledge.told_numbers import article_before, behind_of, gives_case, is_amount, is_of_case, is_spoken
from shared.triage import own_case

READINGS_MAX = 40
"""Of a question; each is a few look-ups in an index."""
RUN_MAX = 5
"""So many pieces at most make one code: F 12 300 A."""
EXACT, DIGITS, NAMED, FIGURE = 0.95, 0.9, 0.6, 0.5
"""Relevance that an identifier gives a chunk that holds it: a code; the digits of one; a word with its number; a figure
of a question that says little else."""
RARE = 8
"""In more chunks than this a name or a figure is no evidence."""
FIGURE_WORDS = 3
"""So many words beside a figure at most."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a part of a question.

    text: as it is written. first, last: its pieces. keys: of equal meaning, the best first. sought: it is looked for,
    so that it is missing where no chunk holds it. mark: what chunks hold that are no answer then.
    """

    text: str
    first: int
    last: int
    keys: tuple[str, ...]
    strength: float
    sought: bool = False
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question asks for by exact identifiers."""

    readings: tuple[Reading, ...] = ()

    @property
    def keys(self) -> list[str]:
        """All that chunks are to be looked up by, each once."""
        return list(dict.fromkeys(key for reading in self.readings for key in reading.keys))

    @property
    def marks(self) -> list[str]:
        """Of chunks that have other identifiers of the same kind."""
        return sorted({reading.mark for reading in self.readings if reading.mark})


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a chunk holds of it. relevance: what that alone is worth, 0 to 1. texts: the identifiers, as asked."""

    relevance: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """of_chunk: the evidence by chunk id. asked: the identifiers that were found, in the question's order. missing:
    what no chunk holds, as asked. no_answers: chunks that hold something else in its place."""

    of_chunk: Mapping[int, Evidence] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    no_answers: frozenset[int] = frozenset()

    def texts(self, chunk_id: int) -> tuple[str, ...]:
        """The identifiers that a chunk holds, as asked."""
        evidence = self.of_chunk.get(chunk_id)
        return () if evidence is None else evidence.texts


NOTHING = Asked()


@lru_cache(maxsize=64)
def asked(question: str) -> Asked:
    """Read a question's identifiers. A turn asks twice: to search, and for what was not found."""
    text = plain(question)
    if "@" not in text and not DIGIT.search(text):
        return NOTHING
    all_pieces = _parted(pieces(text))
    said_little = sum(p.is_word and p.text.lower() not in SMALL for p in all_pieces) <= FIGURE_WORDS
    own = own_case.judge(text) is not None
    readings = [Reading(email, -1 - n, -1 - n, (f"@{email.lower()}",), EXACT) for n, email in enumerate(emails(text))]
    for place, piece in enumerate(all_pieces):
        if piece.has_digits:
            readings += _readings(text, all_pieces, place, said_little=said_little, own=own)
        if len(readings) > READINGS_MAX:
            break
    return Asked(tuple(readings[:READINGS_MAX]))


def missing(question: str, held: AbstractSet[str]) -> tuple[str, ...]:
    """What a question looks for and is not among the identifiers that its passages hold, as asked. held: as
    Evidence.texts of all passages."""
    readings = asked(question).readings
    taken = {place for reading in readings if reading.text in held for place in range(reading.first, reading.last + 1)}
    return _missing(readings, taken)


def missing_of_lines(lines: Sequence[str], held: AbstractSet[str]) -> tuple[str, ...]:
    """The same for several messages. A number in one is the asker's order's where another asks for that order."""
    gone = tuple(dict.fromkeys(code for line in lines for code in missing(line, held)))
    whole = "\n".join(lines)
    if not gone or own_case.judge(whole) is None:
        return gone
    together = missing(whole, held)
    return tuple(code for code in gone if code in together)


def resolve(asked: Asked, held: Mapping[int, AbstractSet[str]], *, complete: bool = True) -> Found:
    """Decide what was found. held: the keys and marks of each chunk that comes into question. complete: all documents
    have their keys; else nothing is missing for sure."""
    if not asked.readings:
        return Found()
    having = Counter(key for keys in held.values() for key in keys)
    taken: set[int] = set()
    evidence: dict[int, Evidence] = {}
    there: list[Reading] = []
    for reading in sorted(asked.readings, key=_before_others):
        places = range(reading.first, reading.last + 1)
        if not taken.isdisjoint(places):
            continue
        most = RARE if reading.strength < DIGITS else len(held)
        key = next((one for one in reading.keys if 0 < having[one] <= most), None)
        if key is None:
            continue
        taken.update(places)
        there.append(reading)
        for chunk_id, keys in held.items():
            if key in keys:
                before = evidence.get(chunk_id, Evidence(0.0, ()))
                evidence[chunk_id] = Evidence(max(before.relevance, reading.strength), (*before.texts, reading.text))
    gone = _missing(asked.readings, taken)
    marks = {r.mark for r in asked.readings if r.mark and taken.isdisjoint(range(r.first, r.last + 1))}
    others = frozenset(
        chunk_id for chunk_id, keys in held.items() if chunk_id not in evidence and not marks.isdisjoint(keys)
    )
    if not complete:
        gone, others = (), frozenset()
    in_order = sorted(there, key=lambda reading: reading.first)
    return Found(evidence, tuple(dict.fromkeys(r.text for r in in_order)), gone, others)


def _before_others(reading: Reading) -> tuple[bool, int, float, int]:
    """The sure ones first, of these the longest: AX 3306 B before AX 3306."""
    return (reading.strength < DIGITS, reading.first - reading.last, -reading.strength, reading.first)


def _missing(readings: Sequence[Reading], taken: AbstractSet[int]) -> tuple[str, ...]:
    gone: dict[str, None] = {}
    covered = set(taken)
    for reading in sorted(readings, key=lambda r: (r.first - r.last, r.first)):
        places = range(reading.first, reading.last + 1)
        if reading.sought and covered.isdisjoint(places):
            covered.update(places)
            gone[reading.text] = None
    return tuple(gone)


def _parted(all_pieces: Sequence[Piece]) -> list[Piece]:
    """Codes that a slash parts are two: WX-4410/WX-4411."""
    parted: list[Piece] = []
    for piece in all_pieces:
        parts = pieces(piece.text.replace("/", "\n")) if "/" in piece.marks else []
        several = len(parts) > 1 and all(is_code(part) for part in parts)
        if not several:
            parted.append(piece)
            continue
        for place, part in enumerate(parts):
            gap = "/" if place else piece.gap
            parted.append(Piece(part.text, piece.begin + part.begin, part.parts, part.marks, gap))
    return parted


def _readings(text: str, all_pieces: Sequence[Piece], place: int, *, said_little: bool, own: bool) -> list[Reading]:
    """own: the question is about the asker's own case, so that a number it gives is that case's."""
    piece = all_pieces[place]
    found = _loose(text, all_pieces, place, said_little=said_little, own=own)
    of_case = is_of_case(all_pieces, place) or (own and gives_case(all_pieces, place))
    if piece.is_integer:
        return found + _number(text, all_pieces, place, of_case=of_case, said_little=said_little)
    if numbers := numbers_of(piece):
        keys = tuple(f"n{number}" for number in numbers)
        return [*found, *([Reading(piece.text, place, place, keys, FIGURE)] if said_little else [])]
    if (version := version_of(piece)) is not None:
        return [*found, Reading(piece.text, place, place, (f"v{version}",), EXACT, mark=VERSION)]
    whole, *shorter = shortened(piece)
    keys = (f"={whole}", f"^{whole}", *(f"={short}" for short in shorter), *(f"^{short}" for short in shorter))
    if whole.isdigit():
        keys = (*keys, f"#{whole}")
    code = is_code(piece) or is_slashed(piece)
    sought = code and not of_case
    strength = EXACT if code else NAMED
    found.append(Reading(piece.text, place, place, keys, strength, sought, CODE if sought else ""))
    return found


def _number(
    text: str, all_pieces: Sequence[Piece], place: int, *, of_case: bool, said_little: bool
) -> list[Reading]:  # fmt: skip
    """The readings of a piece that is digits alone."""
    piece = all_pieces[place]
    digits, number = piece.text, numbers_of(piece)[0]
    plainly = (f"n{number}", f"={digits}")
    before = all_pieces[place - 1].text.lower() if place else ""
    behind = behind_of(text, all_pieces, place)
    if piece.gap.endswith("#"):
        sought = not of_case and len(digits) >= 3
        return [_of(f"#{digits}", place, (*plainly, f"#{digits}"), EXACT, sought=sought)]
    if 2 <= len(digits) <= 6 and not is_amount(piece, behind) and is_error_before(all_pieces, place):
        keys = (f"={''.join(('E', digits))}", f"=ERR{digits}", f"=F{digits}", f"={digits}", f"#{digits}")
        return [_of(_from(text, all_pieces, max(place - 1, 0), place), place, keys, EXACT, sought=True)]
    if of_case:
        return [_of(digits, place, plainly, DIGITS)] if len(digits) >= 4 else []
    if len(digits) >= 3 and not is_amount(piece, behind) and article_before(all_pieces, place):
        return [_of(digits, place, (*plainly, f"#{digits}"), EXACT, sought=not is_year(piece))]
    found = []
    amount = is_amount(piece, behind)
    if before and len(before) >= 3 and piece.gap == " " and before not in SMALL and before not in UNITS:
        name = all_pieces[place - 1].text
        found.append(Reading(f"{name} {digits}", place - 1, place, (named_key(name, digits),), NAMED))
    if len(digits) >= 6:
        found.append(_of(digits, place, plainly, DIGITS))
    elif len(digits) >= 4 and not (is_year(piece) or amount or _begins_code(all_pieces, place)):
        found.append(_of(digits, place, (f"#{digits}",), DIGITS))
    if said_little and len(digits) >= 3 and (len(all_pieces) <= 2 or not found or amount):
        found.append(_of(digits, place, plainly, FIGURE))
    return found


def _of(text: str, place: int, keys: tuple[str, ...], strength: float, *, sought: bool = False) -> Reading:
    return Reading(text, place, place, keys, strength, sought, CODE if sought else "")


def _loose(text: str, all_pieces: Sequence[Piece], place: int, *, said_little: bool, own: bool) -> list[Reading]:
    """The readings of a code that is written with spaces, whose first digits are in this piece."""
    found: list[Reading] = []
    shouted = _is_shouted(all_pieces)
    for first in range(max(place - 2, 0), place + 1):
        if any(all_pieces[at].has_digits for at in range(first, place)):
            continue
        for last in range(place, min(first + RUN_MAX, len(all_pieces))):
            run = all_pieces[first : last + 1]
            if last > first and not (_hangs(run[-1]) and run[-1].gap in (" ", "-", " - ")):
                break
            if last == first or not (_hangs(run[0]) or (last == place == first + 1 and _begins(*run, shouted=shouted))):
                continue
            if not all(map(_hangs, run[1:])) or not (run[0].is_word or all(p.is_integer for p in run)):
                continue
            joined = "".join(piece.joined for piece in run)
            beginning = not (last + 1 < len(all_pieces) and _may_end(all_pieces[last + 1]))
            keys = (f"={joined}", *((f"^{joined}",) if beginning else ()))
            if joined.isdigit():
                if len(joined) < 6 and not said_little:
                    continue
                grouped = len(run[0].text) <= 3 and all(len(piece.text) == 3 for piece in run[1:])
                figures = (f"n{numbers_of(run[0])[0]}{joined[len(run[0].text) :]}",) if grouped else ()
                strength = EXACT if len(joined) >= 6 and not grouped else FIGURE
                found.append(
                    Reading(_from(text, all_pieces, first, last), first, last, (*keys[:1], *figures), strength)
                )
                continue
            of_case = is_of_case(all_pieces, first + 1) or (own and gives_case(all_pieces, first))
            sought = _looks_sought(run) and not (of_case or is_spoken(text, run))
            found.append(
                Reading(_from(text, all_pieces, first, last), first, last, keys, EXACT, sought, CODE if sought else "")
            )
    return found


def _hangs(piece: Piece) -> bool:
    """Whether a piece can be a part of a code that is written with spaces."""
    if piece.has_digits:
        if piece.is_integer or (piece.marks == (".",) and len(piece.parts[0]) >= 4):  # ET 5003.1
            return True
        return not (numbers_of(piece) or version_of(piece))
    if len(piece.text) == 1:
        return True
    return len(piece.text) <= (LOOSE_LETTERS if piece.text.isupper() else 3) and not _is_small(piece)


def _begins(word: Piece, number: Piece, *, shouted: bool) -> bool:
    """Whether a small word begins a code by being written in capitals before a number: "the ET 5003/1". shouted: the
    question has all its words in capitals, so that they say nothing of one."""
    name = word.text.lower()
    if not (word.is_word and word.text.isupper() and len(name) <= LOOSE_LETTERS) or name in ARTICLES or name in CASES:
        return False
    return is_slashed(number) or (number.digits >= 3 and name not in UNITS and not shouted)


def _is_shouted(all_pieces: Sequence[Piece]) -> bool:
    words = [piece.text for piece in all_pieces if piece.is_word and len(piece.text) > 1]
    return len(words) > 1 and all(word.isupper() for word in words)


def _may_end(piece: Piece) -> bool:
    """Whether a piece may be the last letters of the code before it: AX 3306 B."""
    short = len(piece.text) == 1 or (len(piece.text) == 2 and piece.text.isupper())
    return piece.gap == " " and piece.is_word and short


def _is_small(piece: Piece) -> bool:
    """Whether it is a word or a unit that belongs to no code."""
    return len(piece.text) > 1 and piece.is_word and is_small(piece.text.lower())


def _looks_sought(run: Sequence[Piece]) -> bool:
    """AX 3306 B, WX 4410: capitals, then a number of three digits or more; in small letters only between letters."""
    words = [piece for piece in run if piece.is_word]
    digits = [piece for piece in run if piece.has_digits]
    if len(digits) != 1 or digits[0].digits < 3 or not run[0].is_word or is_year(digits[0]):
        return False
    number = digits[0]
    if not number.is_integer:
        if numbers_of(number) or "." in number.marks or "," in number.marks or is_year_text(number.parts[0]):
            return False
        if run[0].text.lower() in PERIODS or len(number.parts[0]) < 3:
            return False
    capitals = all(piece.text.isupper() for piece in words)
    if len(run) == 2:
        return capitals and len(run[0].text) <= LOOSE_LETTERS
    return len(run) == 3 and len(run[-1].text) <= 2 and run[-1].is_word and (capitals or len(run[0].text) == 2)


def _begins_code(all_pieces: Sequence[Piece], place: int) -> bool:
    """Whether letters before a number make it a part of a code: AX 3306."""
    before = all_pieces[place - 1] if place else None
    if before is None or not before.is_word or all_pieces[place].gap not in (" ", "-"):
        return False
    return len(before.text) <= 3 and not _is_small(before) and before.text.lower() not in ARTICLES


def _from(text: str, all_pieces: Sequence[Piece], first: int, last: int) -> str:
    return " ".join(text[all_pieces[first].begin : all_pieces[last].begin + len(all_pieces[last].text)].split())
