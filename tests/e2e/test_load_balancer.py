"""Two gateways behind a real HAProxy with the configuration of compose.yaml."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from shared.embedded.ports import choose_port
from shared.embedded.process import SERVER_ENVIRONMENT, ServerProcess
from shared.settings import PROJECT_ROOT
from tests.e2e.checks import check_all
from tests.e2e.system import System, private_system, wait_until
from tests.e2e.test_widget import Page, until_answered
from tests.factories import update
from tests.integration.visitor import make_widget
from workers.holders import environment_of
from workers.supervisor import answers, argv_of

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
CONFIGURATION = (PROJECT_ROOT / "deploy" / "haproxy" / "haproxy.cfg").read_text()
TEMPLATE = "    server-template gateway 10 gateway:8400 resolvers docker init-addr libc,none\n"
MESSAGES = 40

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no haproxy on this machine (Debian: apt install haproxy)")


def _rendered(ports: list[int], listening: int) -> str:
    """The configuration for addresses of this machine instead of the containers'."""
    assert CONFIGURATION.count(TEMPLATE) == 2
    servers = "".join(f"    server gateway{port} 127.0.0.1:{port}\n" for port in ports)
    return CONFIGURATION.replace(TEMPLATE, servers).replace("bind :8400", f"bind 127.0.0.1:{listening}")


@pytest.fixture
def second() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.fixture
def balanced(tmp_path: Path, second: list[subprocess.Popen[bytes]]) -> Iterator[System]:
    """system.http goes through HAProxy."""
    with private_system(GATEWAY_FORWARDED_HOPS=1) as system:
        system.start("gateway", "intake", "reply", "deliver")
        other = choose_port(None)
        environment = {**system.environment(), "GATEWAY_PORT": str(other), "DATA_DIR": str(tmp_path)}
        with (system.logs / "gateway-2.log").open("wb") as log:
            second.append(
                subprocess.Popen(
                    argv_of("gateway", system.config),
                    cwd=PROJECT_ROOT,
                    env=environment_of("gateway", environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        wait_until(lambda: answers(f"http://127.0.0.1:{other}/health/ready"), "the second gateway is ready", 40)
        port = choose_port(None)
        (tmp_path / "haproxy.cfg").write_text(_rendered([system.config.gateway.port, other], port))
        proxy = ServerProcess("haproxy", tmp_path / "haproxy.log", signal.SIGTERM)
        proxy.start([str(PROGRAM), "-W", "-f", str(tmp_path / "haproxy.cfg")], cwd=tmp_path,
                    environment={**SERVER_ENVIRONMENT, "PATH": "/usr/sbin:/usr/bin:/bin"})  # fmt: skip
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as http:
                proxy.wait_ready(lambda: _taken(http), 20)
                system.http = http
                yield system
        finally:
            proxy.stop(10)


def _taken(http: httpx.Client) -> bool:
    try:
        return http.get("/webhooks/telegram/nobody").status_code != 503
    except httpx.HTTPError:
        return False  # not listening yet


def _answered(system: System, log: str) -> int:
    return (system.logs / log).read_text().count('"webhook_answered"')


def test_webhooks_go_to_both_gateways_and_on_when_one_is_killed(balanced: System) -> None:
    system, bot = balanced, balanced.new_bot()
    work = [(bot, update("Do you deliver to Norway?", chat=100 + number)) for number in range(MESSAGES)]

    statuses = [system.post(*one) for one in work[: MESSAGES // 2]]
    assert min(_answered(system, "gateway.log"), _answered(system, "gateway-2.log")) > 0
    system.kill("gateway")
    statuses += [system.post(*one) for one in work[MESSAGES // 2 :]]

    # one that was under way when its gateway died may be refused: platforms send it again
    assert statuses.count(200) >= MESSAGES - 1
    for one, status in zip(work, statuses, strict=True):
        if status != 200:
            system.post_until_accepted(*one)
    system.wait_at_rest()
    check_all(system, work)


def test_event_streams_and_uploads_pass_and_operators_routes_do_not(balanced: System) -> None:
    system = balanced
    page = Page(system, make_widget(str(system.config.database.admin_url)))
    with page.watch() as events:
        page.say("Hello!", "one")
        assert until_answered(events)  # while the stream is open
    bot = system.new_bot()
    large = update("Do you deliver to Norway?", chat=1)
    large["message"]["padding"] = "x" * 3_000_000
    system.post_until_accepted(bot, large)

    operators = ("/metrics", "/health", "/health/live", "/ops/balance", "/api/v1/operations/balance")
    assert [system.http.get(path).text.startswith("<html>") for path in operators] == [True] * 5, "the proxy's own 404"
    system.wait_at_rest()


def test_a_client_does_not_choose_its_own_address(balanced: System) -> None:
    """Wrong keys of one client are counted together, whatever it says of where it is."""
    statuses = {
        balanced.http.get(
            "/api/v1/conversations", headers={"authorization": f"Bearer {n}", "x-forwarded-for": f"192.0.2.{n % 250}"}
        ).status_code
        for n in range(120)
    }
    assert statuses == {401, 429}
