"""Old addresses: each answers 410, and the error names today's address."""

from __future__ import annotations

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from gateway.http.refused import Refused


class Moved(Route):
    def __init__(self, path: str, old: str, new: str) -> None:
        super().__init__(path, _Gone(old, new))


def moved(old: str, new: str) -> list[Moved]:
    """Routes for what stood at `old` and below it, for every method. What is below has kept its names."""
    return [Moved(path, old, new) for path in (old, f"{old}/{{rest:path}}")]


class _Gone:
    """An ASGI app, so that the router hands over every method."""

    def __init__(self, old: str, new: str) -> None:
        self._words = f"{old} is now {new}"
        self.__name__ = "gone"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise Refused(410, self._words)
