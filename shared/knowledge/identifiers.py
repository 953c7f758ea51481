"""Finds what is exact in a text: codes, article numbers, versions, figures, e-mail addresses. Each gets keys that are
the same for every spelling.

A key begins with its kind:

| key | of | met by |
|---|---|---|
| `=AX3306B` | AX-3306-B in a document | AX3306B, ax 3306 b, AX-3306-B |
| `^AX3306` | the same: its beginning up to a separator | AX-3306 |
| `#3306` | the same: the digits of a code | "the 3306", "error 3306" |
| `#50031` | ET 5003/1: its digits with their separators | 5003/1, 5003-1 |
| `v2.10.3` | v2.10.3 | 2.10.3, and not 2.1.03 |
| `n1500`, `n218.5` | 1,500 and 218,50 | 1500, 1.500, 218.50 |
| `~spindle 123` | spindle 123 | a word and the number behind it |
| `@a@b.example` | an e-mail address | in any case |
| `+` and `+v` | a chunk that has any code, any version | what else a missing code is not to be answered from |

Everything is one pass over a bounded text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.knowledge.identifier_words import ARTICLES, ERRORS, ERRORS_WIDE, PERIODS, SMALL, UNITS

READ_CHARS = 4_096
"""Of a text; a chunk is shorter."""
KEYS_MAX = 400
"""Of a chunk: a page of figures has more, which tell nobody anything."""
KEY_CHARS = 64
CODE, VERSION = "+", "+v"
LOOSE_LETTERS = 4
"""So many letters at most may stand apart from the number that they belong to: AX 3306 B."""

_LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u052f"
"""Of the scripts that codes are written in."""
_TOKEN = re.compile(f"[{_LETTERS}]+|[0-9]+")
DIGIT = re.compile(r"[0-9]")
"""Of a plain text, which has no others."""
_EMAIL = re.compile(r"(?<![\w.%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s|<>()]{1,500}")
_DASHES = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
    | dict.fromkeys("¹²³⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", " ")
    | {"٫": ".", "٬": ",", "’": "'", "\u00a0": " ", "\u202f": " ", "\u00ad": None, "\u200b": None}
)
_INSIDE = frozenset("-_/")
_POINTS = frozenset(".,'")


@dataclass(frozen=True, slots=True)
class Piece:
    """Letters and digits that stand together: `AX-3306-B`, `1,500`, `pump`. parts: runs of letters or of digits. marks:
    what stands between them, one fewer. gap: what stands before it, back to the piece before."""

    text: str
    begin: int
    parts: tuple[str, ...]
    marks: tuple[str, ...]
    gap: str

    @property
    def has_digits(self) -> bool:
        return DIGIT.search(self.text) is not None

    @property
    def is_integer(self) -> bool:
        return len(self.parts) == 1 and self.parts[0][0].isdigit()

    @property
    def is_word(self) -> bool:
        return not self.has_digits

    @property
    def joined(self) -> str:
        return "".join(self.parts).upper()

    @property
    def digits(self) -> int:
        return sum(len(part) for part in self.parts if part[0].isdigit())


def plain(text: str) -> str:
    """The text in ASCII digits, one kind of dash, and one form of each letter."""
    text = text[:READ_CHARS]
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text.translate(_DASHES)).translate(_DASHES)
    return "".join(str(unicodedata.decimal(c)) if c > "\x7f" and c.isdecimal() else c for c in text)


def emails(text: str) -> list[str]:
    """The e-mail addresses of a plain text."""
    return [found[0].rstrip(".-") for found in _EMAIL.finditer(text)] if "@" in text else []


def pieces(text: str) -> list[Piece]:
    """A plain text's pieces in order; e-mail and web addresses are left out."""
    if "@" in text:
        text = _EMAIL.sub(lambda found: "\n" * len(found[0]), text)
    if "://" in text or "www." in text:
        text = _ADDRESS.sub(lambda found: "\n" * len(found[0]), text)
    made: list[Piece] = []
    parts: list[str] = []
    marks: list[str] = []
    begin = end = last = 0
    for found in _TOKEN.finditer(text):
        between = text[end : found.start()]
        if parts and len(parts) < 12 and _belongs(parts[-1], between, found[0]):
            marks.append(between)
        else:
            if parts:
                made.append(Piece(text[begin:end], begin, tuple(parts), tuple(marks), text[last:begin]))
                last = end
            parts, marks, begin = [], [], found.start()
        parts.append(found[0])
        end = found.end()
    if parts:
        made.append(Piece(text[begin:end], begin, tuple(parts), tuple(marks), text[last:begin]))
    return made


