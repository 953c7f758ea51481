"""A reader of PromQL, as much of it as dashboards and alert rules are written in: it refuses what Prometheus would
refuse for its form, and says which series and labels an expression asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

AGGREGATIONS = {"sum", "min", "max", "avg", "count", "group", "stddev", "topk", "bottomk", "quantile", "count_values"}
PARAMETRIC = {"topk", "bottomk", "quantile", "count_values"}
FUNCTIONS = {
    # name: (arguments, whether the last one is a range)
    "rate": (1, True), "increase": (1, True), "irate": (1, True), "delta": (1, True), "deriv": (1, True),
    "max_over_time": (1, True), "avg_over_time": (1, True), "predict_linear": (2, True), "changes": (1, True),
    "histogram_quantile": (2, False), "abs": (1, False), "absent": (1, False), "vector": (1, False),
    "time": (0, False), "sort_desc": (1, False), "sort": (1, False), "clamp_min": (2, False),
}  # fmt: skip
PRECEDENCE = (("or",), ("and", "unless"), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/", "%"), ("^",))

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:e[+-]?\d+)?(?![\w.]))|(?P<duration>(?:\d+(?:ms|[smhdwy]))+)"
    r"|(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<sign>=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}\[\],]))"
)


class Malformed(Exception):
    """Not PromQL."""


@dataclass(frozen=True)
class Selector:
    metric: str
    matchers: tuple[tuple[str, str, str], ...]


@dataclass
class Read:
    """grouping: labels that aggregations and matchings name, each with the metrics of what they are applied to."""

    selectors: list[Selector] = field(default_factory=list)
    grouping: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    shown: set[str] | None = None
    """Labels that the result has at most; None: those of its metrics."""


def read(expression: str) -> Read:
    """Raises Malformed."""
    parser = _Parser(expression)
    _, parser.found.shown = parser.binary(0)
    if parser.peek():
        raise Malformed(f"unexpected {parser.peek()!r} in {expression}")
    return parser.found


_Value = tuple[str, "set[str] | None"]
"""(kind: scalar, vector or range; labels that it has at most)"""


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.found = text, Read()
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Malformed(f"cannot read {text[at:]!r}")
            self.tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    def take(self, *wanted: str, kind: str = "") -> str:
        token = self.peek()
        if (wanted and token not in wanted) or (kind and self.kind() != kind) or not token:
            raise Malformed(f"{token!r} where {' or '.join(wanted) or kind} should be, in {self.text}")
        self.at += 1
        return token

    def binary(self, level: int) -> _Value:
        if level == len(PRECEDENCE):
            return self.unary()
        left = self.binary(level + 1)
        while self.peek() in PRECEDENCE[level]:
            operator = self.take()
            begun = len(self.found.selectors)
            matching = self.matching()
            right = self.binary(level + 1)
            if "range" in (left[0], right[0]):
                raise Malformed(f"{operator} on a range, in {self.text}")
            if operator in ("and", "or", "unless") and "scalar" in (left[0], right[0]):
                raise Malformed(f"{operator} between scalars, in {self.text}")
            self.found.grouping += [(label, self.metrics(begun)) for label in matching]
            kind = "scalar" if left[0] == right[0] == "scalar" else "vector"
            left = (kind, left[1] if left[0] == "vector" else right[1])
        return left

    def matching(self) -> list[str]:
        labels: list[str] = []
        if self.peek() == "bool":
            self.take()
        if self.peek() in ("on", "ignoring"):
            self.take()
            labels += self.labels()
            if self.peek() in ("group_left", "group_right"):
                self.take()
                labels += self.labels() if self.peek() == "(" else []
        return labels

    def unary(self) -> _Value:
        if self.peek() in ("-", "+"):
            self.take()
            return self.unary()
        return self.ranged(self.atom())

    def ranged(self, value: _Value) -> _Value:
        if self.peek() == "[":
            if value[0] != "vector":
                raise Malformed(f"a range of no vector, in {self.text}")
            self.take()
            self.take(kind="duration")
            self.take("]")
            value = ("range", value[1])
        if self.peek() == "offset":
            self.take()
            self.take(kind="duration")
        return value

    def atom(self) -> _Value:
        if self.peek() == "(":
            self.take()
            value = self.binary(0)
            self.take(")")
            return value
        if self.kind() in ("number", "string"):
            self.take()
            return "scalar", set()
        name = self.take(kind="name") if self.peek() != "{" else ""
        if name in AGGREGATIONS and self.peek() in ("(", "by", "without"):
            return self.aggregation(name)
        if self.peek() == "(":
            return self.function(name)
        return self.selector(name)

    def aggregation(self, name: str) -> _Value:
        begun = len(self.found.selectors)
        by = self.clause()
        self.take("(")
        if name in PARAMETRIC:
            self.binary(0)
            self.take(",")
        inner = self.binary(0)
        self.take(")")
        by = self.clause() if by is None else by
        if inner[0] != "vector":
            raise Malformed(f"{name} of no vector, in {self.text}")
        if by is None:
            return "vector", inner[1] if name in PARAMETRIC else set()
        how, labels = by
        self.found.grouping += [(label, self.metrics(begun)) for label in labels]
        return "vector", set(labels) if how == "by" else inner[1]

    def clause(self) -> tuple[str, list[str]] | None:
        return (self.take(), self.labels()) if self.peek() in ("by", "without") else None

    def function(self, name: str) -> _Value:
        if name not in FUNCTIONS:
            raise Malformed(f"no function {name}, in {self.text}")
        count, ranged = FUNCTIONS[name]
        self.take("(")
        given: list[_Value] = []
        while self.peek() != ")":
            given.append(self.binary(0))
            if self.peek() == ",":
                self.take()
            elif self.peek() != ")":
                raise Malformed(f"{self.peek()!r} between arguments, in {self.text}")
        self.take(")")
        if len(given) != count or ("range" in [kind for kind, _ in given]) != ranged:
            raise Malformed(f"{name} is given something else, in {self.text}")
        labels = next((labels for kind, labels in given if kind != "scalar"), set())
        if name == "histogram_quantile" and labels is not None:
            if "le" not in labels:
                raise Malformed(f"histogram_quantile without le, in {self.text}")
            labels = labels - {"le"}
        return "scalar" if name == "time" else "vector", labels

    def selector(self, name: str) -> _Value:
        matchers = []
        if self.peek() == "{":
            self.take()
            while self.peek() != "}":
                label = self.take(kind="name")
                operator = self.take("=", "!=", "=~", "!~")
                matchers.append((label, operator, self.take(kind="string")[1:-1]))
                if self.peek() == ",":
                    self.take()
                elif self.peek() != "}":
                    raise Malformed(f"{self.peek()!r} between matchers, in {self.text}")
            self.take("}")
        self.found.selectors.append(Selector(name, tuple(matchers)))
        return "vector", None

    def labels(self) -> list[str]:
        found = []
        self.take("(")
        while self.peek() != ")":
            found.append(self.take(kind="name"))
            if self.peek() == ",":
                self.take()
            elif self.peek() != ")":
                raise Malformed(f"{self.peek()!r} between labels, in {self.text}")
        self.take(")")
        return found

    def metrics(self, begun: int) -> tuple[str, ...]:
        return tuple(selector.metric for selector in self.found.selectors[begun:])
