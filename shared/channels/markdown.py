"""Light Markdown as spans: what is clearly markup in an answer, and where it stands.

Conservative on purpose: what is not clearly markup is text, so that an asterisk in a formula reaches the customer
unchanged. Inline markup ends in the line in which it begins. Everything is found in linear time, whatever a model never
closed. markdown-it-py was tried: it tells no places of inline markup, so nothing could be cut between them, it swallows
link definitions, and it takes `2**3**4` for bold.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "block", "code", "bold", "italic", "both", "strike", "link", "address", "escape", "heading", "bullet", "row",
    "rule", "quote",
]  # fmt: skip

_FENCE = re.compile(r"`{3,}|(?<![^\n])~{3,}")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{0,40}[ \t\r]{0,40}(?=\n)")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(?=\S)")
_ITEM = re.compile(r"([ \t]{0,12})(?:([-*+])|[0-9]{1,3}[.)])(?=[ \t])")
_QUOTE = re.compile(r" {0,3}>(?: ?>){0,9} (?=[^\s0-9=>])")
"""Not `> 50 €` and `>= 3`, where it compares."""
_QUOTED = re.compile(r" {0,3}>(?: ?>){0,9}(?: |(?=\r?\n)|\Z)")
"""A line of a quotation behind its first."""
_RUN = re.compile(r"\*+|_+|~+")
_TICKS = re.compile(r"`+")
_ADDRESS = re.compile(r"<(https?://[^\s<>]{1,2000})>")
_URL = re.compile(r"\]\((https?://(?:[^\s()<>]|\([^\s()<>]{0,500}\)){1,2000})\)")
_SPECIAL = re.compile(r"[\\`*_~\[<!]")
_EMPHASIS: dict[tuple[str, int], Kind] = {
    ("*", 1): "italic", ("*", 2): "bold", ("*", 3): "both", ("_", 1): "italic", ("_", 2): "bold", ("_", 3): "both",
    ("~", 2): "strike",
}  # fmt: skip
_ESCAPED = frozenset("\\`*_~[]#|")
_CLOSING = frozenset(")]}.,;:!?")
_OPENING = frozenset("([{")


@dataclass(frozen=True, slots=True)
class Span:
    """Markup in a text: text[start:end], whose content is text[inner:inner_end]. about: a block's language, a link's
    address, `nested` of a bullet below another item. inside: the markup in its content."""

    kind: Kind
    start: int
    inner: int
    inner_end: int
    end: int
    about: str = ""
    inside: tuple[Span, ...] = ()


def spans(text: str) -> tuple[Span, ...]:
    """The outermost markup of a text, in its order."""
    found: list[Span] = []
    at = 0
    for block in _blocks(text):
        found += _lines(text, at, block.start)
        found.append(block)
        at = block.end
    return (*found, *_lines(text, at, len(text)))


def _blocks(text: str) -> Iterator[Span]:
    """Code between fences. One that begins a line and is never closed goes on to the end."""
    at = 0
    hopeless: set[str] = set()
    while (opening := _FENCE.search(text, at)) is not None:
        start, inner, fence, about = opening.start(), opening.end(), opening[0], ""
        if (language := _LANGUAGE.match(text, inner)) is not None:
            about, inner = language[0].strip(), language.end() + 1
        closing = -1 if fence in hopeless else text.find(fence, inner)
        if closing < 0:
            hopeless.add(fence)
            if language is not None and text[inner:].strip() and _begins_line(text, start):
                yield Span("block", start, inner, len(text), len(text), about)
                return
            at = opening.end()
        elif not (content := text[inner:closing]).strip():
            at = closing if language is not None else opening.end()
        else:
            at = closing + len(fence)
            while text[at : at + 1] == fence[0]:
                at += 1
            yield Span("block", start, inner, inner + len(content.rstrip("\n")), at, about)


def _begins_line(text: str, place: int) -> bool:
    return not text[text.rfind("\n", 0, place) + 1 : place].strip()


def _lines(text: str, start: int, end: int) -> Iterator[Span]:
    outer: int | None = None
    quoted = False
    while start < end:
        ends = text.find("\n", start, end)
        ends = end if ends < 0 else ends
        if not ((start == 0 or text[start - 1] == "\n") and (ends == len(text) or text[ends] == "\n")):
            yield from _Inline(text, start, ends).found()  # a block shares the line
            quoted = False
        elif (mark := (_QUOTED if quoted else _QUOTE).match(text, start, min(ends + 1, len(text)))) is not None:
            inner, quoted, outer = min(mark.end(), ends), True, None
            yield Span("quote", start, inner, ends, ends, "", tuple(_line(text, inner, ends, nested=False)))
        else:
            quoted = False
            nested, outer = _nesting(text, start, ends, outer)
            yield from _line(text, start, ends, nested=nested)
        start = ends + 1


def _nesting(text: str, start: int, end: int, outer: int | None) -> tuple[bool, int | None]:
    """Whether a line is an item below another item, and how far the outermost items of the list are indented after it;
    None: there is no list."""
    if (item := _ITEM.match(text, start, end)) is None:
        goes_on = outer is not None and (start == end or text[start].isspace())
        return False, outer if goes_on else None
    indented = len(item[1].expandtabs(4))
    return outer is not None and indented >= outer + 2, indented if outer is None else min(outer, indented)


def _line(text: str, start: int, end: int, *, nested: bool) -> Iterator[Span]:
    """The markup of a line that no block shares. nested: it is an item of a list in a list."""
    if (heading := _HEADING.match(text, start, end)) is not None:
        inner, inner_end = heading.end(), end
        closed = text[inner:end].rstrip()
        if (without := closed.rstrip("#").rstrip()) and closed[-1:] == "#":
            inner_end = inner + len(without)
        yield Span("heading", start, inner, inner_end, end, "", tuple(_Inline(text, inner, inner_end).found()))
        return
    line = text[start:end].strip()
    if _is_rule(line):
        # with the line's end, so that no empty line stays
        yield Span("rule", start, start, start, min(end + 1, len(text)))
    elif line.startswith("|") and line.endswith("|") and line.count("|") > 2:
        first, last = text.index("|", start), text.rindex("|", start, end)
        inner, inner_end = first + 1, last
        while inner < inner_end and text[inner] in " \t":
            inner += 1
        while inner_end > inner and text[inner_end - 1] in " \t":
            inner_end -= 1
        yield Span("row", start, inner, inner_end, end, "", tuple(_Inline(text, inner, inner_end).found()))
    else:
        bullet = _ITEM.match(text, start, end)
        if bullet is not None and bullet[2] is not None and (nested or bullet[2] != "-"):
            about = "nested" if nested else ""
            yield Span("bullet", bullet.end() - 1, bullet.end() - 1, bullet.end(), bullet.end(), about)
            start = bullet.end()
        yield from _Inline(text, start, end).found()


def _is_rule(line: str) -> bool:
    """The line under a table's head: | --- | :-: |"""
    return "--" in line and "|" in line and not line.strip("-:| \t")