def _belongs(one: str, between: str, other: str) -> bool:
    """Whether what stands between two runs holds them together."""
    if not between or between in _INSIDE:
        return True
    if between not in _POINTS:
        return False
    digits = (one[0].isdigit(), other[0].isdigit())
    if all(digits):
        return between != "'" or len(other) == 3
    return between == "." and any(digits) and len(other if digits[0] else one) <= 2


def keys_of(text: str) -> list[str]:
    """The keys of a document's text, each once, at most KEYS_MAX: codes before figures."""
    text = plain(text)
    found: dict[str, None] = dict.fromkeys(f"@{email.lower()}" for email in emails(text))
    all_pieces = pieces(text)
    figures: dict[str, None] = {}
    for place, piece in enumerate(all_pieces):
        if not piece.has_digits:
            continue
        for key in (*_written(piece), *_apart(all_pieces, place)):
            (figures if key[0] in "n~" else found)[key] = None
    return [key for key in (*found, *figures) if len(key) <= KEY_CHARS][:KEYS_MAX]


def _written(piece: Piece) -> Iterator[str]:
    """The keys of a piece by itself."""
    if numbers := numbers_of(piece):
        yield from (f"n{number}" for number in numbers)
        return
    if (version := version_of(piece)) is not None:
        yield f"v{version}"
        if not is_date(piece):
            yield VERSION
            return
    if is_date(piece) or is_range(piece):
        yield from (f"n{int(part)}" for part in piece.parts if part.isdigit())
        return
    yield from _of_code(piece)


def _of_code(piece: Piece) -> Iterator[str]:
    yield from (f"={part}" for part in shortened(piece))
    yield from (f"^{begun}" for begun in _beginnings(piece))
    if not piece.joined.isdigit():
        yield from (f"#{digits}" for digits in _digits_of(piece))
    if is_code(piece):
        yield CODE
    if "/" in piece.marks:
        for one in pieces(piece.text.replace("/", " ")):
            if one.has_digits and not one.is_integer:
                yield f"={one.joined}"


def _apart(all_pieces: Sequence[Piece], place: int) -> Iterator[str]:
    """The keys of a piece together with those around it: a code written with spaces, an error's number, a word's."""
    piece = all_pieces[place]
    before = all_pieces[place - 1] if place and piece.gap.strip(" ") == "" and piece.gap else None
    after = all_pieces[place + 1] if place + 1 < len(all_pieces) and all_pieces[place + 1].gap == " " else None
    if piece.is_integer and (is_error_before(all_pieces, place)):
        yield f"=E{piece.joined}"
        yield CODE
    if before is None or not before.is_word or is_year(piece):
        return
    name = before.text.lower()
    capitals = before.text.isupper() and len(before.text) <= LOOSE_LETTERS
    if capitals and (not is_small(name) or (piece.digits >= 3 and name not in ARTICLES)):
        yield f"={before.joined}{piece.joined}"
        yield from (f"^{begun}" for begun in _beginnings(joined_piece(before, piece)))
        if after is not None and after.is_word and after.text.isupper() and len(after.text) <= 2:
            yield f"={before.joined}{piece.joined}{after.joined}"
            yield f"^{before.joined}{piece.joined}"
        if piece.digits >= 3 and (not is_small(name) or is_slashed(piece) or _stands_out(all_pieces, place)):
            yield CODE
            yield from (f"#{digits}" for digits in dict.fromkeys((piece.joined, *_digits_of(piece))))
    if len(name) >= 3 and piece.is_integer and name not in SMALL and name not in UNITS and len(piece.text) <= 6:
        yield named_key(name, piece.text)


def joined_piece(before: Piece, piece: Piece) -> Piece:
    """Letters and the digits behind them as one piece."""
    text = f"{before.text} {piece.text}"
    return Piece(text, before.begin, (*before.parts, *piece.parts), (*before.marks, " ", *piece.marks), before.gap)


