"""What became of a station's parts."""

from __future__ import annotations

from tests.integration.station import Station


def parts(station: Station) -> list[tuple[str, str | None]]:
    """(state, meaning) of every part, in order."""
    return [(state, meaning) for state, meaning in station.rows("SELECT state, meaning FROM outbound ORDER BY id")]


def states(station: Station) -> list[str]:
    return [state for state, _ in parts(station)]


def refused(code: int, description: str, **parameters: object) -> tuple[int, dict[str, object]]:
    return code, {"ok": False, "error_code": code, "description": description, "parameters": parameters}
