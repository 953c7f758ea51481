"""Write docs/settings.md from shared/settings.py: `.venv/bin/python -m scripts.settings_page`.

The meaning of a setting is the string below it; sections begin with a comment behind an empty line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.setting_words import UNITS
from shared.settings import PROJECT_ROOT, PerMinute, Settings

PAGE = PROJECT_ROOT / "docs" / "settings.md"
SOURCE = PROJECT_ROOT / "shared" / "settings.py"
MIB = 1024**2
HEAD = """\
# Settings

<!-- Generated from shared/settings.py by `.venv/bin/python -m scripts.settings_page`. -->

Settings are environment variables. A misspelt name is an error or a warning, and an empty variable counts as not set.
Numbers are written without a unit (`LEASE_S=10`); the unit is in the name: `_S` is seconds, `_H` hours, `_DAYS` days,
`_BYTES` bytes, `_SHARE` a share from 0 to 1. A limit of `60/30` means 60 a minute, evenly spread, after a burst of 30.
Services that are not set are embedded ones in `DATA_DIR`. The checks between settings are in `shared/settings.py`.
"""
TABLE = "| variable | type | unit | default | meaning |\n|---|---|---|---|---|\n"


def page() -> str:
    source = SOURCE.read_text("utf-8")
    meanings, sections = _meanings(source), _sections(source)
    parts = [HEAD]
    for name, field in Settings.model_fields.items():
        if name in sections:
            parts.append(f"\n## {sections[name]}\n\n{TABLE}")
        cells = (f"`{name.upper()}`", _type(field), _unit(name, field), _default(field), meanings[name])
        parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def _fields(source: str) -> Iterator[tuple[str, int, str]]:
    """(name, line, meaning) of each setting."""
    classes = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    body = next(node for node in classes if node.name == "Settings").body
    for one, below in pairwise(body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            told = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            yield one.target.id, one.lineno, " ".join(str(told).split()).removesuffix(".")


def _meanings(source: str) -> Mapping[str, str]:
    found = {name: meaning for name, _, meaning in _fields(source)}
    missing = [name for name, meaning in found.items() if not meaning]
    if missing:
        raise ValueError(f"{SOURCE}: no string below {', '.join(missing)} says what it means")
    return found


def _sections(source: str) -> Mapping[str, str]:
    """The first setting of a section → the section's name."""
    lines = source.splitlines()
    found = {}
    for name, line, _ in _fields(source):
        above = line - 2
        while lines[above].startswith("    #"):
            above -= 1
        if not lines[above].strip():
            found[name] = re.split(r"[.:]", lines[above + 1].strip().removeprefix("# "))[0]
    return found


def _type(field: FieldInfo) -> str:
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    if all(isinstance(kind, str) for kind in kinds):
        return ", ".join(f"`{kind}`" for kind in kinds)
    kind: Any = kinds[0]
    named = {str: "text", int: "whole number", float: "number", Path: "folder", SecretStr: "secret", PerMinute: "limit"}
    return named.get(kind, "JSON list") + _bounds(field)


def _bounds(field: FieldInfo) -> str:
    signs = ((Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<"))
    told = [f"{sign} {getattr(one, bound):,}" for one in field.metadata for kind, bound, sign in signs
            if isinstance(one, kind)]  # fmt: skip
    return f" {', '.join(told)}" if told else ""


def _unit(name: str, field: FieldInfo) -> str:
    if isinstance(field.default, PerMinute):
        return "a minute/at once"
    for ending, unit in UNITS.items():
        if name.upper().endswith(ending):
            return "share" if ending == "_SHARE" else unit
    return ""


def _default(field: FieldInfo) -> str:
    default = field.default
    if default in (None, "", ()) or (isinstance(default, SecretStr) and not default.get_secret_value()):
        return "none"
    if isinstance(default, Path):
        return f"`{default.relative_to(PROJECT_ROOT)}`"
    if isinstance(default, float):
        return f"{default:g}" if default < 100_000 else f"{default:.0f}"
    if isinstance(default, int):
        return f"{default} ({default // MIB} MiB)" if default >= MIB else str(default)
    return f"`{str(default).replace(',', ', ')}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