def is_small(name: str) -> bool:
    """Whether it is a word or a unit that makes no code unless it is written like one. name: in small letters."""
    return name in SMALL or name in UNITS


def _stands_out(all_pieces: Sequence[Piece], place: int) -> bool:
    """Whether the capitals before a number are more than a word of a text in capitals, or of an amount: "the ET 5003",
    and neither "OPEN ON 3000 DAYS" nor "AB 1000 EUR"."""
    before = all_pieces[place - 1]
    if before.text.lower() in UNITS:
        return False
    if place + 1 < len(all_pieces) and all_pieces[place + 1].text.lower() in UNITS:
        return False
    words = [all_pieces[at].text for at in (place - 2, place + 1) if 0 <= at < len(all_pieces)]
    return not any(len(word) > 1 and word.isalpha() and word.isupper() for word in words)


def _digits_of(piece: Piece) -> Iterator[str]:
    """The digits of a code that somebody calls it by: each longer run, and runs that a hyphen or a slash joins."""
    parts, marks = piece.parts, ("", *piece.marks)
    run = ""
    for part, mark in zip(parts, marks, strict=True):
        if not part[0].isdigit():
            run = ""
            continue
        run = run + part if run and mark in _INSIDE else part
        if len(part) >= 3:
            yield part
        if len(run) > len(part) and len(run) >= 5:
            yield run


def is_slashed(piece: Piece) -> bool:
    """Whether it is four digits or more, a slash and one to three digits, and no season: 5003/1."""
    parts = piece.parts
    if len(parts) != 2 or piece.marks != ("/",) or not (parts[0].isdigit() and parts[1].isdigit()):
        return False
    return len(parts[0]) >= 4 and not parts[0].startswith("0") and len(parts[1]) <= 3 and not is_year_text(parts[0])


def named_key(word: str, number: str) -> str:
    return f"~{word.lower()} {number}"


def is_error_before(all_pieces: Sequence[Piece], place: int) -> bool:
    """Whether a word for an error, or its code, stands before a piece: "error no. 157", "エラー157"."""
    for back in range(place, max(place - 3, -1), -1):
        gap = all_pieces[back].gap.strip(" :#.(\"'„“«»no№")
        if gap.endswith(ERRORS_WIDE):
            return True
        if gap or not back:
            return False
        word = all_pieces[back - 1]
        if word.text.lower() in ERRORS:
            return True
        if word.text.lower() not in ("code", "no", "nr", "number", "nummer", "is", "kod", "код"):
            return False
    return False


# ------------------------------------------------------------------ kinds of pieces


def numbers_of(piece: Piece) -> tuple[str, ...]:
    """The number that a piece is, in one form; both readings of 1.500; none where it is something else. A unit that is
    written to it is left out: 100ml."""
    parts, marks = list(piece.parts), list(piece.marks)
    if len(parts) > 1 and not parts[-1][0].isdigit() and parts[-1].lower() in UNITS and marks[-1] in ("", "-"):
        parts, marks = parts[:-1], marks[:-1]
    elif len(parts) > 1 and len(parts[0]) == 3 and parts[0].lower() in UNITS and not marks[0]:
        parts, marks = parts[1:], marks[1:]  # EUR50
    if not all(part[0].isdigit() for part in parts) or any(mark not in _POINTS for mark in marks):
        return ()
    if not marks:
        return (_integer(parts[0]),)
    threes = all(len(part) == 3 for part in parts[1:]) and len(parts[0]) <= 3 and parts[0] != "0"
    if len(set(marks)) == 1 and threes:
        whole = _integer("".join(parts))
        return (whole, _decimal(parts[0], parts[1])) if len(marks) == 1 and marks[0] != "'" else (whole,)
    if len(marks) == 1:
        return (_decimal(parts[0], parts[1]),) if marks[0] != "'" else ()
    ends_otherwise = marks[-1] != marks[0] and len(set(marks[:-1])) == 1
    if ends_otherwise and all(len(part) == 3 for part in parts[1:-1]):
        return (_decimal("".join(parts[:-1]), parts[-1]),)
    return ()


