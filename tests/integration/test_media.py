"""Attachments: fetched within bounds, kept under their hash, shown to whoever has a fresh address."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from gateway.api.media import address
from shared.clock import FixedClock
from shared.embedded import Database
from shared.errors import DatabaseUnavailable
from shared.model import Location
from shared.resilience.egress import Egress
from shared.store.db import objects
from shared.store.db.objects import MediaStoreUnavailable
from shared.store.inbox import media
from shared.store.tenants import companies
from tasks.inbox import media as flow
from tasks.inbox import media_sweep
from tasks.inbox.media import Result
from tasks.operations import jobs
from tasks.tenants import onboarding
from tests.factories import ENCRYPTION_KEY, Bot, make_bot, settings, update
from tests.integration.gateway_client import RunningGateway, running_gateway
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


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url, MEDIA_MAX_BYTES=1000, MEDIA_DEADLINE_S=2.0)
    yield station
    station.close()


@pytest.fixture
def files(station: Station) -> Files:
    return Files(station)


def fetch(station: Station) -> Result:
    return flow.fetch_next(station.r, 0)[0]


def rows(station: Station) -> list[tuple[Any, ...]]:
    return station.rows("SELECT state, reason, attempts, encode(sha256, 'hex'), size_bytes, mime FROM media ORDER BY 1")


def test_a_photo_is_fetched_and_kept_under_its_hash(station: Station, files: Files, bot: Bot) -> None:
    station.receive(bot, None)

    assert fetch(station) is Result.STORED

    assert files.asked == [f"/file/bot{bot.token}/photos/file_1.png"]
    assert rows(station) == [("stored", None, 1, SHA, len(PICTURE), "image/png")]
    assert station.r.objects.get(bot.company_id, SHA) == PICTURE
    assert fetch(station) is Result.NOTHING_DUE


def test_beyond_a_customer_s_day_pictures_wait_for_the_next_one_and_none_is_lost(
    station: Station, files: Files, bot: Bot
) -> None:
    station.execute("UPDATE daily_limits SET per_contact = 1 WHERE kind = 'media_fetches'")
    for chat in (1, 1, 2):
        station.receive(bot, None, chat=chat)

    assert [fetch(station) for _ in range(4)] == [Result.STORED, Result.RETRY, Result.STORED, Result.NOTHING_DUE]

    assert [row[:3] for row in rows(station)] == [
        ("stored", None, 1), ("stored", None, 1), ("waiting", "daily_limit", 0),
    ]  # fmt: skip
    assert len(files.asked) == 2
    station.execute("UPDATE media SET due_at = now() WHERE state = 'waiting'")
    station.execute("UPDATE daily_uses SET day = day - 1")
    assert fetch(station) is Result.STORED


def test_words_and_places_are_nothing_to_fetch(station: Station, files: Files, bot: Bot) -> None:
    station.receive(bot, "hello")
    station.inbox.journal(bot, update(None, chat=5, location={"latitude": 1.5, "longitude": 2.5}))
    station.inbox.drain_all()
    assert fetch(station) is Result.NOTHING_DUE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(200, content=b"x" * 1001, headers={"content-type": "image/png"}), "too_large"),
        (httpx.Response(200, content=b"x", headers={"content-type": "text/html"}), "type"),
        (httpx.Response(200, content=b"x", headers={"content-type": "application/x-msdownload"}), "type"),
        (httpx.Response(200, content=b"", headers={"content-type": "image/png"}), "empty"),
    ],
)
def test_what_nobody_wants_is_refused_once(
    station: Station, files: Files, bot: Bot, answer: httpx.Response, reason: str
) -> None:
    files.answer = lambda _: answer
    station.receive(bot, None)

    assert fetch(station) is Result.ENDED
    assert [row[:2] for row in rows(station)] == [("refused", reason)]
    assert fetch(station) is Result.NOTHING_DUE


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_the_platform_has_no_more_is_not_asked_for_again(
    station: Station, files: Files, bot: Bot, status: int
) -> None:
    files.answer = lambda _: httpx.Response(status)
    station.receive(bot, None)
    assert fetch(station) is Result.ENDED
    assert rows(station)[0][0] == "failed"


def test_an_id_that_is_too_big_for_bots_fails_and_a_busy_platform_is_asked_again(
    station: Station, files: Files, bot: Bot
) -> None:
    good, files.get_file = files.get_file, (429, {"ok": False, "parameters": {"retry_after": 7}})
    station.receive(bot, None)
    assert fetch(station) is Result.RETRY
    assert fetch(station) is Result.NOTHING_DUE  # not before its time
    [(due_s,)] = station.rows("SELECT extract(epoch FROM due_at - now())::float8 FROM media")
    assert 5 < due_s <= 7

    station.execute("UPDATE media SET due_at = now()")
    files.get_file = good
    assert fetch(station) is Result.STORED

    files.get_file = (400, {"ok": False, "description": "Bad Request: file is too big"})
    station.receive(bot, None)
    assert fetch(station) is Result.ENDED
    assert ("failed", "gone") in [row[:2] for row in rows(station)]


def tried_until_it_ends(station: Station, *, until_s: float = float("inf")) -> float:
    """Fetch whenever it is due, on a clock that jumps there. Returns how many seconds after the message the last
    attempt was."""
    clock = FixedClock(datetime.now(UTC))
    station.r.clock = clock
    passed_s = 0.0
    for _ in range(flow.ATTEMPTS_MAX + 1):
        if passed_s >= until_s or fetch(station) is not Result.RETRY:
            return passed_s
        [(wait_s,)] = station.rows("SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM media")
        passed_s += max(0.0, wait_s)
        clock.advance(max(0.0, wait_s))
        station.execute("UPDATE media SET due_at = now()")
    raise AssertionError("it is tried without end")


@pytest.mark.parametrize("seed", range(3))
def test_a_server_that_fails_is_tried_for_a_day_and_a_bounded_number_of_times(
    station: Station, files: Files, bot: Bot, seed: int
) -> None:
    station.r.rng = Random(seed)
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)

    ended_s = tried_until_it_ends(station)

    assert flow.TRIED_FOR_S <= ended_s <= flow.TRIED_FOR_S + flow.RETRY_CAP_S
    [(state, reason, attempts, *_)] = rows(station)
    assert (state, reason) == ("failed", "unreachable")
    assert attempts < flow.ATTEMPTS_MAX


def test_an_outage_of_the_platform_of_an_hour_loses_no_picture(station: Station, files: Files, bot: Bot) -> None:
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)
    assert tried_until_it_ends(station, until_s=3600) < 3600 + flow.RETRY_CAP_S

    files.answer = picture
    assert fetch(station) is Result.STORED


def test_a_platform_that_asks_for_short_pauses_is_not_asked_more_often_than_others(
    station: Station, files: Files, bot: Bot
) -> None:
    files.get_file = (429, {"ok": False, "parameters": {"retry_after": 1}})
    station.receive(bot, None)

    tried_until_it_ends(station)

    assert rows(station)[0][2] < flow.ATTEMPTS_MAX


def test_what_our_own_workers_came_to_late_is_tried_several_times_all_the_same(
    station: Station, files: Files, bot: Bot
) -> None:
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)
    station.execute("UPDATE media SET created_at = now() - interval '3 days'")

    tried_until_it_ends(station)

    assert rows(station)[0][:3] == ("failed", "unreachable", flow.ATTEMPTS_MIN)


def test_the_same_bytes_of_two_customers_are_one_object_of_their_company(
    station: Station, files: Files, bot: Bot
) -> None:
    other = make_bot(station.inbox.server.admin_url)
    for one, chat in ((bot, 5), (bot, 6), (other, 5)):
        station.receive(one, None, chat=chat)
    assert [fetch(station) for _ in range(3)] == [Result.STORED] * 3

    ids = {
        company: [row[0] for row in station.rows("SELECT message_id FROM media WHERE company_id = %s", company)]
        for company in (bot.company_id, other.company_id)
    }
    with station.r.db.transaction(bot.company_id) as conn:
        assert media.forget(conn, bot.company_id, ids[bot.company_id][:1]) == []  # another message has them
        assert media.forget(conn, bot.company_id, ids[bot.company_id][1:]) == [SHA]
    station.r.objects.delete(bot.company_id, SHA)
    station.r.objects.delete(bot.company_id, SHA)  # twice is once
    assert station.r.objects.get(bot.company_id, SHA) is None
    assert station.r.objects.get(other.company_id, SHA) == PICTURE


def test_an_address_that_a_customer_gave_does_not_lead_into_our_network(
    station: Station, files: Files, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Platforms hand on links; of Telegram's own only the id counts, so the link stands in for another platform."""

    async def locate(*_: Any) -> Location:
        return Location("https://inner.example/secrets")

    monkeypatch.setattr(station.r.platforms["telegram"], "locate", locate)
    station.r.egress = files.judged()
    station.receive(bot, None)

    assert fetch(station) is Result.ENDED
    assert rows(station)[0][:2] == ("refused", "address_refused")
    assert files.asked == []


