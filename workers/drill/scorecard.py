"""The scorecard: a line a fault, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workers.drill.stage import Score

HEAD = (
    "fault", "sent", "accepted", "once", "lost", "stated", "doubled", "unknown", "settled", "dead letters", "first",
    "recovered", "rest",
)  # fmt: skip
WIDTHS = (30, 6, 9, 6, 5, 7, 8, 10, 8, 13, 7, 11, 7)


def head() -> str:
    return _line(HEAD)


def line(score: Score) -> str:
    """One fault, with what is wrong below it."""
    t = score.tally
    times = (_seconds(score.first_s), _seconds(score.recovered_s), _seconds(score.rest_s))
    cells = (
        score.fault, score.posts, t.accepted, t.once, t.lost, score.stated, t.doubled, t.unknown_outcomes, t.settled,
        t.dead_letters, *times,
    )  # fmt: skip
    shown = [_line(cells) + ("   slow" if score.slow else "") + ("" if score.passed else "   FAILED")]
    if score.note:
        shown.append(f"    {score.note}")
    return "\n".join([*shown, *(f"    NOT AS PROMISED: {what}" for what in score.wrong)])


def as_json(score: Score) -> dict[str, Any]:
    return {**asdict(score), "passed": score.passed, "slow": score.slow}


def _line(cells: tuple[Any, ...]) -> str:
    first, *rest = (str(cell) for cell in cells)
    return first.ljust(WIDTHS[0]) + "".join(cell.rjust(width) for cell, width in zip(rest, WIDTHS[1:], strict=True))


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
