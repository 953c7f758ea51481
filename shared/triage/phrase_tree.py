"""Phrases as a tree of words, and the fewest of them that a text's words consist of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.triage import normal

_LAUGHTER = tuple(map(frozenset, ("ha", "he", "ja", "je", "wk", "xd", "k", "ه", "ха", "хе", "ᄏ", "ᄒ", "rs")))


@dataclass(slots=True)
class Node:
    """What may follow, and what ends here: its meanings in order of the tables, each with its languages."""

    next: dict[str, Node] = field(default_factory=dict)
    ends: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phrases:
    """root: of all phrases, word by word. spelled: a word without its doubled letters → the word."""

    root: Node
    words: frozenset[str]
    spelled: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    whats: Mapping[str, list[str]]
    words: tuple[str, ...]


def spelled_as(known: Phrases, word: str) -> str:
    """The word of the tables that this is with its letters repeated, else itself."""
    if word in known.words:
        return word
    letters = frozenset(word)
    if len(word) > 1 and letters in _LAUGHTER:
        return "haha"
    plain = normal.collapsed(word)
    return known.spelled.get(plain, word) if plain != word else word


def cover(root: Node, words: Sequence[str]) -> list[Part] | None:
    """The fewest phrases that the words consist of; None if they do not."""
    best: list[tuple[int, int, Node] | None] = [None] * (len(words) + 1)  # (phrases, begin of the last, its node)
    best[0] = (0, 0, root)
    for begin in range(len(words)):
        here = best[begin]
        if here is None:
            continue
        for end, node in phrases_from(root, words, begin):
            there = best[end]
            if there is None or there[0] > here[0] + 1:
                best[end] = (here[0] + 1, begin, node)
    parts: list[Part] = []
    end = len(words)
    while end > 0:
        last = best[end]
        if last is None:
            return None
        parts.append(Part(last[2].ends, tuple(words[last[1] : end])))
        end = last[1]
    return parts[::-1]


def phrases_from(root: Node, words: Sequence[str], begin: int) -> Iterable[tuple[int, Node]]:
    node = root
    for end in range(begin, len(words)):
        found = node.next.get(words[end])
        if found is None:
            return
        node = found
        if node.ends:
            yield end + 1, node


def add(root: Node, words: tuple[str, ...], what: str, language: str | None) -> None:
    node = root
    for word in words:
        node = node.next.setdefault(word, Node())
    languages = node.ends.setdefault(what, [])
    if language is not None and language not in languages:
        languages.append(language)


def all_words(node: Node) -> Iterable[str]:
    for word, below in node.next.items():
        yield word
        yield from all_words(below)
