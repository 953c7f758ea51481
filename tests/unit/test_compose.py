"""compose.yaml and what it mounts: settings and secrets handed on, TLS, pools, images, volumes."""

from __future__ import annotations

import re
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import PROJECT_ROOT, VARIABLES, Settings
from tests.pooler import START
from workers.fleet import PROCESSES
from workers.holders import HOLDERS, check_needed

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
FIXED = {
    "DATA_DIR": "the image's", "RUN_DIR": "the image's data folder", "MEDIA_DIR": "a volume in DATA_DIR",
    "METRICS_DIR": "a volume in DATA_DIR", "BACKUP_DIR": "a volume in DATA_DIR", "GATEWAY_HOST": "the image's",
    "GATEWAY_PORT": "inside; published is the proxy's", "FLOWER_HOST": "inside", "FLOWER_PORT": "inside",
    "FAULTS": "for tests", "FAULTS_DIR": "for tests",
}  # fmt: skip
"""Settings that compose does not hand on, and why."""
MAKE_ENV = PROJECT_ROOT / "deploy" / "make-env.sh"
TLS = ("postgres", "valkey", "pgbouncer")
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def _said(value: str, given: dict[str, str]) -> str:
    """A value as compose interpolates it. Raises KeyError for one that must be there and is not."""

    def one(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return given[name] if kind == "?" else given.get(name) or default or ""

    return VARIABLE.sub(one, value)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What deploy/make-env.sh writes."""
    path = tmp_path_factory.mktemp("compose") / "new.env"
    subprocess.run(["/bin/sh", MAKE_ENV, path], check=True, timeout=30)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def _environment(name: str, given: dict[str, str]) -> dict[str, str]:
    return {variable: _said(str(value), given) for variable, value in SERVICES[name]["environment"].items()}


def _settings(name: str, given: dict[str, str]) -> Settings:
    environment = _environment(name, given)
    return Settings.of(**{variable: value for variable, value in environment.items() if value})


def test_an_env_that_there_is_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("APP_PASSWORD=kept\n")
    ended = subprocess.run(["/bin/sh", MAKE_ENV], cwd=tmp_path, capture_output=True, timeout=30)
    assert ended.returncode != 0
    assert (tmp_path / ".env").read_text() == "APP_PASSWORD=kept\n"


def test_secrets_are_new_each_time_and_fit_into_addresses(tmp_path: Path, given: dict[str, str]) -> None:
    subprocess.run(["/bin/sh", MAKE_ENV], cwd=tmp_path, check=True, timeout=30)
    again = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines() if line[:1].isalpha())
    assert set(again) == set(given)
    assert set(again.values()) & set(given.values()) == set()
    assert all(re.fullmatch("[A-Za-z0-9]{32}", value) for name, value in given.items() if name != "ENCRYPTION_KEYS")


def test_every_setting_is_handed_on_or_said_to_be_fixed() -> None:
    handed = set(COMPOSE["x-settings"])
    assert handed & set(FIXED) == set()
    assert handed & set(HOLDERS) == set()
    assert handed | set(FIXED) | set(HOLDERS) == set(VARIABLES)
    for name, value in COMPOSE["x-settings"].items():
        assert re.fullmatch(rf"\$\{{{name}:-[^}}]*\}}", str(value)), name


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_is_handed_every_setting_and_every_secret_that_it_holds(name: str) -> None:
    environment = set(SERVICES[name]["environment"])
    assert set(COMPOSE["x-settings"]) <= environment
    assert {secret for secret, holders in HOLDERS.items() if name in holders} <= environment
    assert environment <= set(VARIABLES)


@pytest.mark.parametrize("name", PROCESSES)
def test_what_a_process_is_handed_is_valid_and_all_that_it_needs(name: str, given: dict[str, str]) -> None:
    config = _settings(name, given)
    check_needed(name, config)
    assert (config.database.pool_max, config.database.pool_timeout_s, config.database.connect_timeout_s) == (20, 20, 10)
    other = _settings(name, {**given, "LLM_MAX_TOKENS": "77", "DATABASE_POOL_MAX": "5"})
    assert (other.llm.max_tokens, other.database.pool_max) == (77, 5)


def test_a_missing_secret_stops_compose(given: dict[str, str]) -> None:
    for missing in given:
        rest = {name: value for name, value in given.items() if name != missing}
        with pytest.raises(KeyError, match=missing):
            _all_said(rest)


def _all_said(given: dict[str, str]) -> list[str]:
    values = [value for service in SERVICES.values() for value in service.get("environment", {}).values()]
    return [_said(str(value), given) for value in values]


# ------------------------------------------------------------------ databases and TLS


def test_every_address_of_a_server_is_over_tls_with_its_name_verified(given: dict[str, str]) -> None:
    for name in (*PROCESSES, "migrate"):
        environment = _environment(name, given)
        assert environment["REDIS_URL"].startswith("rediss://"), name
        assert "ssl_cert_reqs=required&ssl_check_hostname=true" in environment["REDIS_URL"]
        for variable in ("DATABASE_URL", "DATABASE_ADMIN_URL"):
            if variable in environment:
                assert environment[variable].endswith("?sslmode=verify-full&sslrootcert=/trust/ca.crt"), name
        assert "trust:/trust:ro" in SERVICES[name]["volumes"]


def test_the_application_goes_through_the_pooler_and_the_owner_past_it(given: dict[str, str]) -> None:
    environment = _environment("maintenance", given)
    assert "@pgbouncer:6432/" in environment["DATABASE_URL"]
    assert "@postgres:5432/" in environment["DATABASE_ADMIN_URL"]


def test_servers_take_nothing_that_is_not_encrypted() -> None:
    rules = [line.split() for line in (PROJECT_ROOT / "deploy/postgres/pg_hba.conf").read_text().splitlines()]
    assert {rule[0] for rule in rules if rule and rule[0] != "#"} == {"local", "hostssl"}
    assert "--ssl=on" in SERVICES["postgres"]["command"]
    valkey = SERVICES["valkey"]["command"][-1].splitlines()
    assert "port 0" in valkey
    assert "tls-port 6379" in valkey
    pooler = START.read_text()
    assert "client_tls_sslmode = ${CLIENT_TLS:-require}" in pooler
    assert "server_tls_sslmode = ${SERVER_TLS:-verify-full}" in pooler
    assert {"CLIENT_TLS", "SERVER_TLS"} & set(SERVICES["pgbouncer"]["environment"]) == set()


def test_a_server_s_key_is_its_own_and_the_authority_s_nobody_s() -> None:
    def mounting(volume: str) -> set[str]:
        return {
            name for name, one in SERVICES.items() if any(v.startswith(f"{volume}:") for v in one.get("volumes", ()))
        }

    assert mounting("ca") == {"certificates"}
    for server in TLS:
        assert mounting(f"{server}_certificate") == {"certificates", server}
        assert f"{server}_certificate:/certificates:ro" in SERVICES[server]["volumes"]
    issued = SERVICES["certificates"]["command"][1:]
    assert [word.partition("=")[2] for word in issued] == list(TLS)  # the names by which clients know them
    assert "network_mode" in SERVICES["certificates"]


def test_pools_fit_into_each_other() -> None:
    """20 a process, of which the pooler makes 100, which with the owner's fit into 200; nobody waits for longer than
    the process itself does."""
    pool = int(SERVICES["pgbouncer"]["environment"]["POOL_SIZE"])
    [most] = [int(word.partition("=")[2]) for word in SERVICES["postgres"]["command"] if "max_connections" in word]
    settings = COMPOSE["x-settings"]
    assert (pool, most) == (100, 200)
    assert settings["DATABASE_POOL_MAX"] == "${DATABASE_POOL_MAX:-20}"
    start = START.read_text()
    assert "pool_mode = transaction" in start
    assert "query_wait_timeout = 20\n" in start
    assert "server_connect_timeout = 10\n" in start
    assert "default_pool_size = ${POOL_SIZE:-100}" in start


# ------------------------------------------------------------------ around it


def test_flower_is_reached_from_this_machine_behind_its_password() -> None:
    flower = SERVICES["flower"]
    assert flower["environment"]["FLOWER_HOST"] == "0.0.0.0"
    assert flower["environment"]["FLOWER_PASSWORD"] == "${FLOWER_PASSWORD:?}"
    assert flower["ports"] == ["${FLOWER_PUBLISHED:-127.0.0.1:5555}:5555"]


def test_nothing_is_published_beyond_this_machine_by_itself() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(_said(port, {}).startswith("127.0.0.1:") for port in ports)
    assert "ports" not in SERVICES["gateway"]  # two of them cannot have one port


def test_every_log_is_rotated_while_it_is_written() -> None:
    for name, service in SERVICES.items():
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def test_what_must_outlive_a_container_is_on_a_volume() -> None:
    assert "backups:/data/backups" in SERVICES["maintenance"]["volumes"]
    made = re.search(r"install .* (/data .*)$", (PROJECT_ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert made is not None
    assert {"/data/backups", "/data/media", "/data/metrics"} <= set(made[1].split())
    for name in ("gateway", "intake", "media", "maintenance"):
        assert "media:/data/media" in SERVICES[name]["volumes"]


def test_every_volume_is_declared_and_every_mounted_file_exists() -> None:
    mounted = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())]
    files = {name for name in mounted if name.startswith("./")}
    assert len(files) >= 5
    assert [name for name in files if not (PROJECT_ROOT / name).is_file()] == []
    assert set(mounted) - files == set(COMPOSE["volumes"])


def test_every_foreign_image_has_a_tag_and_a_place_for_its_digest() -> None:
    """A registry says what a digest is; an operator puts it into .env, for which make-env.sh has the lines."""
    lines = (MAKE_ENV).read_text().splitlines()
    listed = dict(line[2:].split("=", 1) for line in lines if re.match(r"# [A-Z]+_IMAGE=", line))
    images = [service["image"] for service in SERVICES.values()]
    found = [one for image in images if (one := VARIABLE.fullmatch(image))]
    foreign = {str(one[1]): str(one[3]) for one in found}
    assert {image for image in images if not image.startswith("$")} == {"switchboard", "switchboard-pgbouncer"}
    for path, variable in (("Dockerfile", "PYTHON_IMAGE"), ("deploy/pgbouncer/Dockerfile", "DEBIAN_IMAGE")):
        text = (PROJECT_ROOT / path).read_text()
        [default] = re.findall(rf"^ARG {variable}=(\S+)$", text, re.MULTILINE)
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {f"${{{variable}}}"}
        foreign[variable] = default
    assert f"${{PYTHON_IMAGE:-{foreign['PYTHON_IMAGE']}}}" == SERVICES["certificates"]["build"]["args"]["PYTHON_IMAGE"]
    assert f"${{DEBIAN_IMAGE:-{foreign['DEBIAN_IMAGE']}}}" == SERVICES["pgbouncer"]["build"]["args"]["DEBIAN_IMAGE"]
    assert listed == foreign
    assert all(re.fullmatch(r"[\w./-]+:(?!latest)[\w.-]+", image) for image in foreign.values())