class _Inline:
    """The markup of one line, text[start:end]."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self._text, self._start, self._end = text, start, end
        self._closers: dict[str, list[int]] = {}
        for run in _RUN.finditer(text, start, end):
            if self._closes(run):
                self._closers.setdefault(run[0], []).append(run.start())
        self._ticks = [run.start() for run in _TICKS.finditer(text, start, end) if len(run[0]) == 1]
        self._brackets = [place for place in range(start, end) if text[place] == "]"]

    def found(self) -> Iterator[Span]:
        return self._within(self._start, self._end, frozenset())

    def _within(self, at: int, end: int, around: frozenset[Kind]) -> Iterator[Span]:
        """around: what the place is inside of already; the same is not looked for again, so it goes a few deep."""
        text = self._text
        while (special := _SPECIAL.search(text, at, end)) is not None:
            at = special.start()
            span = self._at(at, end, around)
            if span is None:
                run = _RUN.match(text, at, end) or _TICKS.match(text, at, end)
                at = run.end() if run else at + 1
            else:
                yield span
                at = span.end

    def _at(self, at: int, end: int, around: frozenset[Kind]) -> Span | None:
        character = self._text[at]
        if character == "\\" and at + 1 < end and self._text[at + 1] in _ESCAPED:
            return Span("escape", at, at + 1, at + 2, at + 2)
        if character == "`":
            return self._code(at, end)
        if character in "*_~":
            return self._emphasis(at, end, around)
        if character == "[" or self._text.startswith("![", at):
            return None if "link" in around else self._link(at, end, around)
        if character == "<" and (match := _ADDRESS.match(self._text, at, end)) is not None:
            return Span("address", at, at + 1, match.end() - 1, match.end(), match[1])
        return None

    def _code(self, at: int, end: int) -> Span | None:
        place = bisect_right(self._ticks, at)
        if place == 0 or self._ticks[place - 1] != at or place == len(self._ticks):
            return None
        closing = self._ticks[place]
        if closing >= end or not self._text[at + 1 : closing].strip():
            return None
        return Span("code", at, at + 1, closing, closing + 1)

    def _emphasis(self, at: int, end: int, around: frozenset[Kind]) -> Span | None:
        run = _RUN.match(self._text, at, end)
        assert run is not None
        kind = _EMPHASIS.get((run[0][0], len(run[0])))
        if kind is None or kind in around or not self._opens(run):
            return None
        closers = self._closers.get(run[0], [])
        place = bisect_right(closers, run.end())
        if place == len(closers) or closers[place] + len(run[0]) > end:
            return None
        inner_end = closers[place]
        inside = tuple(self._within(run.end(), inner_end, around | {kind}))
        return Span(kind, at, run.end(), inner_end, inner_end + len(run[0]), "", inside)

    def _opens(self, run: re.Match[str]) -> bool:
        after, before = self._text[run.end() : run.end() + 1], self._text[max(run.start() - 1, 0) : run.start()]
        if not after or after.isspace() or run.end() >= self._end or _word(before, run[0]):
            return False
        return len(run[0]) > 1 or not before or after not in _CLOSING

    def _closes(self, run: re.Match[str]) -> bool:
        if run.start() <= self._start:
            return False
        before, after = self._text[run.start() - 1], self._text[run.end() : run.end() + 1]
        if before.isspace() or _word(after, run[0]):
            return False
        return len(run[0]) > 1 or not after or before not in _OPENING

    def _link(self, at: int, end: int, around: frozenset[Kind]) -> Span | None:
        text, inner = self._text, at + (2 if self._text[at] == "!" else 1)
        place = bisect_right(self._brackets, inner - 1)
        if place == len(self._brackets):
            return None
        closing = self._brackets[place]
        if closing >= end or not text[inner:closing].strip() or "[" in text[inner:closing]:
            return None
        if (url := _URL.match(text, closing, end)) is None:
            return None
        inside = tuple(self._within(inner, closing, around | {"link"}))
        return Span("link", at, inner, closing, url.end(), url[1], inside)


def _word(character: str, run: str) -> bool:
    """Whether the character on the outside says that these are no marks: 2**3, snake_case."""
    if run[0] == "_":
        return bool(character) and unicodedata.category(character)[0] not in "PSZ" and not character.isspace()
    return character.isascii() and character.isalnum()
