"""No text makes a regular expression of ours slow: the time grows about as the length does.

Each pattern is found in the source, and fed with strings made from its own parts: a part repeated behind what comes
before it, with an ending that lets the match fail. Processor time of this thread is measured, so that a busy machine
changes little; what grows with the square of the length is sixteen times as slow at four times the length.
"""

from __future__ import annotations

import ast
import importlib
import re
import re._parser as parser  # type: ignore[import-not-found]
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import regex

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("gateway", "workers", "tasks", "shared", "standin")
CALLS = {"compile", "sub", "subn", "split", "search", "match", "fullmatch", "findall", "finditer"}
ANCHORED = {"match", "fullmatch"}
SIZES = (16, 24, 32, 40, 100, 250, 1_000, 4_000, 16_000, 64_000)
FLOOR_S = 0.01
"""Below it nothing is told: linear patterns take a tenth of that for most lengths."""
GROWTH_MAX = 9.0
"""From one size to the next, four times as long: 4 is linear, 16 quadratic."""
ALWAYS_S, CHARACTER_S = 0.03, 25e-6
"""A text may take so long and so much a character: fifty times what most patterns do, and what a pattern takes that
looks at a window of 200 characters from each place."""
PARTS_MAX = 24


@dataclass(frozen=True)
class Expression:
    """where: file and line, or name. anchored: only ever matched at the beginning of a text."""

    where: str
    pattern: Any
    anchored: bool = False


def _sources() -> Iterator[tuple[Path, ast.Module]]:
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            text = path.read_text()
            if "re." in text or "regex." in text:
                yield path, ast.parse(text)


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id in ("re", "regex") and node.func.attr in CALLS:
            yield node.func.attr, node


def _is_global(tree: ast.Module, call: ast.Call) -> bool:
    """Whether it is made at import: then the module holds the pattern, however its text is put together."""
    inside = {
        id(node)
        for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(outer)
    }  # fmt: skip
    return id(call) not in inside


def _held(value: object, seen: int = 0) -> Iterator[Any]:
    """Patterns in a module's value: alone, in a class, a list, a table."""
    if isinstance(value, re.Pattern | regex.Pattern):
        yield value
    elif isinstance(value, tuple | list | set | frozenset) and seen < 3:
        for each in value:
            yield from _held(each, seen + 1)
    elif isinstance(value, dict) and seen < 3:
        for each in value.values():
            yield from _held(each, seen + 1)


def _used(name: str, path: Path) -> set[str]:
    """Which methods of a pattern are called: in its own module, anywhere where its name is for others, too."""
    text = path.read_text() if name.startswith("_") else _everything()
    return set(re.findall(rf"\b{re.escape(name)}\.(\w+)\b", text)) & CALLS


@cache
def _everything() -> str:
    return "\n".join(path.read_text() for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))


def _expressions() -> list[Expression]:
    found: dict[tuple[str, int, bool], Expression] = {}

    def add(expression: Expression) -> None:
        key = (str(expression.pattern.pattern), expression.pattern.flags, expression.anchored)
        found.setdefault(key, expression)

    for path, tree in _sources():
        where = path.relative_to(ROOT).as_posix()
        calls = list(_calls(tree))
        for method, call in calls:
            if _is_global(tree, call) and method == "compile":
                continue
            assert call.args, f"{where}:{call.lineno}: a pattern by keyword is not looked at here"
            assert isinstance(call.args[0], ast.Constant | ast.Name | ast.Attribute), (
                f"{where}:{call.lineno}: compile it at the module's level, so that its time is measured"
            )
            if isinstance(call.args[0], ast.Constant):
                pattern = re.compile(str(call.args[0].value))
                add(Expression(f"{where}:{call.lineno}", pattern, method in ANCHORED))
        if any(_is_global(tree, call) and method == "compile" for method, call in calls):
            module = importlib.import_module(where.removesuffix(".py").replace("/", "."))
            for name, value in list(vars(module).items()):
                values = vars(value).items() if isinstance(value, type) and value.__module__ == module.__name__ else (
                    (name, value),
                )  # fmt: skip
                for held_as, each in values:
                    for pattern in _held(each):
                        used = _used(held_as, path)
                        add(Expression(f"{where} {held_as}", pattern, bool(used) and used <= ANCHORED))
    return list(found.values())


EXPRESSIONS = _expressions()


# ------------------------------------------------------------------ strings from a pattern
def _sample(tree: Any) -> str:
    return "".join(_of(operation, argument) for operation, argument in tree)


def _of(operation: Any, argument: Any) -> str:
    """A short text that this part of a pattern matches, roughly."""
    name = str(operation)
    if name == "LITERAL":
        return chr(argument)
    if name == "NOT_LITERAL":
        return "a" if argument != ord("a") else "b"
    if name == "ANY":
        return "x"
    if name == "IN":
        return _in(argument)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return _sample(argument[2]) * max(1, min(int(argument[0]), 3))
    if name == "SUBPATTERN":
        return _sample(argument[-1])
    if name == "ATOMIC_GROUP":
        return _sample(argument)
    if name == "BRANCH":
        return _sample(argument[1][0])
    if name in ("ASSERT",):
        return _sample(argument[1])
    return ""


