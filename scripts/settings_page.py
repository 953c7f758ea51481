"""Write docs/settings.md from shared/settings: `.venv/bin/python -m scripts.settings_page`.

A section is a domain, introduced by the docstring of its class; the meaning of a setting is the string below it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.settings import PROJECT_ROOT, PerMinute, Settings
from shared.settings.kinds import Domain
from shared.settings.words import UNITS

PAGE = PROJECT_ROOT / "docs" / "settings.md"
MIB = 1024**2
HEAD = """\
# Settings

<!-- Generated from shared/settings by `.venv/bin/python -m scripts.settings_page`. -->

Settings are environment variables. A misspelt name is an error or a warning, and an empty variable counts as not set.
Numbers are written without a unit (`LEASE_S=10`); the unit is in the name: `_S` is seconds, `_H` hours, `_DAYS` days,
`_BYTES` bytes, `_SHARE` a share from 0 to 1. A limit of `60/30` means 60 a minute, evenly spread, after a burst of 30.
Services that are not set are embedded ones in `DATA_DIR`. The checks between settings are in `shared/settings`.
"""
TABLE = "| variable | type | unit | default | meaning |\n|---|---|---|---|---|\n"


def page() -> str:
    parts = [HEAD]
    for branch in Settings.model_fields.values():
        kind = type(branch.default)
        meanings = _meanings(kind)
        title, introduction = _heading(kind)
        parts.append(f"\n## {title}\n\n{introduction}{TABLE}")
        for attribute, field in kind.model_fields.items():
            name = str(field.alias)
            cells = (f"`{name}`", _type(field), _unit(name, field), _default(field), meanings[attribute])
            parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def _heading(kind: type[Domain]) -> tuple[str, str]:
    """(title, introduction or ""): what a domain's docstring says before and after its first full stop or colon."""
    title, _, rest = re.sub(r"[.:]( |$)", "\n", " ".join(str(kind.__doc__).split()), count=1).partition("\n")
    return title, f"{rest[0].upper()}{rest[1:]}\n\n" if rest else ""


def _meanings(kind: type[Domain]) -> Mapping[str, str]:
    """By attribute, the string below it."""
    [body] = ast.parse(inspect.getsource(kind)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for one, below in pairwise(body.body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            told = below.value.value if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) else ""
            found[one.target.id] = " ".join(str(told).split()).removesuffix(".")
    missing = [name for name in kind.model_fields if not found.get(name)]
    if missing:
        raise ValueError(f"{kind.__name__}: no string below {', '.join(missing)} says what it means")
    return found


def _type(field: FieldInfo) -> str:
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    if all(isinstance(kind, str) for kind in kinds):
        return ", ".join(f"`{kind}`" for kind in kinds)
    kind: Any = kinds[0]
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
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
        if name.endswith(ending):
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
