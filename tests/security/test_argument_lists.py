"""Everybody on a machine can list command lines: no secret may stand in one."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import yaml
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from shared.embedded.ports import choose_port
from shared.embedded.programs import valkey_program
from workers.local import System, running_system

COMPOSE = Path(__file__).resolve().parent.parent.parent / "compose.yaml"
PROC = Path("/proc")
SECRET_NAME = re.compile(r"PASSWORD|SECRET|TOKEN|KEY|_URL")
INTERPOLATED = re.compile(r"(?<!\$)\$\{?([A-Z_]+)")
"""What compose puts into the text itself; `$$` is left to the shell inside."""


def words_of(service: dict[str, object]) -> Iterator[str]:
    health = service.get("healthcheck")
    tested = health.get("test") if isinstance(health, dict) else None
    for found in (service.get("command"), service.get("entrypoint"), tested):
        yield from [found] if isinstance(found, str) else map(str, found if isinstance(found, list) else [])


def test_no_command_of_the_containers_holds_a_secret() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert len(services) > 10
    shown = [
        (name, variable) for name, service in services.items() for word in words_of(service)
        for variable in INTERPOLATED.findall(word.replace("$$", "")) if SECRET_NAME.search(variable)
    ]  # fmt: skip
    assert shown == []


@pytest.mark.skipif(not PROC.is_dir(), reason="command lines are looked up in /proc")
def test_the_container_s_valkey_wants_its_password_and_does_not_show_it(tmp_path: Path) -> None:
    """Its command as the shell runs it, with the image's entry point played by two lines. Without the lines for TLS,
    which the embedded Valkey does not have; tests/integration/test_tls.py has them."""
    shell, option, script = yaml.safe_load(COMPOSE.read_text())["services"]["valkey"]["command"]
    (tmp_path / "docker-entrypoint.sh").write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / "docker-entrypoint.sh").chmod(0o755)
    script = re.sub(r"^(tls-.*|port 0)\n", "", script, flags=re.MULTILINE)
    port = choose_port(None)
    # a free port and a folder of its own for what would be the container's
    (tmp_path / "valkey-server").write_text(f'#!/bin/sh\nexec {valkey_program()} --port {port} --dir {tmp_path} "$@"\n')
    (tmp_path / "valkey-server").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "VALKEY_PASSWORD": "plantedpassword"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([shell, option, script.replace("$$", "$")], env=environment, cwd=tmp_path, stdout=log,
                                  stdin=subprocess.DEVNULL, stderr=log)  # fmt: skip
    try:
        retry = Retry(ExponentialBackoff(cap=0.2, base=0.05), 100)
        client = redis.Redis(port=port, password="plantedpassword", retry=retry)
        assert client.ping(), (tmp_path / "log").read_text()
        assert "noeviction" in str(client.config_get("maxmemory-policy"))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        shown = (PROC / str(server.pid) / "cmdline").read_bytes()
        assert b"valkey-server" in shown
        assert b"plantedpassword" not in shown
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("up") / "data"
    with pytest.MonkeyPatch.context() as environment:
        # other systems of this machine begin at the default ports, and may take one between the choice and the start
        for name in ("GATEWAY_PORT", "FLOWER_PORT"):
            environment.setenv(name, str(choose_port(None)))
        with running_system(folder) as system:
            system.wait_ready()
            yield system
    system.folder.open().discard()


@pytest.mark.skipif(not PROC.is_dir(), reason="command lines are looked up in /proc")
@pytest.mark.timeout(240)
def test_no_process_of_a_running_system_shows_a_secret(system: System) -> None:
    kept: dict[str, str] = json.loads((system.folder.path / "secrets.json").read_bytes())
    assert {"valkey", "postgres", "switchboard_app", "flower_password", "encryption_keys"} <= set(kept)
    lines = [line for process in PROC.iterdir() if process.name.isdigit() and (line := _line(process))]

    assert sum(b"workers.main" in line or b"gateway.serve" in line for line in lines) > 5
    assert any(b"workers.flower" in line for line in lines)
    shown = {name for name, secret in kept.items() for line in lines if secret.encode() in line}
    assert shown == set()


def _line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""  # it has ended
