"""Settings: every mistake names its variable, no mistake shows a password, and the environment has the last word."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from shared import settings
from shared.errors import SettingsError
from shared.settings import RUN_ENV, VARIABLES

PASSWORD = "pass-word-of-somebody"
SERVICES = {
    "DATABASE_URL": f"postgresql://app:{PASSWORD}@127.0.0.1/db",
    "DATABASE_ADMIN_URL": f"postgresql://admin:{PASSWORD}@127.0.0.1/db",
    "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1/0",
}


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the surroundings set is not there; the data folder is empty."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))


@pytest.fixture
def run_env(tmp_path: Path) -> Path:
    return tmp_path / RUN_ENV


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_nothing_needs_to_be_set() -> None:
    assert settings.load().need("TELEGRAM_API_URL") == "https://api.telegram.org"


MODEL = {"LLM_BASE_URL": "http://h/v1", "LLM_MODEL": "m"}


def fallback(**fields: object) -> str:
    return json.dumps([{"base_url": "http://other/v1", "api_key": PASSWORD, "model": "small", **fields}])


WRONG = {
    "DATABASE_URL": {**SERVICES, "DATABASE_URL": f"mysql://u:{PASSWORD}@h/db"},
    "are the same": {**SERVICES, "DATABASE_URL": SERVICES["DATABASE_ADMIN_URL"]},
    "REDIS_URL": {**SERVICES, "REDIS_URL": ""},
    "JOURNAL_URL": {"JOURNAL_URL": f"amqp://u:{PASSWORD}@h"},
    "BROKER_URL": {"BROKER_URL": f"http://u:{PASSWORD}@h"},
    "CACHE_URL": {"CACHE_URL": f"memcached://u:{PASSWORD}@h"},
    "LLM_BASE_URL": {"LLM_BASE_URL": f"ftp://u:{PASSWORD}@h", "LLM_MODEL": "m"},
    "LLM_MODEL": {"LLM_BASE_URL": "http://h/v1", "LLM_API_KEY": PASSWORD},
    "LLM_FALLBACKS: no JSON list": {**MODEL, "LLM_FALLBACKS": f'[{{"api_key": "{PASSWORD}"'},
    "no JSON list; write": {**MODEL, "LLM_FALLBACKS": f'"{PASSWORD}"'},
    "LLM_FALLBACKS.0 should": {**MODEL, "LLM_FALLBACKS": f'["{PASSWORD}"]'},
    "LLM_FALLBACKS.0.MODEL": {**MODEL, "LLM_FALLBACKS": f'[{{"base_url": "http://h", "api_key": "{PASSWORD}"}}]'},
    "LLM_FALLBACKS.0.API_KEY": {**MODEL, "LLM_FALLBACKS": fallback(api_key=[PASSWORD])},
    "LLM_FALLBACKS.0.KEY": {**MODEL, "LLM_FALLBACKS": fallback(key=PASSWORD)},
    "LLM_FALLBACKS: entry 1: base_url": {**MODEL, "LLM_FALLBACKS": fallback(base_url=f"http://u:[{PASSWORD}@h/v1")},
    "begins with http:// or https://": {**MODEL, "LLM_FALLBACKS": fallback(base_url=f"ftp://u:{PASSWORD}@h")},
    "no HTTP header can carry": {**MODEL, "LLM_FALLBACKS": fallback(api_key=f"{PASSWORD}é")},
    "entry 1 has the provider and model": {**MODEL, "LLM_FALLBACKS": fallback(base_url="http://h/v2", model="m")},
    "LLM_FALLBACKS is set but": {"LLM_FALLBACKS": fallback(api_key=PASSWORD)},
    "EMBEDDINGS_MODEL": {"EMBEDDINGS_BASE_URL": "http://h/v1", "EMBEDDINGS_API_KEY": PASSWORD},
    "TELEGRAM_API_URL": {"TELEGRAM_API_URL": f"bot{PASSWORD}"},
    "INSTAGRAM_API_URL": {"INSTAGRAM_API_URL": f"graph{PASSWORD}"},
    "GRAPH_API_VERSION": {"GRAPH_API_VERSION": f"../{PASSWORD}"},
    "QUIET_WINDOW_MAX_S is below": {"QUIET_WINDOW_MAX_S": "0.5", "QUIET_WINDOW_S": "0.8"},
    "QUIET_WINDOW_MAX_S must be at most 60": {"QUIET_WINDOW_MAX_S": "61", "VISIBILITY_TIMEOUT_S": "600"},
    "VISIBILITY_TIMEOUT_S": {"VISIBILITY_TIMEOUT_S": "5"},
    "DATABASE_POOL_TIMEOUT_S": {"DATABASE_POOL_TIMEOUT_S": "10", "LEASE_S": "10"},
    "TURN_DEADLINE_S": {"TURN_DEADLINE_S": "20", "LLM_CALL_DEADLINE_S": "30"},
    "RECORD_DEADLINE_S": {"RECORD_DEADLINE_S": "10", "SEND_DEADLINE_S": "10"},
    "ENCRYPTION_KEYS: key 2": {"ENCRYPTION_KEYS": f"{Fernet.generate_key().decode()},{PASSWORD}"},
    "GATEWAY_PORT": {"GATEWAY_PORT": "65536"},
    "JOURNAL_SHARDS": {"JOURNAL_SHARDS": PASSWORD},
    "LEASE_S": {"LEASE_S": "1"},
    "GRACE_S should be a number of seconds, without a unit": {"GRACE_S": "30s"},
    "GRACE_S should be": {"GRACE_S": "inf"},
    "MEDIA_MAX_BYTES should be a whole number of bytes, without a unit": {"MEDIA_MAX_BYTES": "25 MB"},
    "REFUSE_MEMORY_SHARE should be a number: a share": {"REFUSE_MEMORY_SHARE": "90%"},
    "REPLY_THREADS should be a whole number": {"REPLY_THREADS": "true"},
    "GATEWAY_PORT should be a whole number (in Kubernetes": {"GATEWAY_PORT": f"tcp://{PASSWORD}:8400"},
    "FLOWER_PORT should be greater than or equal to 1": {"FLOWER_PORT": "0"},
    "LOG_LEVEL should be 'DEBUG'": {"LOG_LEVEL": PASSWORD},
    "set both RERANK_BASE_URL and RERANK_MODEL": {"RERANK_BASE_URL": "http://h", "RERANK_MODEL": " "},
    "did you mean LLM_BASE_URL?": {"LLM_BASEURL": PASSWORD},
    "did you mean GATEWAY_PORT?": {"GATEWY_PORT": "8401"},
    "did you mean QUIET_WINDOW_S?": {"SWITCHBOARD_QUIET_WINDOW_S": "1"},
    "WIDGET_READS_LIMIT: write <a minute>/<at once>": {"WIDGET_READS_LIMIT": PASSWORD},
    "WIDGET_SESSIONS_LIMIT.BURST": {"WIDGET_SESSIONS_LIMIT": "5/0"},
}  # fmt: skip


@pytest.mark.parametrize(("named", "environment"), WRONG.items(), ids=WRONG)
def test_a_wrong_setting_is_named_and_no_password_shown(
    monkeypatch: pytest.MonkeyPatch, named: str, environment: dict[str, str]
) -> None:
    _set(monkeypatch, **environment)

    with pytest.raises(SettingsError) as refused:
        settings.load()

    assert named in str(refused.value)
    assert PASSWORD not in repr(refused.value)
    assert refused.value.__cause__ is None  # pydantic's own words hold the values
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_a_password_that_breaks_an_address_is_not_shown_either(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, **{**SERVICES, "DATABASE_URL": f"postgresql://u:[{PASSWORD}@h/db"})

    with pytest.raises(SettingsError, match=r"DATABASE_URL is no address.*%5B") as refused:
        settings.load()

    assert PASSWORD not in str(refused.value)


def test_every_mistake_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, LLM_MODEL="m", TURN_DEADLINE_S="1", CACHE_URL="x")

    with pytest.raises(SettingsError) as refused:
        settings.load()

    assert all(name in str(refused.value) for name in ("LLM_BASE_URL", "TURN_DEADLINE_S", "CACHE_URL"))


def test_the_model_providers_stand_in_the_order_in_which_they_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.load().llm.providers == ()
    _set(monkeypatch, **MODEL, LLM_API_KEY="k", LLM_FALLBACKS=fallback(name="spare"))

    providers = settings.load().llm.providers

    assert [(p.label, p.model, p.api_key.get_secret_value()) for p in providers] == [
        ("h", "m", "k"), ("spare", "small", PASSWORD),
    ]  # fmt: skip


def test_printing_the_settings_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    secrets = dict.fromkeys(("LLM_API_KEY", "EMBEDDINGS_API_KEY", "FLOWER_PASSWORD"), PASSWORD)
    urls = dict.fromkeys(("JOURNAL_URL", "BROKER_URL", "CACHE_URL"), SERVICES["REDIS_URL"])
    models = {f"{kind}_{field}": value for kind in ("LLM", "EMBEDDINGS")
              for field, value in (("BASE_URL", f"http://u:{PASSWORD}@h/v1"), ("MODEL", "m"))}  # fmt: skip
    _set(monkeypatch, **SERVICES, **secrets, **urls, **models, ENCRYPTION_KEYS=",".join(keys),
         LLM_FALLBACKS=fallback(base_url=f"http://u:{PASSWORD}@other/v1"))  # fmt: skip

    shown = repr(settings.load()) + str(settings.load())

    assert PASSWORD not in shown
    assert not any(key in shown for key in keys)


def test_what_is_needed_and_not_set_is_named_with_what_to_do() -> None:
    loaded = settings.load()
    for name, told in (("DATABASE_URL", "DATABASE_URL"), ("JOURNAL_URL", "REDIS_URL"), ("CACHE_URL", "REDIS_URL")):
        with pytest.raises(SettingsError, match=rf"{told} is not set.*\./switchboard up"):
            loaded.need(name)


def test_one_redis_serves_as_journal_broker_and_cache_until_they_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, REDIS_URL="redis://h/0", CACHE_URL="redis://other/0")
    loaded = settings.load()

    found = [loaded.need(name) for name in ("JOURNAL_URL", "BROKER_URL", "CACHE_URL")]

    assert found == ["redis://h/0", "redis://h/0", "redis://other/0"]


def test_a_second_terminal_finds_the_running_system(run_env: Path) -> None:
    run_env.write_text('GATEWAY_PORT="8411"\nREDIS_URL="redis://:p@127.0.0.1:1/0"\n')

    assert settings.load().gateway.port == 8411
    assert settings.load().redis.url == "redis://:p@127.0.0.1:1/0"
    assert settings.load(of_running_system=False).gateway.port == 8400


def test_the_environment_wins_against_the_running_system_and_arguments_against_both(
    monkeypatch: pytest.MonkeyPatch, run_env: Path
) -> None:
    run_env.write_text('GATEWAY_PORT="8411"\nFLOWER_PORT="5566"\n')
    _set(monkeypatch, GATEWAY_PORT="8422")

    loaded = settings.load(FLOWER_PORT=5577)

    assert (loaded.gateway.port, loaded.operations.flower_port) == (8422, 5577)


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch, run_env: Path) -> None:
    run_env.write_text('LOG_LEVEL="DEBUG"\n')
    _set(monkeypatch, LOG_LEVEL="", REDIS_URL="")

    assert (settings.load().system.log_level, settings.load().redis.url) == ("DEBUG", None)


def test_another_users_running_system_is_ignored(run_env: Path, as_another_user: None) -> None:
    assert settings.load().gateway.port == 8400


@pytest.fixture
def as_another_user(run_env: Path) -> Iterator[None]:
    """run.env cannot be read. Root reads everything, so it becomes nobody for a moment."""
    run_env.write_text('GATEWAY_PORT="8411"\n')
    run_env.chmod(0)
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_child_process_finds_our_packages_and_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, GATEWAY_PORT="1", HOME="/home/somebody")

    environment = settings.child_environment({"GATEWAY_PORT": "2"})

    assert (environment["GATEWAY_PORT"], environment["HOME"]) == ("2", "/home/somebody")
    assert (Path(environment["PYTHONPATH"]) / "shared" / "settings" / "__init__.py").is_file()


def test_a_limit_is_read_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, WIDGET_MESSAGES_LIMIT="6/3")

    limit = settings.load().widget.messages_limit

    assert (limit.count, limit.burst, str(limit)) == (6, 3, "6/3")


def test_a_name_in_the_running_systems_file_that_no_setting_has_is_an_error(run_env: Path) -> None:
    run_env.write_text('GATEWAY_PORT="8411"\nGATEWAY_PIPES="2"\n')

    with pytest.raises(SettingsError, match=r"run\.env holds GATEWAY_PIPES, which is no setting"):
        settings.load()

    assert settings.load(of_running_system=False).gateway.port == 8400


def test_what_may_be_another_programs_is_told_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, LLM_TEMPERATURE="0", LLM_API_KEY_FILE="/run/secrets/key", RAW_RETENTION_DAYS="7")

    settings.load()

    told = {words.split()[0]: words for words in settings.warnings()}
    assert {"LLM_TEMPERATURE", "LLM_API_KEY_FILE", "RAW_RETENTION_DAYS"} <= told.keys()
    assert told["LLM_API_KEY_FILE"].endswith("set LLM_API_KEY itself")
    assert "./switchboard retention" in told["RAW_RETENTION_DAYS"]


def test_a_relative_folder_is_one_of_the_terminal_and_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, MEDIA_DIR="media", BACKUP_DIR="~/backups", LOG_LEVEL="debug")

    loaded = settings.load()

    assert (loaded.media.dir, loaded.backup.dir) == (Path.cwd() / "media", Path.home() / "backups")
    assert loaded.system.log_level == "DEBUG"
