"""An error is passed over in silence only where a comment says why that is right."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("shared", "workers", "gateway", "tasks")
BROAD = ("OSError", "Exception", "BaseException")
"""What stands for many causes at once. `except FileNotFoundError` says by itself what happened."""


def _comments(source: str) -> set[int]:
    """The lines that bear a comment."""
    return {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT
    }


def _names(node: ast.expr | None) -> list[str]:
    if node is None:
        return ["BaseException"]
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]


def _nothing(statement: ast.stmt) -> bool:
    """Whether a statement leaves no trace: it goes on, or returns that nothing was found."""
    if isinstance(statement, ast.Return):
        value = statement.value
        return value is None or ast.unparse(value) in ("None", "True", "False", "0", "''", "[]", "()", "{}")
    return isinstance(statement, ast.Pass | ast.Continue | ast.Break)


def _silent(node: ast.AST) -> bool:
    """Whether a broad error ends here without a trace."""
    if isinstance(node, ast.ExceptHandler):
        return any(name in BROAD for name in _names(node.type)) and all(_nothing(each) for each in node.body)
    if isinstance(node, ast.With):
        return any(
            isinstance(call := item.context_expr, ast.Call)
            and isinstance(call.func, ast.Name | ast.Attribute)
            and ast.unparse(call.func).rpartition(".")[2] == "suppress"
            and any(name in BROAD for argument in call.args for name in _names(argument))
            for item in node.items
        )
    return False


def unexplained(source: str) -> list[int]:
    """The lines of broad errors that are passed over without a comment at them, in their body or right above."""
    comments = _comments(source)
    found = []
    for node in ast.walk(ast.parse(source)):
        if _silent(node):
            assert isinstance(node, ast.ExceptHandler | ast.With)
            last = node.lineno if isinstance(node, ast.With) else node.body[-1].end_lineno or node.lineno
            if comments.isdisjoint(range(node.lineno - 1, last + 1)):
                found.append(node.lineno)
    return found


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_broad_error_that_is_passed_over_has_its_reason(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in unexplained(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("try:\n    a()\nexcept OSError:\n    pass\n", [3]),
        ("try:\n    a()\nexcept:\n    pass\n", [3]),
        ("try:\n    a()\nexcept (ValueError, OSError):\n    pass\n", [3]),
        ("try:\n    a()\nexcept OSError:\n    pass  # gone already\n", []),
        ("try:\n    a()\nexcept OSError:\n    log.info('gone')\n", []),
        ("try:\n    a()\nexcept FileNotFoundError:\n    pass\n", []),
        ("with suppress(OSError):\n    a()\n", [1]),
        ("with contextlib.suppress(OSError):  # gone already\n    a()\n", []),
    ],
)
def test_what_counts_as_unexplained(source: str, lines: list[int]) -> None:
    assert unexplained(source) == lines