@pytest.mark.parametrize(
    ("code", "state", "reason"), [(0, "stored", None), (1, "refused", "infected"), (2, "waiting", "unreachable")]
)
def test_the_scanner_has_the_last_word(
    database: Database, redis_url: str, code: int, state: str, reason: str | None
) -> None:
    script = f"import sys; sys.exit({code} if sys.stdin.buffer.read().startswith(b'\\x89PNG') else 3)"
    station = Station(database, redis_url, MEDIA_SCAN_COMMAND=f'{sys.executable} -c "{script}"')
    try:
        Files(station)
        station.receive(make_bot(database.admin_url), None)
        fetch(station)
        assert rows(station)[0][:2] == (state, reason)
    finally:
        station.close()


def test_a_fetch_that_was_killed_is_done_by_somebody_else_and_the_first_ones_word_counts_no_more(
    station: Station, files: Files, bot: Bot
) -> None:
    station.receive(bot, None)
    with station.r.db.transaction() as conn:
        dead = media.claim(conn, 0, lease_s=0.0)
    assert dead is not None

    assert fetch(station) is Result.STORED
    with station.r.db.transaction(bot.company_id) as conn:
        assert not media.fail(conn, dead, "late")
    assert rows(station)[0][0] == "stored"


def test_one_companys_heap_does_not_keep_anothers_picture_waiting(station: Station, files: Files, bot: Bot) -> None:
    other = make_bot(station.inbox.server.admin_url)
    station.receive(bot, *[None] * 5)
    station.receive(other, None)

    served, cursor = [], 0
    for _ in range(2):
        _, cursor = flow.fetch_next(station.r, cursor)
        served.append(cursor)

    assert served == [bot.company_id, other.company_id]


