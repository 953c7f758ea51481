"""A long answer as parts that a platform takes, each of which stands for itself: what a border would cut in two, a
block of code or bold words, is closed before it and opened again behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from shared.channels import text as plain
from shared.channels.markdown import Span, spans
from shared.channels.text import LOOK_AHEAD, Fitting, back_over_space, best_cut, skip_space
from shared.text import without_surrogates

_CUT = frozenset({"block", "code", "bold", "italic", "both", "strike", "quote"})
"""Markup that may be closed and opened again. Whatever else is marked stays whole."""


def split_utf16(text: str, limit: int) -> list[str]:
    """The text as parts of at most `limit` UTF-16 units, in linear time, cut as `text.split_utf16` cuts it.

    Markdown that a border would cut is closed before it and opened again behind it. Links and marks are never cut,
    unless they are longer than half a part. Nothing is lost but whitespace at the borders.
    """
    found = spans(text)
    if not found:
        return plain.split_utf16(text, limit)
    return list(_parts(*_closed(text, found), limit, plain.fitting_utf16, plain.utf16_units))


def split_utf8(text: str, limit: int) -> list[str]:
    """The same for platforms that count bytes of UTF-8."""
    found = spans(text)
    if not found:
        return plain.split_utf8(text, limit)
    return list(_parts(*_closed(text, found), limit, plain.fitting_utf8, lambda marks: len(marks.encode())))


def _closed(text: str, found: Sequence[Span]) -> tuple[str, Sequence[Span]]:
    """With the fence that a model's answer lacks where it was cut off."""
    last = found[-1]
    if last.kind != "block" or last.inner_end != last.end:
        return text, found
    text = text.rstrip() + _open(text, last).after
    return text, spans(text)


@dataclass(frozen=True, slots=True)
class _Open:
    """A span that can be cut, and what opens and closes it again."""

    span: Span
    before: str
    after: str

    @property
    def is_block(self) -> bool:
        return self.span.kind == "block"


def _parts(text: str, found: Sequence[Span], limit: int, fitting: Fitting, size: Callable[[str], int]) -> Iterator[str]:
    text = without_surrogates(text)
    cut, whole = _borders(text, found, limit)
    start = skip_space(text, 0)
    around: tuple[_Open, ...] = ()
    first_cut = first_whole = 0
    while start < len(text):
        before = "".join(one.before for one in around)
        room = limit - size(before)
        if start + fitting(text[start : start + room], room) >= len(text):
            yield before + text[start : back_over_space(text, start, len(text))]
            return
        while first_cut < len(cut) and cut[first_cut].span.end <= start:
            first_cut += 1
        while first_whole < len(whole) and whole[first_whole][1] <= start:
            first_whole += 1
        here = [*around, *_from(cut, first_cut, start, start + room)]
        room = max(room - _closing_most(here, size), 2)
        fits = fitting(text[start : start + room], room)
        end = start + best_cut(text[start : start + fits + LOOK_AHEAD], fits)
        end = _moved(text, start, end, here, whole[first_whole : _past(whole, first_whole, end)])
        if any(one.span.start == start and end <= one.span.inner for one in here):
            end = start + fits  # better a line cut in two than a fence alone
        around = tuple(one for one in here if one.span.inner < end <= one.span.inner_end)
        part = before + _ended(text, start, min(end, start + fits), end, around)
        if part.strip():
            yield part
        start, around = _next(text, end, around)


def _borders(text: str, found: Iterable[Span], limit: int) -> tuple[list[_Open], list[tuple[int, int]]]:
    """What may be cut, outer before inner, and what must not, as (start, end), in order; neither counts where its marks
    would take most of a part."""
    cut: list[_Open] = []
    whole: list[tuple[int, int]] = []
    waiting: list[tuple[Span, str]] = [(one, "") for one in found][::-1]
    while waiting:
        span, marks_around = waiting.pop()
        waiting += [(one, text[span.start : span.inner]) for one in span.inside][::-1]
        if span.kind in ("heading", "row"):
            continue
        one = _open(text, span)
        same = marks_around[-1:] == text[span.start] and span.end - span.start <= limit // 2
        nested = span.kind == "code" and "`" in text[span.inner : span.inner_end]  # opened again, it would be a fence
        if span.kind in _CUT and not (same or nested) and 4 * (len(one.before) + len(one.after)) <= limit:
            cut.append(one)
            whole += [(span.start, span.inner), (span.inner_end, span.end)]
        elif span.end - span.start <= limit // 2:
            whole.append((span.start, span.end))
    return cut, sorted(whole)


def _open(text: str, span: Span) -> _Open:
    if span.kind != "block":
        return _Open(span, text[span.start : span.inner], text[span.inner_end : span.end])
    marks = text[span.start : span.inner]
    fence = marks[: len(marks) - len(marks.lstrip(marks[:1]))]
    return _Open(span, f"{fence}{span.about}\n", f"\n{fence}")


def _from(cut: Sequence[_Open], first: int, start: int, end: int) -> Iterator[_Open]:
    """Those that begin between start and end."""
    for place in range(first, len(cut)):
        if cut[place].span.start >= end:
            return
        if cut[place].span.start >= start:
            yield cut[place]


def _past(whole: Sequence[tuple[int, int]], first: int, end: int) -> int:
    while first < len(whole) and whole[first][0] < end:
        first += 1
    return first


def _closing_most(here: Iterable[_Open], size: Callable[[str], int]) -> int:
    """The most that marks take to close whatever is open at one place."""
    most = 0
    open_now: list[_Open] = []
    for one in here:
        open_now = [outer for outer in open_now if outer.span.end > one.span.start]
        open_now.append(one)
        most = max(most, sum(size(outer.after) for outer in open_now))
    return most


def _moved(text: str, start: int, end: int, here: Sequence[_Open], whole: Sequence[tuple[int, int]]) -> int:
    """The cut, at a place where neither a mark nor anything whole is cut, and no markup is opened for nothing."""
    for first, last in reversed(whole):
        if start < first < end < last:
            end = first
    for one in reversed(here):
        span = one.span
        if start < span.start < end < span.end and not text[span.inner : max(end, span.inner)].strip():
            end = span.start
    return end


def _ended(text: str, start: int, fits: int, end: int, around: tuple[_Open, ...]) -> str:
    """The part's text with everything closed. fits: where it must end; the cut may stand behind the space after it."""
    if around and around[-1].is_block:
        said = text[start:fits].rstrip("\n")
    else:
        said = text[start : back_over_space(text, start, end)]
    return said + "".join(one.after for one in reversed(around))


def _next(text: str, end: int, around: tuple[_Open, ...]) -> tuple[int, tuple[_Open, ...]]:
    """Where the next part begins, and what is opened there again. Code keeps the spaces that its lines begin with."""
    while around:
        inner = around[-1]
        start = end
        if inner.is_block:
            while start < inner.span.inner_end and text[start] == "\n":
                start += 1
        else:
            start = skip_space(text, end)
        if text[start : inner.span.inner_end].strip():
            return start, around
        end, around = inner.span.end, around[:-1]
    return skip_space(text, end), ()
