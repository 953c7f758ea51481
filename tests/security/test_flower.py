"""Attacks on Flower without its password: every address that it routes, by every method."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery import Celery
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from shared.errors import SettingsError
from tests.factories import settings
from workers import flower, probe
from workers.supervisor import argv_of

PASSWORD = "planted-flower-password"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Flower's application, made on a loop that runs and never started: no broker is needed."""
    config = settings(FLOWER_PASSWORD=PASSWORD, DATA_DIR=tmp_path)
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")  # a careless environment
    return lambda: flower.build(config, Celery(broker="memory://"))


def routed(application: Any) -> list[str]:
    """An address for each pattern that the application routes, whatever version of Flower it is of."""
    rules = [*application.default_router.rules, *application.wildcard_router.rules]
    found: list[str] = []
    while rules:
        rule = rules.pop()
        if hasattr(rule.target, "rules"):
            rules += rule.target.rules
        elif hasattr(rule.matcher, "regex"):
            pattern = rule.matcher.regex.pattern.rstrip("$").removesuffix("/?")
            for group in ("(.+)", "(.*)", ".*"):
                pattern = pattern.replace(group, "x")
            found.append("/" + pattern.lstrip("/"))
    return found


def served(built: Any, ask: Any) -> Any:
    """What `ask(client, application, port)` returns while Flower listens."""

    async def run() -> Any:
        application = built()
        server, [socket] = HTTPServer(application), bind_sockets(0, "127.0.0.1")
        server.add_socket(socket)
        port = socket.getsockname()[1]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            try:
                return await ask(client, application, port)
            finally:
                server.stop()

    return asyncio.run(run())


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def test_every_address_answers_401_without_the_password(built: Any) -> None:
    async def ask(client: httpx.AsyncClient, application: Any, _: int) -> dict[tuple[str, str], int]:
        addresses = [*routed(application), "/metrics/", "//metrics", "/static/../metrics", "/%6detrics", "/metrics?x=1"]
        assert {"/metrics", "/healthcheck", "/api/workers", "/tasks", "/login"} <= set(addresses)
        return {(method, address): (await client.request(method, address)).status_code
                for address in addresses for method in METHODS}  # fmt: skip

    answers = served(built, ask)
    assert len(answers) > 200
    assert {where: status for where, status in answers.items() if status != 401} == {}


WRONG = [
    "", "Basic", "Basic !", basic("admin"), basic("admin:"), basic("admin:wrong"), basic(f"root:{PASSWORD}"),
    basic(f"admin:{PASSWORD} "), basic(f"admin:{PASSWORD[:-1]}"), basic(f"Admin:{PASSWORD}"), basic("admin:pässword"),
    f"Bearer {PASSWORD}", f"admin:{PASSWORD}", f"Digest {basic(f'admin:{PASSWORD}')[6:]}",
]  # fmt: skip


def test_whatever_is_not_the_password_is_refused(built: Any) -> None:
    async def ask(client: httpx.AsyncClient, _: Any, __: int) -> list[httpx.Response]:
        return [await client.get("/healthcheck", headers={"authorization": one}) for one in WRONG]

    for wrong, answer in zip(WRONG, served(built, ask), strict=True):
        assert answer.status_code == 401, wrong
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_stranger_s_body_is_not_read_into_memory(built: Any) -> None:
    async def ask(client: httpx.AsyncClient, _: Any, __: int) -> int:
        return (await client.post("/api/task/apply/x", content=b"x" * 1_000_000)).status_code

    assert served(built, ask) == 401


def test_with_the_password_it_shows_and_changes_nothing(built: Any) -> None:
    async def ask(client: httpx.AsyncClient, _: Any, __: int) -> list[int]:
        client.headers["authorization"] = basic(f"admin:{PASSWORD}")
        shown = [(await client.get(address)).status_code for address in ("/metrics", "/healthcheck", "/workers")]
        return [*shown, (await client.post("/api/task/apply/operations.evaluate_alerts", json={})).status_code]

    *shown, changed = served(built, ask)
    assert shown == [200, 200, 200]
    assert changed in (401, 403, 404)


def test_our_probe_signs_in(built: Any) -> None:
    async def ask(_: Any, __: Any, port: int) -> list[str | None]:
        return [await asyncio.to_thread(probe.flower, port, password) for password in (PASSWORD, "wrong")]

    assert served(built, ask) == [None, "it refuses FLOWER_PASSWORD"]


def test_it_is_not_run_open(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="FLOWER_PASSWORD"):
        flower.build(settings(DATA_DIR=tmp_path), Celery())


def test_it_listens_at_home_and_its_command_line_tells_nothing(built: Any) -> None:
    async def ask(_: Any, application: Any, __: int) -> Any:
        return application.options

    options = served(built, ask)
    assert (options.address, options.read_only, options.persistent) == ("127.0.0.1", True, True)
    assert PASSWORD not in " ".join(argv_of("flower", settings(FLOWER_PASSWORD=PASSWORD)))


def test_a_password_that_browsers_would_send_in_different_ways_is_refused() -> None:
    with pytest.raises(ValueError, match="FLOWER_PASSWORD should be of ASCII"):
        settings(FLOWER_PASSWORD="pässwörd")