def test_a_media_store_that_is_away_loses_nothing(
    station: Station, files: Files, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise MediaStoreUnavailable("planted", retry_after_s=3)

    station.receive(bot, None)
    with monkeypatch.context() as patch:
        patch.setattr(station.r.objects, "put", full)
        assert fetch(station) is Result.RETRY
    station.execute("UPDATE media SET due_at = now()")
    assert fetch(station) is Result.STORED


def test_a_database_that_goes_away_meanwhile_leaves_the_row_to_the_next(
    station: Station, files: Files, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise DatabaseUnavailable("planted")

    station.receive(bot, None)
    with monkeypatch.context() as patch:
        patch.setattr(media, "stored", away)
        assert fetch(station) is Result.RETRY
    station.execute("UPDATE media SET due_at = now()")
    assert fetch(station) is Result.STORED


# What agents see


@pytest.fixture
def gateway(station: Station, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    with running_gateway(station.inbox.settings) as running:
        yield running


def attachment(station: Station, gateway: RunningGateway, bot: Bot) -> dict[str, Any]:
    with psycopg.connect(station.inbox.server.admin_url, autocommit=True) as conn:
        name = companies.free_agent_name(conn, bot.company_id, "Ada")
        key = onboarding.new_agent(conn, bot.company_id, name)
    answer = gateway.get(
        f"/inbox/conversations/{station.conversation()}/messages", headers={"authorization": f"Bearer {key}"}
    )
    found: dict[str, Any] = json.loads(answer.content)["messages"][-1]["attachments"][0]
    return found


def test_an_agent_sees_what_became_of_it_and_the_bytes_by_a_short_lived_address(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    station.receive(bot, None)
    assert (attachment(station, gateway, bot)["state"], "media_url" in attachment(station, gateway, bot)) == (
        "waiting", False,
    )  # fmt: skip
    fetch(station)

    shown = attachment(station, gateway, bot)
    answer = gateway.get(shown["media_url"])

    assert (shown["state"], shown["mime"], shown["size_bytes"]) == ("stored", "image/png", len(PICTURE))
    assert (answer.status_code, answer.content) == (200, PICTURE)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith("inline")


def test_an_agent_sees_how_often_a_waiting_one_was_tried_and_when_it_is_next(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    files.answer = lambda _: httpx.Response(503)
    station.receive(bot, None)
    fetch(station)

    shown = attachment(station, gateway, bot)
    assert (shown["state"], shown["reason"], shown["attempts"]) == ("waiting", "unreachable", 1)
    assert datetime.fromisoformat(shown["next_attempt_at"]) > datetime.now(UTC) - timedelta(minutes=1)

    station.execute("UPDATE media SET created_at = now() - interval '2 days', attempts = %s", flow.ATTEMPTS_MIN)
    station.execute("UPDATE media SET due_at = now()")
    fetch(station)
    shown = attachment(station, gateway, bot)
    assert (shown["state"], shown["attempts"], shown["next_attempt_at"]) == ("failed", flow.ATTEMPTS_MIN + 1, None)


def test_what_could_run_as_ours_is_saved_and_not_shown(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    files.answer = lambda _: httpx.Response(
        200, content=b"<svg onload='x'/>", headers={"content-type": "image/svg+xml"}
    )
    document = {"file_id": "f", "file_name": 'bad"name\r\n/../ü.svg', "mime_type": "image/svg+xml"}
    station.inbox.journal(bot, update(None, chat=5, document=document))
    station.inbox.drain_all()
    fetch(station)

    answer = gateway.get(attachment(station, gateway, bot)["media_url"])

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_an_address_is_good_for_its_attachment_and_its_time_only(
    station: Station, files: Files, bot: Bot, gateway: RunningGateway
) -> None:
    station.receive(bot, None)
    fetch(station)
    [(message,)] = station.rows("SELECT message_id FROM media")
    now = int(station.r.clock.now().timestamp())

    def status(path: str) -> int:
        return gateway.get(path).status_code

    good = address([ENCRYPTION_KEY], bot.company_id, message, 0, now + 60)
    assert status(good) == 200
    assert status(good.replace(f"/{message}/0", f"/{message}/1")) == 403
    assert status(good.replace(f"until={now + 60}", f"until={now + 61}")) == 403
    assert status(good[:-1] + ("0" if good[-1] != "0" else "1")) == 403
    assert status(good.partition("?")[0]) == 403
    assert status(address([ENCRYPTION_KEY], bot.company_id, message, 0, now - 1)) == 403
    assert status(address(["another key"], bot.company_id, message, 0, now + 60)) == 403
    assert status(address([ENCRYPTION_KEY], bot.company_id, message, 7, now + 60)) == 404
    assert status(address([ENCRYPTION_KEY], bot.company_id + 1000, message, 0, now + 60)) == 404


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
