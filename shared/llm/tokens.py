"""How many tokens a text has, for a model that does not say: an estimate that needs no vocabulary.

It follows what byte-pair encodings of today do: a common word is one token and a long one several, digits go by threes,
each mark is one, and scripts without spaces take about a token a character. docs/operations.md says how far it is off.
"""

from __future__ import annotations

from collections.abc import Iterable

import regex

CHARS = 4
"""A token has about so many characters in Latin script."""
MESSAGE_TOKENS = 4
"""What a message costs besides its text."""
_PIECES = regex.compile(
    r"(?P<latin>[\p{Latin}\p{M}]+)"
    r"|(?P<wide>[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"
    r"|(?P<letters>[\p{L}\p{M}]+)"
    r"|(?P<digits>\p{N}+)"
    r"|(?P<lines>\n+)"
    r"|(?P<mark>[^\s\p{L}\p{M}\p{N}])"
)
_LATIN_CHARS, _LETTER_CHARS, _DIGITS = 6, 3, 3
"""Letters of a word that make a token: in Latin script, in other alphabets; digits that do."""


def estimate(text: str) -> int:
    """Tokens of a text; 0 only for one without visible characters."""
    count = 0
    for piece in _PIECES.finditer(text):
        size = piece.end() - piece.start()
        match piece.lastgroup:
            case "latin":
                count += -(-size // _LATIN_CHARS)
            case "letters":
                count += -(-size // _LETTER_CHARS)
            case "digits":
                count += -(-size // _DIGITS)
            case _:
                count += 1
    return count


def guessed(texts: Iterable[str]) -> int:
    """Tokens of texts, told from their length alone: for many texts whose exact count is worth no time."""
    return sum(-(-len(text) // CHARS) for text in texts)


def of_messages(messages: Iterable[dict[str, object]]) -> int:
    """Tokens of a request's messages, at least 1."""
    return max(1, sum(MESSAGE_TOKENS + estimate(str(message.get("content") or "")) for message in messages))
