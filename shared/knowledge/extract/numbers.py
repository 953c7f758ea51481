"""Numbers of workbooks and charts as their formats show them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

FORMAT_CHARS = 255
_LITERAL = re.compile(r'"([^"]{0,60})"|\\(.)|\[\$([^\]-]{0,10})[^\]]{0,20}\]|\[[^\]]{0,30}\]|_.|\*.')
_CORE = re.compile(r"[0#?](?:[0#?,. ]*[0#?,])?")
_DATE_PARTS = re.compile(r"[ymdhs]", re.IGNORECASE)


def epoch(since_1904: bool) -> datetime:
    """The day that a workbook counts its days from."""
    return datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001  as the sheet says


def number(text: str, format_: str, since: datetime) -> str:
    """A number as its format shows it: per cent, currency, decimals, leading zeros, dates as ISO has them. Groups of
    thousands are not divided, so that it is found as it is written elsewhere."""
    try:
        value = float(text)
    except ValueError:
        return text.strip()
    format_ = format_[:FORMAT_CHARS]
    section = format_.split(";")[0] if value >= 0 or format_.count(";") == 0 else format_.split(";")[1]
    literal = [match[1] or match[2] or match[3] or "" for match in _LITERAL.finditer(section)]
    bare = _LITERAL.sub("\x00", section)
    if _DATE_PARTS.search(bare) and not _CORE.search(bare.lower().replace("ss.0", "ss")):
        return _date(value, bare.lower(), "[h" in section.lower(), since)
    core = _CORE.search(bare)
    if core is None or "E" in bare.upper().replace("GENERAL", "") or not section:
        return _plain(value)
    pieces = iter(literal)
    before = "".join(next(pieces, "") if c == "\x00" else c for c in bare[: core.start()])
    after = "".join(next(pieces, "") if c == "\x00" else c for c in bare[core.end() :])
    pattern = core[0].replace(" ", "")
    scaled = value * 100 if "%" in bare else value
    scaled /= 1000 ** (len(pattern) - len(pattern.rstrip(",")))
    whole, _, decimals = pattern.rstrip(",").partition(".")
    if "%" not in bare and not decimals.strip("#?") and not decimals:
        shown = f"{abs(scaled):.0f}"
    else:
        shown = f"{abs(scaled):.{min(len(decimals), 15)}f}"
        optional = len(decimals) - len(decimals.rstrip("#?"))
        while optional and shown.endswith("0"):
            shown, optional = shown[:-1], optional - 1
        shown = shown.rstrip(".")
    width = whole.count("0")
    head, dot, tail = shown.partition(".")
    shown = f"{head.zfill(width)}{dot}{tail}"
    has_sign = value < 0 and format_.count(";") == 0
    return f"{'-' if has_sign else ''}{before}{shown}{after}".strip()


def _plain(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, ".15g")


def _date(value: float, bare: str, elapsed: bool, since: datetime) -> str:
    if not 0 <= value < 3_000_000:
        return _plain(value)
    seconds = round(value * 86_400)
    if elapsed:
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    when = since + timedelta(seconds=seconds)
    dated, timed = "y" in bare or "d" in bare, "h" in bare or "s" in bare
    clock = when.strftime("%H:%M:%S" if "s" in bare else "%H:%M")
    return f"{when.date().isoformat()} {clock}" if dated and timed else clock if timed else when.date().isoformat()
