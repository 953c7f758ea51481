"""Telegram's file server behind a station, and the rows that its attachments have."""

from __future__ import annotations

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


def picture(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=PICTURE, headers={"content-type": "image/png"})


class Files:
    """Telegram's file server behind the station. asked: the paths of the files that were fetched."""

    def __init__(self, station: Station) -> None:
        self.answer: Answer = picture
        self.asked: list[str] = []
        self.get_file: tuple[int, dict[str, Any]] = (200, {"ok": True, "result": {"file_path": "photos/file_1.png"}})
        station.r.http = httpx.AsyncClient(transport=httpx.MockTransport(self._api))
        station.r.egress_ours = self._client(trusted=station.r.settings.channels.api_urls)

    def _client(self, trusted: Sequence[str] = ()) -> Egress:
        async def resolve(host: str, port: int) -> Sequence[str]:
            return ["127.0.0.1"] if host.startswith("inner") else ["93.184.216.34"]

        return Egress(trusted=trusted, resolver=resolve, transport=httpx.MockTransport(self._file))

    def judged(self) -> Egress:
        return self._client()

    async def _api(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.endswith("/getFile")
        return httpx.Response(self.get_file[0], json=self.get_file[1])

    async def _file(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        return self.answer(request)


def fetch(station: Station) -> Result:
    return flow.fetch_next(station.r, 0)[0]


def rows(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT state, reason, attempts, encode(sha256, 'hex'), size_bytes, mime FROM media ORDER BY 1")