def _integer(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _decimal(whole: str, fraction: str) -> str:
    fraction = fraction.rstrip("0")
    return f"{_integer(whole)}.{fraction}" if fraction else _integer(whole)


def version_of(piece: Piece) -> str | None:
    """2.10.3 of `v2.10.3` and `2.10.3`; None where it is something else."""
    parts, marks = piece.parts, piece.marks
    if parts[0].lower() in ("v", "ver", "version") and len(parts) > 1 and marks[0] in ("", "."):
        parts, marks = parts[1:], marks[1:]
        named = True
    else:
        named = False
    if not all(part[0].isdigit() for part in parts) or any(mark != "." for mark in marks):
        return None
    ends_in_year = is_date(piece) and is_year_text(parts[-1])
    return ".".join(parts) if len(parts) >= (2 if named else 3) and (named or not ends_in_year) else None


def is_date(piece: Piece) -> bool:
    """24.12.2024, 2024-12-24, 24/12/24: three numbers of which two may be a day and a month."""
    parts, marks = piece.parts, piece.marks
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or len(set(marks)) != 1:
        return False
    lengths = [len(part) for part in parts]
    if lengths[0] == 4 and lengths[1] <= 2 and lengths[2] <= 2:
        return is_year_text(parts[0]) and 1 <= int(parts[1]) <= 12 and 1 <= int(parts[2]) <= 31
    small = lengths[0] <= 2 and lengths[1] <= 2 and lengths[2] in (2, 4)
    one, two = (int(parts[0]), int(parts[1])) if small else (0, 0)
    return small and min(one, two) >= 1 and min(one, two) <= 12 and max(one, two) <= 31 and (
        lengths[2] == 2 or is_year_text(parts[2])
    )  # fmt: skip


def is_range(piece: Piece) -> bool:
    """2-4, 24/7: two short numbers."""
    return len(piece.parts) == 2 and all(part.isdigit() for part in piece.parts) and piece.digits < 6


def is_year_text(digits: str) -> bool:
    return len(digits) == 4 and digits[:2] in ("19", "20")


def is_year(piece: Piece) -> bool:
    return piece.is_integer and is_year_text(piece.text)


def is_code(piece: Piece) -> bool:
    """Whether it looks like a code that somebody looks for, rather than an amount, a time or a name: three digits with
    a letter, or two among short runs of letters; groups of digits that are neither a date nor a telephone number."""
    parts = piece.parts
    letters = [part for part in parts if not part[0].isdigit()]
    if numbers_of(piece) or version_of(piece) is not None or is_date(piece) or is_range(piece):
        return False
    if not letters:
        return len(parts) > 2 and piece.digits >= 6 and len(parts[-1]) <= 2 and all(m in _INSIDE for m in piece.marks)
    first_digits = parts[0][0].isdigit()
    if first_digits and len(letters) == 1 and len(parts) == 2 and letters[0].islower() and len(letters[0]) > 1:
        return False  # 365-day
    if first_digits and len(parts) == 3 and letters[0].lower() == "x":
        return False  # 1920x1080
    if letters[0].lower() in PERIODS and any(is_year_text(part) for part in parts):
        return False
    if piece.digits >= 3:
        return True
    return piece.digits == 2 and all(len(part) <= 3 for part in letters) and len(piece.joined) >= 5 and not first_digits


def shortened(piece: Piece) -> tuple[str, ...]:
    """A code joined, and without long words that hyphens add to it: AX-3306-B-Preis."""
    whole = piece.joined
    parts, marks = list(piece.parts), list(piece.marks)
    while len(parts) > 1 and not parts[-1][0].isdigit() and len(parts[-1]) > LOOSE_LETTERS and marks[-1]:
        parts.pop()
        marks.pop()
    while len(parts) > 1 and not parts[0][0].isdigit() and len(parts[0]) > LOOSE_LETTERS and marks[0]:
        parts.pop(0)
        marks.pop(0)
    short = "".join(parts).upper()
    return (whole,) if short == whole or short.isdigit() else (whole, short)


def _beginnings(piece: Piece) -> Iterator[str]:
    """What stands before a separator and is a code by itself: AX3306 of AX-3306-B."""
    begun = ""
    for part, mark in zip(piece.parts, piece.marks, strict=False):
        begun += part.upper()
        if mark and sum(c.isdigit() for c in begun) >= 3 and not begun.isdigit():
            yield begun
