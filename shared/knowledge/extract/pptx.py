"""PowerPoint presentations: each slide's title, texts, tables, charts and speaker notes, in the order of the slides.
Hidden slides and comments are left."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.knowledge.extract import charts
from shared.knowledge.extract.base import Extracted, joined, title_cut
from shared.knowledge.extract.docx import shifted
from shared.knowledge.extract.package import Node, Package, opened
from shared.knowledge.extract.tables import CELLS_MAX, Grid

_SLIDE = re.compile(r"ppt/slides/slide(\d{1,6})\.xml")
_TITLES = ("title", "ctrTitle")
_LEFT_PLACEHOLDERS = ("ftr", "dt", "sldNum", "hdr")
"""Foot, date, number: on each slide the same."""
_OFF = ("0", "false")


def read(raw: bytes) -> Extracted:
    with opened(raw, "PowerPoint presentation", ".pptx") as package:
        main = "ppt/presentation.xml"
        related = package.relations(main)
        listed = package.tree(main).first("sldIdLst")
        ids = [node.get("r:id") for node in listed.elements("sldId")] if listed is not None else []
        names = [related[id_].target for id_ in ids if id_ in related and related[id_].target in package.names]
        if not names:
            found = [match for name in package.names if (match := _SLIDE.fullmatch(name))]
            names = [match[0] for match in sorted(found, key=lambda match: int(match[1]))]
        blocks: list[str] = []
        title: str | None = None
        room = [CELLS_MAX]
        for name in names:
            slide = package.tree(name)
            if slide.get("show") in _OFF:
                continue
            drawn = [
                package.tree(relation.target) for relation in package.relations(name).values()
                if relation.kind == "diagramData" and relation.target in package.names
            ]  # fmt: skip
            called, texts = _slide(slide, drawn, charts.of(package, name, room), room)
            texts += _notes(package, name)
            title = title or (title_cut(called) if called and not blocks else None)
            blocks += [f"## {called}"] if called else ["## …"] if blocks and texts else []
            blocks += texts
    return Extracted(joined(blocks), title)


def _notes(package: Package, slide: str) -> list[str]:
    """What the speaker noted for a slide, in one paragraph."""
    found: list[str] = []
    for relation in package.relations(slide).values():
        if relation.kind == "notesSlide" and relation.target in package.names:
            for shape in _shapes(package.tree(relation.target)):
                holder = next(shape.every("ph"), None)
                if holder is not None and holder.get("type") == "body":
                    found += _paragraphs(shape.first("txBody"))
    return ["Speaker notes: " + "\n".join(found)] if found else []


def _slide(
    slide: Node, drawn: list[Node], charted: dict[str, list[str]], room: list[int]
) -> tuple[str, list[str]]:  # fmt: skip
    """Its title and its texts."""
    title = ""
    texts: list[str] = []
    for shape in _shapes(slide):
        if shape.name == "graphicFrame":
            for table in shape.every("tbl"):
                texts += _table(table, room)
            for chart in shape.every("chart"):
                texts += charted.pop(chart.get("id"), [])
            continue
        holder = next(shape.every("ph"), None)
        kind = holder.get("type") if holder is not None else ""
        if kind in _LEFT_PLACEHOLDERS:
            continue
        said = list(_paragraphs(shape.first("txBody"), listed=holder is not None and kind in ("", "body", "obj")))
        if kind in _TITLES and not title:
            title = " ".join(" ".join(said).split())
        else:
            texts += ["\n".join(said)] if said else []
    for diagram in drawn:
        said = [text for point in diagram.every("t") if point.name == "t" for text in _paragraphs(point, listed=True)]
        texts += ["\n".join(said)] if said else []
    return title, texts


def _shapes(slide: Node) -> Iterator[Node]:
    """Shapes and frames, those of groups and, of alternatives, the first."""
    for node in slide.elements():
        if node.name in ("sp", "graphicFrame"):
            yield node
        elif node.name == "AlternateContent":
            chosen = node.first("Choice") or node.first("Fallback")
            if chosen is not None:
                yield from _shapes(chosen)
        elif node.name in ("cSld", "spTree", "grpSp"):
            yield from _shapes(node)


def _paragraphs(body: Node | None, *, listed: bool = False) -> Iterator[str]:
    for paragraph in body.elements("p") if body is not None else ():
        parts: list[str] = []
        for node in paragraph.elements("r", "br", "fld", "m"):
            properties = node.first("rPr")
            if properties is not None and properties.get("strike") not in ("", "noStrike"):
                continue
            raised = properties.get("baseline") if properties is not None else ""
            place = "subscript" if raised.startswith("-") else "superscript" if raised.strip("0%") else ""
            parts.append("\n" if node.name == "br" else shifted("".join(t.text() for t in node.every("t")), place))
        text = "".join(parts).strip()
        if text:
            yield f"- {text}" if listed else text


def _table(table: Node, room: list[int]) -> list[str]:
    grid = Grid(room)
    properties = table.first("tblPr")
    for number, row in enumerate(table.elements("tr")):
        grid.begin_row(header=number == 0 and properties is not None and properties.get("firstRow") in ("1", "true"))
        for cell in row.elements("tc"):
            if cell.get("hMerge") in ("1", "true"):
                continue  # the cell to its left covers it
            if cell.get("vMerge") in ("1", "true"):
                grid.cell(grid.above(), _span(cell))
            else:
                grid.cell("; ".join(_paragraphs(cell.first("txBody"))), _span(cell))
    return grid.blocks()


def _span(cell: Node) -> int:
    written = cell.get("gridSpan")
    return int(written[:6]) if written.isascii() and written.isdecimal() else 1
