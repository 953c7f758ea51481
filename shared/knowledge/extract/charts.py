"""Charts of office documents: the values that they were drawn from, which a file keeps beside the drawing."""

from __future__ import annotations

from datetime import datetime

from shared.knowledge.extract.numbers import epoch, number
from shared.knowledge.extract.package import Node, Package
from shared.knowledge.extract.tables import COLUMNS_MAX, Grid

Points = dict[int, str]
"""Values or labels by their place."""


def of(package: Package, part: str, room: list[int]) -> dict[str, list[str]]:
    """The charts that a part of the archive refers to, by the ids that it uses. room: as of a Grid."""
    return {
        id_: table(package.tree(relation.target), room)
        for id_, relation in package.relations(part).items()
        if relation.kind == "chart" and relation.target in package.names
    }


def table(root: Node, room: list[int]) -> list[str]:
    """A chart's title, and a row for each of its categories with a column for each series. Series with categories of
    their own make tables of their own; a chart that keeps no values is its title."""
    chart = root.first("chart")
    area = chart.first("plotArea") if chart is not None else None
    if chart is None or area is None:
        return []
    dated = root.first("date1904")
    since = epoch(dated is not None and dated.get("val", "1") not in ("0", "false"))
    title = _said(chart.first("title"))
    groups: list[tuple[Points, list[tuple[str, Points]]]] = []
    for count, series in enumerate(list(area.every("ser"))[: COLUMNS_MAX - 1], 1):
        labels = _points(series, since, "cat", "xVal")
        if not groups or (labels and groups[-1][0] and labels != groups[-1][0]):
            groups.append((labels, []))
        elif labels:
            groups[-1] = (labels, groups[-1][1])
        groups[-1][1].append((_name(series, count), _points(series, since, "val", "yVal")))
    axis = next((said for one in area.elements("catAx", "dateAx") if (said := _said(one.first("title")))), "")
    found = [block for labels, columns in groups for block in _group(title, axis, labels, columns, room)]
    return found or ([title] if title else [])


def _group(
    title: str, axis: str, labels: Points, columns: list[tuple[str, Points]], room: list[int]
) -> list[str]:  # fmt: skip
    grid = Grid(room)
    grid.captions.append(title)
    grid.begin_row(header=True)
    for text in (axis or "Category", *(name for name, _ in columns)):
        grid.cell(text)
    for place in sorted({place for _, values in columns for place in values}):
        grid.begin_row()
        grid.cell(labels.get(place) or str(place + 1))
        for _, values in columns:
            grid.cell(values.get(place, ""))
    return grid.blocks() if len(grid.rows) > 1 else []


def _name(series: Node, count: int) -> str:
    found = series.first("tx")
    told = " ".join(value.text() for value in found.every("v")) if found is not None else ""
    return " ".join(told.split()) or f"Series {count}"


def _points(series: Node, since: datetime, *names: str) -> Points:
    """What stands at each place. Labels of several levels are joined, the outer ones first: each of these counts until
    the next one of its level."""
    holder = next(series.elements(*names), None)
    if holder is None:
        return {}
    levels = [_level(level, "", since) for level in holder.every("lvl")]
    if not levels:
        form = next((node.text() for node in holder.every("formatCode")), "")
        return _level(holder, form, since)
    inner, *outer = levels
    for level in outer:
        said = ""
        for place in sorted(inner.keys() | level.keys()):
            said = level.get(place, said)
            inner[place] = f"{said} {inner.get(place, '')}".strip()
    return inner


def _level(holder: Node, form: str, since: datetime) -> Points:
    found = {}
    for point in holder.every("pt"):
        place, value = point.get("idx"), point.first("v")
        if value is not None and place.isascii() and place.isdecimal():
            own = point.get("formatCode") or form
            found[int(place[:7])] = number(value.text(), own, since) if own else " ".join(value.text().split())
    return found


def _said(title: Node | None) -> str:
    return " ".join("".join(one.text() for one in title.every("t", "v")).split()) if title is not None else ""
