"""A process holds the secrets that it uses and no others, however it is started."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from pydantic import SecretStr

from shared.embedded.ports import choose_port
from shared.errors import SettingsError
from shared.resources import open_resources
from shared.settings import PROCESS, PROJECT_ROOT, RUN_ENV, VARIABLES
from tests.e2e.system import System, private_system
from tests.factories import ENCRYPTION_KEY, settings
from workers.commands import switchboard
from workers.fleet import PROCESSES
from workers.holders import HOLDERS, NEEDED, check_needed, environment_of, may_serve, withheld

OPENS_SOMETHING = re.compile(r"_(KEY|KEYS|KEY_ID|SECRET|TOKEN|PASSWORD|COMMAND)$")
EVERYTHING = {setting: f"value-of-{setting}" for setting in HOLDERS}


def _secrets() -> set[str]:
    """Settings that open something, by their types, their names, and because they are never shown."""
    return {
        name
        for name, one in VARIABLES.items()
        if one.field.annotation is SecretStr or not one.field.repr or OPENS_SOMETHING.search(name)
    }


def test_every_secret_stands_in_the_table_with_processes_that_there_are() -> None:
    assert _secrets() - set(HOLDERS) == set()
    assert set(HOLDERS) <= set(VARIABLES)
    for setting, holders in HOLDERS.items():
        assert holders, setting
        assert set(holders) <= set(PROCESSES), setting


def test_the_owners_address_is_held_by_maintenance_alone_and_keys_by_who_opens_credentials() -> None:
    assert HOLDERS["DATABASE_ADMIN_URL"] == ("maintenance",)
    assert set(HOLDERS["ENCRYPTION_KEYS"]) == {"gateway", "reply", "deliver", "media"}
    assert {name for name in PROCESSES if not any(name in holders for holders in HOLDERS.values())} == set()


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_given_its_own_secrets_also_where_ours_stand_in_another_case(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for setting, value in EVERYTHING.items():
        monkeypatch.setenv(setting, value)
        monkeypatch.setenv(setting.lower(), value)

    given = {variable.upper() for variable in environment_of(name, EVERYTHING)} & set(EVERYTHING)

    assert given == {setting.upper() for setting, holders in HOLDERS.items() if name in holders}


def test_what_is_no_process_of_the_fleet_is_given_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_API_KEY", "k")

    assert set(environment_of("standin", EVERYTHING)) & set(EVERYTHING) == set()


LOOK = """
from shared import settings
c = settings.load()
print(c.database.admin_url, c.redis.url, bool(c.system.fernet_keys))
"""


def test_a_process_of_the_fleet_does_not_read_what_up_wrote_for_other_terminals(tmp_path: Path) -> None:
    (tmp_path / RUN_ENV).write_text(
        f'DATABASE_ADMIN_URL="postgresql://o:p@h/d"\nREDIS_URL="redis://written"\nENCRYPTION_KEYS="{ENCRYPTION_KEY}"\n'
    )
    values = {"DATA_DIR": str(tmp_path), "REDIS_URL": "redis://given"}

    def told(environment: dict[str, str]) -> str:
        return subprocess.run(
            [sys.executable, "-P", "-c", LOOK], cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True,
            check=True, timeout=60,
        ).stdout.strip()  # fmt: skip

    process = environment_of("index", values)
    terminal = {name: value for name, value in process.items() if name != PROCESS}

    assert told(terminal) == "postgresql://o:p@h/d redis://given True"
    assert told(process) == "None redis://given False"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, str]]:
    """Environments in which `worker NAME` would have gone on as the process itself."""
    found: list[dict[str, str]] = []
    monkeypatch.setattr(os, "execve", lambda path, argv, environment: found.append(environment))
    monkeypatch.setattr(os, "chdir", lambda path: None)
    for variable in EVERYTHING:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FLOWER_PORT", str(choose_port(None)))
    return found


OWN = {
    "DATABASE_URL": "postgresql://a:p@h/d", "DATABASE_ADMIN_URL": "postgresql://o:p@h/d", "REDIS_URL": "redis://h/0",
    "ENCRYPTION_KEYS": ENCRYPTION_KEY, "FLOWER_PASSWORD": "p",
}  # fmt: skip


@pytest.mark.parametrize("name", PROCESSES)
def test_a_container_with_a_process_own_variables_starts_it(
    monkeypatch: pytest.MonkeyPatch, started: list[dict[str, str]], name: str
) -> None:
    for setting, value in OWN.items():
        if name in HOLDERS[setting]:
            monkeypatch.setenv(setting.upper(), value)

    ended = CliRunner().invoke(switchboard, ["worker", name], catch_exceptions=False)

    assert ended.exit_code == 0, ended.output
    assert started[0][PROCESS] == name


@pytest.mark.parametrize(
    ("name", "missing"),
    [("maintenance", "DATABASE_ADMIN_URL"), ("deliver", "ENCRYPTION_KEYS"), ("index", "DATABASE_URL")],
)
def test_a_process_without_what_it_needs_is_refused_by_the_variables_name(
    monkeypatch: pytest.MonkeyPatch, started: list[dict[str, str]], name: str, missing: str
) -> None:
    for setting, value in OWN.items():
        if setting.upper() != missing:
            monkeypatch.setenv(setting.upper(), value)

    with pytest.raises(SettingsError, match=missing):
        CliRunner().invoke(switchboard, ["worker", name], catch_exceptions=False)
    assert started == []


def test_a_worker_beside_a_running_system_is_given_its_own_of_what_up_wrote(
    started: list[dict[str, str]], tmp_path: Path
) -> None:
    (tmp_path / RUN_ENV).write_text("".join(f'{name.upper()}="{value}"\n' for name, value in OWN.items()))

    CliRunner().invoke(switchboard, ["worker", "index"], catch_exceptions=False)

    assert started[0]["DATABASE_URL"] == OWN["DATABASE_URL"]
    assert withheld("index") & set(started[0]) == set()


def test_resources_without_keys_open_no_credentials(database: Any, redis_url: str) -> None:
    config = settings(DATABASE_URL=database.url, REDIS_URL=redis_url, ENCRYPTION_KEYS=SecretStr(""))
    check_needed("index", config)
    resources = open_resources(config, name="test")
    try:
        with pytest.raises(SettingsError, match="ENCRYPTION_KEYS"):
            _ = resources.vault
    finally:
        resources.close()


# ------------------------------------------------------------------ compose.yaml


def _services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())["services"]
    return found


@pytest.mark.parametrize("name", PROCESSES)
def test_compose_gives_a_service_its_own_secrets_and_what_it_needs(name: str) -> None:
    given = set(_services()[name]["environment"])

    assert given & withheld(name) == set()
    needed = {setting.upper() for setting in NEEDED if name in HOLDERS[setting]} - {"BROKER_URL", "JOURNAL_URL"}
    assert needed | {"REDIS_URL"} <= given
    assert "env_file" not in _services()[name]


def test_compose_gives_the_owners_address_to_migrate_and_maintenance_alone() -> None:
    holders = {name for name, service in _services().items() if "DATABASE_ADMIN_URL" in service.get("environment", {})}

    assert holders == {"migrate", "maintenance"}


# ------------------------------------------------------------------ a running fleet


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system(
        FLOWER_PASSWORD="flower-password", FLOWER_PORT=choose_port(None), OPS_TOKEN="ops-token"
    ) as running:
        yield running


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the kernel shows environments on Linux only")
def test_no_process_of_a_running_fleet_has_anothers_secret_in_its_environment(system: System) -> None:
    for some in (PROCESSES[:4], PROCESSES[4:]):  # nine at once are slow to start on a small machine
        system.start(*some)

    for name in PROCESSES:
        assert f"{PROCESS}={name}" in _environ(system.processes[name].process.pid)
        for pid in _family(system.processes[name].process.pid):
            environment = _environ(pid)
            variables = dict(entry.partition("=")[::2] for entry in environment.split("\0") if entry)
            assert withheld(name) & set(variables) == set(), f"{name} ({pid})"
            if name != "maintenance":
                assert "switchboard_admin" not in environment, name
            if name not in HOLDERS["ENCRYPTION_KEYS"]:
                assert ENCRYPTION_KEY not in environment, name


def _environ(pid: int) -> str:
    """Empty for a child that ended meanwhile; the processes themselves are asked first."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/environ").read_bytes().decode()
    return ""


def _family(pid: int) -> list[int]:
    with suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(one for child in children for one in _family(int(child)))]
    return [pid]


@pytest.mark.parametrize(
    ("station", "able"),
    [("deliver", {"reply", "deliver"}), ("reply", {"reply", "deliver"}), ("intake", {"intake", "reply", "deliver"})],
)
def test_only_who_holds_a_station_s_secrets_does_its_work_in_its_place(station: str, able: set[str]) -> None:
    leasing = ("intake", "reply", "deliver")

    assert {name for name in leasing if may_serve(name, station, settings())} == able


def test_who_holds_no_key_of_the_bucket_does_not_stand_in_for_who_deletes_there() -> None:
    assert not may_serve("reply", "intake", settings(MEDIA_S3_BUCKET="attachments"))
