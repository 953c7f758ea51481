"""Telegram's file server behind a station, and the rows that its attachments have."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from shared.resilience.egress import Egress
from tasks.inbox import media as flow
from tasks.inbox.media import Result
from tests.integration.station import Station

PICTURE = b"\x89PNG planted bytes of a picture"
SHA = hashlib.sha256(PICTURE).hexdigest()
Answer = Callable[[httpx.Request], httpx.Response]
Said = tuple[int, dict[str, Any]]
FOUND: Said = (200, {"ok": True, "result": {"file_path": "photos/file_1.png"}})


def picture(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=PICTURE, headers={"content-type": "image/png"})


class Files:
    """Telegram's file server behind the station. asked: the paths of the files that were fetched. located: how often
    the API was asked where one is. get_file: its answer; None: it says nothing."""

    def __init__(self, station: Station) -> None:
        self.answer: Answer = picture
        self.asked: list[str] = []
        self.located = 0
        self._next: Said | None = None
        self.get_file: tuple[int, dict[str, Any]] | None = (
            200,
            {"ok": True, "result": {"file_path": "photos/file_1.png"}},
        )
        station.r.http = httpx.AsyncClient(transport=httpx.MockTransport(self._api))
        station.r.egress_ours = self._client(trusted=station.r.settings.channels.api_urls)

    def _client(self, trusted: Sequence[str] = ()) -> Egress:
        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"] if host.startswith("inner") else ["93.184.216.34"]

        return Egress(trusted=trusted, resolver=resolve, transport=httpx.MockTransport(self._file))

    def judged(self) -> Egress:
        return self._client()

    def after_next(self, answer: Said) -> None:
        """The API's answer once it has given its next one."""
        self._next = answer

    async def _api(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/getFile")
        self.located += 1
        answer, self.get_file = self.get_file, self._next or self.get_file
        if answer is None:
            await asyncio.Event().wait()
            raise AssertionError("nobody answers")
        return httpx.Response(answer[0], json=answer[1])

    async def _file(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answer(request)


def fetch(station: Station) -> Result:
    return flow.fetch_next(station.r, 0)[0]


def rows(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT state, reason, attempts, encode(sha256, 'hex'), size_bytes, mime FROM media ORDER BY 1")
