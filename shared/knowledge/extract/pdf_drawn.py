"""What is drawn on a page of a PDF, and where: pieces of text, and horizontal lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdf import PageObject

RULES_MAX = 20_000
"""Of a page."""
_STROKED = (b"S", b"s", b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*")
THIN = 2.0
"""Points: what is higher is a box, and its edges are lines."""


@dataclass(frozen=True, slots=True)
class Piece:
    """place: in the order of drawing. left, right, y: points from the page's corner; y is the base line."""

    text: str
    left: float
    right: float
    y: float
    height: float
    bold: bool
    place: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A horizontal line, in points."""

    y: float
    left: float
    right: float


def pieces(page: PageObject) -> list[Piece]:
    """A page's text by places, without what is rotated. Raises what the library stumbles over.

    The library's own layout mode knows them, and tells them to nobody: hence its private names.
    """
    from pypdf._text_extraction._layout_mode._fixed_width_page import recurse_to_target_op
    from pypdf._text_extraction._layout_mode._text_state_manager import TextStateManager
    from pypdf.generic import ContentStream

    contents = page.get("/Contents")
    if contents is None:
        return []
    fonts = page._layout_mode_fonts()
    manager = TextStateManager()
    shown: list[Any] = []
    operations = iter(ContentStream(contents.get_object(), page.pdf, "bytes").operations)
    for operands, operator in operations:
        if operator in (b"BT", b"q"):
            shown += recurse_to_target_op(operations, manager, b"ET" if operator == b"BT" else b"Q", fonts, True)[1]
        elif operator == b"Tf" and len(operands) == 2 and operands[0] in fonts:
            manager.set_font(fonts[operands[0]], float(operands[1]))
        else:
            manager.set_state_param(operator, operands)
    found: list[Piece] = []
    for one in shown:
        if one.text.strip() and not one.rotated and one.font.interpretable and one.font_height > 0:
            left, right = sorted((float(one.tx), float(one.displaced_tx)))
            bold = "bold" in str(one.font.name).lower()
            found.append(Piece(one.text, left, right, float(one.ty), float(one.font_height), bold, len(found)))
    return found


class Rules:
    """Collects a page's horizontal lines from its operators, given to pypdf as a visitor. Paths that are never painted,
    such as clips, are none."""

    def __init__(self) -> None:
        self.found: list[Rule] = []
        self._path: list[Rule] = []
        self._at = (0.0, 0.0)

    def visit(self, operator: bytes, operands: list[Any], cm: list[float], _tm: list[float]) -> None:
        if operator in _STROKED:
            self.found += self._path[: RULES_MAX - len(self.found)]
            self._path = []
        elif operator == b"n":
            self._path = []
        elif len(self._path) < RULES_MAX and all(isinstance(one, int | float) for one in operands):
            self._draw(operator, operands, cm)

    def _draw(self, operator: bytes, operands: list[Any], cm: list[float]) -> None:
        if operator == b"re" and len(operands) == 4:
            x, y, width, height = map(float, operands)
            begin, end = _moved(cm, x, y), _moved(cm, x + width, y + height)
            self._add(begin, (end[0], begin[1]))
            if abs(end[1] - begin[1]) > THIN:
                self._add((begin[0], end[1]), end)
        elif operator in (b"m", b"l") and len(operands) == 2:
            at = _moved(cm, float(operands[0]), float(operands[1]))
            if operator == b"l" and abs(at[1] - self._at[1]) < 1:
                self._add(self._at, at)
            self._at = at

    def _add(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        self._path.append(Rule(begin[1], *sorted((begin[0], end[0]))))


def _moved(cm: list[float], x: float, y: float) -> tuple[float, float]:
    return cm[0] * x + cm[2] * y + cm[4], cm[1] * x + cm[3] * y + cm[5]
