"""Where attachments' bytes are kept: a folder or a bucket, and what no row names goes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from shared.clock import FixedClock
from shared.embedded import Database
from shared.store.db import objects
from tasks.inbox import media_sweep
from tasks.inbox.media import Result
from tasks.operations import jobs
from tests.factories import Bot, make_bot, settings
from tests.integration.media_files import PICTURE, SHA, Files, fetch
from tests.integration.station import Station


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, MEDIA_MAX_BYTES=1000, MEDIA_DEADLINE_S=2.0)
    yield station
    station.close()


@pytest.fixture
def files(station: Station) -> Files:
    return Files(station)


# The store


def test_a_bucket_gets_the_same_bytes_as_a_folder(tmp_path: Any) -> None:
    """Against a server that speaks the few words of S3 that are needed, and wants every request signed."""
    kept: dict[str, bytes] = {}

    class Bucket(BaseHTTPRequestHandler):
        def _signed(self) -> bool:
            said = self.headers.get("authorization", "")
            return said.startswith("AWS4-HMAC-SHA256 Credential=key/") and "Signature=" in said

        def _answer(self, status: int, body: bytes = b"") -> None:
            self.send_response(status if self._signed() else 403)
            self.send_header("content-length", str(len(body)))
            self.send_header("etag", '"e"')
            self.send_header("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT")
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            kept[self.path] = self.rfile.read(int(self.headers["content-length"]))
            self._answer(200)

        def do_GET(self) -> None:
            self._answer(200 if self.path in kept else 404, kept.get(self.path, b""))

        def do_DELETE(self) -> None:
            kept.pop(self.path, None)
            self._answer(204)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        store = objects.from_settings(
            settings(
                MEDIA_S3_BUCKET="bucket", MEDIA_S3_ENDPOINT=f"http://127.0.0.1:{server.server_port}",
                MEDIA_S3_KEY_ID="key", MEDIA_S3_SECRET=SecretStr("secret"),
            )
        )  # fmt: skip
        store.put(7, SHA, PICTURE)
        assert list(kept) == [f"/bucket/7/{SHA[:2]}/{SHA}"]
        assert store.get(7, SHA) == PICTURE
        assert store.get(8, SHA) is None
        store.delete(7, SHA)
        assert store.get(7, SHA) is None
    finally:
        server.shutdown()
        server.server_close()


def test_bytes_that_no_row_names_go_after_a_day_and_others_stay(
    station: Station, files: Files, bot: Bot, tmp_path: Path
) -> None:
    config = station.inbox.settings.changed(MEDIA_DIR=tmp_path)
    store, other = objects.from_settings(config), make_bot(station.inbox.server.admin_url)
    station.receive(bot, None)
    assert fetch(station) is Result.STORED
    store.put(bot.company_id, SHA, PICTURE)
    orphans = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two", b"three")]
    for sha in orphans:
        store.put(bot.company_id, sha, b"12345")
    store.put(other.company_id, SHA, PICTURE)  # the other company's message is gone; ours has the same picture

    def sweep(days: int) -> jobs.Ran:
        clock = FixedClock(datetime.now(UTC) + timedelta(days=days))
        with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
            work = jobs.Work(conn, config, clock)
            seen = jobs.preview(media_sweep.SWEEP, work)
            ran = jobs.run(media_sweep.SWEEP, work, slot=None, by="hand")
            assert ran is not None
            assert (seen.rows, seen.size) == (ran.rows, ran.size)
            return ran

    young, old, again = sweep(0), sweep(2), sweep(2)

    assert [(ran.rows, ran.size) for ran in (young, old, again)] == [
        (0, 0), (4, 15 + len(PICTURE)), (0, 0),
    ]  # fmt: skip
    assert store.get(bot.company_id, SHA) == PICTURE
    assert [store.get(bot.company_id, sha) for sha in orphans] == [None] * 3
    assert store.get(other.company_id, SHA) is None
