"""What the words beside a number or a code in a question say of it: an amount, an article's, the asker's own case's."""

from __future__ import annotations

from collections.abc import Sequence

from shared.knowledge.identifier_words import ARTICLES, CASES, SMALL, UNITS
from shared.knowledge.identifiers import Piece, is_small
from shared.knowledge.language import asked_in
from shared.triage.own_case_words import CONNECTORS

_VERBS_BEFORE = frozenset(("to", "i", "we", "you", "can", "could", "please", "and", "would"))
_GIVING_WORDS = """
    it s its that this the here es sie hier lautet ist la c est è é to jest
"""
_GIVING = CONNECTORS | frozenset(_GIVING_WORDS.split())
"""Before a number that is given: "It's AB-12345"."""
_MONEY = "$€£¥₹₽₩₺₴"


def behind_of(text: str, all_pieces: Sequence[Piece], place: int) -> str:
    """What stands behind a piece: a sign that is written to it, or the next word."""
    end = all_pieces[place].begin + len(all_pieces[place].text)
    sign = text[end : end + 2].strip()[:1]
    if sign and (sign in _MONEY or sign in "%°"):
        return sign
    after = all_pieces[place + 1] if place + 1 < len(all_pieces) else None
    return after.text.lower() if after is not None and after.gap == " " and after.text.lower() not in SMALL else ""


def is_amount(piece: Piece, behind: str) -> bool:
    return behind in UNITS or (bool(behind) and behind in f"{_MONEY}%°") or piece.gap.strip()[-1:] in tuple(_MONEY)


def article_before(all_pieces: Sequence[Piece], place: int) -> bool:
    return any(
        all_pieces[back].text.lower() in ARTICLES
        for back in range(max(place - 2, 0), place)
        if all(p.gap.strip(" .:°º") == "" for p in all_pieces[back + 1 : place + 1])
    )


def is_of_case(all_pieces: Sequence[Piece], place: int) -> bool:
    """Whether a number or a code is the asker's own: of an order, an invoice, a customer."""
    for back in range(place - 1, max(place - 4, -1), -1):
        word = all_pieces[back].text.lower()
        if any(mark in all_pieces[back + 1].gap for mark in ".?!;\n") and word not in ("no", "nr"):
            return False
        if word in CASES:
            verb = back and word in ("order", "ticket", "book") and back == place - 1
            return not (verb and all_pieces[back - 1].text.lower() in _VERBS_BEFORE)
    return False


def gives_case(all_pieces: Sequence[Piece], place: int) -> bool:
    """Whether a question about the asker's own case gives that case's number here: a bare number that nobody calls an
    article's ("Where's my order? I paid. #10023841"), or a code of which the sentence says no more than that it is
    one ("It's AB-12345")."""
    piece = all_pieces[place]
    words = [all_pieces[back].text.lower() for back in range(max(place - 2, 0), place)]
    if piece.is_integer:
        return not any(word in ARTICLES and word not in CONNECTORS for word in words)
    for back in range(place, max(place - 5, -1), -1):
        if not back or any(mark in all_pieces[back].gap for mark in ".?!;\n"):
            return True
        if all_pieces[back - 1].text.lower() not in _GIVING:
            return False
    return False


def is_spoken(text: str, run: Sequence[Piece]) -> bool:
    """Whether it is a word of the question's own language in capitals and a plain number: "we arrive AT 1200". In
    another language it is a code: "is the ET 5004 in stock?"."""
    if len(run) != 2 or not (is_small(run[0].text.lower()) and run[1].is_integer):
        return False
    return run[0].text.lower() in asked_in(text).function_words("")