def _in(items: Any) -> str:
    if items and str(items[0][0]) == "NEGATE":
        excluded = re.compile("[" + "".join(_class(item) for item in items[1:]) + "]")
        return next((each for each in 'a 1<.\n"-_é' if not excluded.match(each)), "a")
    for operation, argument in items:
        match str(operation):
            case "LITERAL":
                return chr(argument)
            case "RANGE":
                return chr(argument[0])
            case "CATEGORY":
                return {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "7", "CATEGORY_WORD": "w"}.get(str(argument), "!")
    return "a"


def _class(item: Any) -> str:
    operation, argument = item
    match str(operation):
        case "LITERAL":
            return re.escape(chr(argument))
        case "RANGE":
            return f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
        case _:
            return {
                "CATEGORY_SPACE": r"\s", "CATEGORY_DIGIT": r"\d", "CATEGORY_WORD": r"\w", "CATEGORY_NOT_SPACE": r"\S",
                "CATEGORY_NOT_DIGIT": r"\D", "CATEGORY_NOT_WORD": r"\W",
            }.get(str(argument), "")  # fmt: skip


def _parts(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """(what comes before, text) of each part, inner ones too."""
    for operation, argument in tree:
        text = _of(operation, argument)
        if text:
            yield before, text
        match str(operation):
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from _parts(argument[2], before)
            case "SUBPATTERN":
                yield from _parts(argument[-1], before)
            case "ASSERT" | "ASSERT_NOT":
                yield from _parts(argument[1], before)
            case "BRANCH":
                for branch in argument[1]:
                    yield from _parts(branch, before)
        before += text


def strings_of(pattern: Any) -> list[Callable[[int], str]]:
    """Families of texts: each makes one of about a length."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    try:
        parts = list(dict.fromkeys(_parts(parser.parse(text, pattern.flags & ~re.DEBUG & 0x7F))))
    except re.error:  # of the package regex, with classes that re has not
        parts = [("", each) for each in ("\u0301", "🇩", "👩\u200d", "a", " ", "\r\n")]
    pumps = {("", " "), ("", "\t"), ("", "\n"), ("", "a"), ("", "\n "), *parts[:PARTS_MAX]}
    pumps |= {("", before + part) for before, part in parts[:PARTS_MAX]}
    alone = list(dict.fromkeys(part for _, part in parts))[:8]
    pumps |= {("", one + other) for one in alone for other in alone if one != other}
    endings = ("", "\x00")
    return [
        lambda n, before=before, part=part, ending=ending: before + part * max(1, n // len(part)) + ending  # type: ignore[misc]
        for before, part in sorted(pumps) for ending in endings
    ]  # fmt: skip


def taken_s(expression: Expression, text: str) -> float:
    pattern = expression.pattern
    subject: Any = text if isinstance(pattern.pattern, str) else text.encode("latin-1", "replace")
    begin = time.thread_time()
    if expression.anchored:
        pattern.match(subject)
        pattern.fullmatch(subject)
    else:
        for _ in pattern.finditer(subject):
            pass
    return time.thread_time() - begin


def slow(expression: Expression) -> str | None:
    """What makes it slow, None if nothing did."""
    for make in strings_of(expression.pattern):
        before = 0.0
        for size in SIZES:
            text = make(size)
            took = min(taken_s(expression, text) for _ in range(2)) if before > FLOOR_S else taken_s(expression, text)
            if took > ALWAYS_S + size * CHARACTER_S or (
                size > 1_000 and before > FLOOR_S and took > GROWTH_MAX * before
            ):
                return f"{size} characters of {text[:20]!r}… took {took:.2f} s, a quarter of them {before:.3f} s"
            before = took
    return None


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda each: each.where)
def test_time_grows_as_the_length_does(expression: Expression) -> None:
    assert slow(expression) is None


@pytest.mark.parametrize(
    "pattern",
    [
        r"(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$", r"<(?=\s*/?\s*passage)", r"[ \t]*[\[【]\s*(\d{1,3})[\]】]", r"(a|aa)+$",
        r"<v(?:\.[^\s>]*)?\s+([^>]{1,200})>", r"\s*\n+\s*", r"<a[^>]*>[^<]*</a>", r"(?:heading)\D*([1-6])",
    ],
)  # fmt: skip
def test_what_is_slow_is_found(pattern: str) -> None:
    assert slow(Expression("here", re.compile(pattern))) is not None


def test_every_expression_of_the_product_is_looked_at() -> None:
    assert len(EXPRESSIONS) > 60


def test_no_group_is_possessive() -> None:
    """Python before 3.11.5 matches a possessive group whose parts may backtrack wrongly; of a class of characters
    possessive repetition is right in all of them."""
    wrong = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+|\(\?>")
    patterns = [one for one in _expressions() if isinstance(one.pattern, re.Pattern)]

    assert [one.where for one in patterns if wrong.search(str(one.pattern.pattern))] == []
