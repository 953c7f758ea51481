"""The doctor: a line for everything, what to do about it, and an answer also when nothing runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from shared.embedded import Database, Valkey
from shared.knowledge import e5, minilm, search
from shared.model import ChannelHealth
from shared.store.db.vault import Vault
from shared.store.knowledge import embeddings, index_audit
from shared.store.tenants import channel_health
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, Bot, update
from tests.integration.command_line import Ended, Run, command_line, nothing_done, one_line
from tests.integration.gateway_client import cut_off
from tests.integration.station import Station
from tests.services import Services
from workers.commands.setup import prepare
from workers.doctor import DoctorContext, ok
from workers.doctor.checks import CHECKS, examine


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path,
    database: Database, redis_url: str,
) -> Run:  # fmt: skip
    tmp_path.chmod(0o700)
    return command_line(
        monkeypatch, capsysbinary,
        {"DATABASE_URL": database.url, "DATABASE_ADMIN_URL": database.admin_url, "REDIS_URL": redis_url,
         "ENCRYPTION_KEYS": ENCRYPTION_KEY, "DATA_DIR": str(tmp_path), "GATEWAY_PORT": "1", "OPS_TOKEN": "t"},
    )  # fmt: skip


@pytest.fixture
def station(database: Database, redis_url: str) -> Iterator[Station]:
    station = Station(database, redis_url)
    prepare(station.inbox.settings)
    yield station
    station.close()


def _found(ended: Ended, *checks: str) -> list[tuple[str, str]]:
    """(level, what was found) of these checks."""
    return [(one["level"], one["found"]) for one in ended.json if one["check"] in checks]


def _level(ended: Ended, check: str) -> str:
    levels = [level for level, _ in _found(ended, check)]
    return next((level for level in ("FAIL", "warn", "ok") if level in levels), "none")


def _healthy(ended: Ended) -> None:
    assert [one for one in ended.json if one["level"] == "FAIL"] == []
    assert ended.code == 0


def test_a_system_that_is_well_has_no_fail_and_exits_0(run: Run, station: Station, bot: Bot) -> None:
    ended = run("doctor", "--json")

    _healthy(ended)
    checks = {one["check"] for one in ended.json}
    assert checks >= {
        "configuration", "packages", "data folder", "metrics", "postgres", "postgres version", "pgvector", "role",
        "migrations", "connections", "postgres clock", "partitions", "credentials", "redis", "redis policy",
        "redis durability", "redis clock", "journal", "queues", "work", "people", "balance", "webhooks",
        "backups",
    }  # fmt: skip
    # no model and no gateway, in this test; the XML parser is the interpreter's
    warned = {one["check"] for one in ended.json if one["level"] == "warn"}
    assert warned - {"XML parser"} == {"configuration", "gateway"}
    assert all(one["do"] for one in ended.json if one["level"] != "ok")
    lines = run("doctor").lines
    assert lines[0].startswith("warn  configuration")
    assert lines[-1].endswith(f"{len(warned)} warn, 0 FAIL")


def test_defaults_of_the_application_role_are_told_with_the_statement_that_takes_them_back(
    run: Run, station: Station, database: Database
) -> None:
    with psycopg.connect(database.url, autocommit=True) as app:
        app.execute(f"ALTER ROLE switchboard_app IN DATABASE {database.name} SET search_path = 'nowhere'".encode())
    try:
        ended = run("doctor", "--json")
    finally:
        with psycopg.connect(database.url, autocommit=True) as app:
            app.execute(f"ALTER ROLE switchboard_app IN DATABASE {database.name} RESET ALL".encode())

    assert _level(ended, "role") == "warn"
    [told] = [one["do"] for one in ended.json if one["check"] == "role" and one["level"] == "warn"]
    assert f"ALTER ROLE switchboard_app IN DATABASE {database.name} RESET ALL" in told


def test_with_nothing_running_it_says_what_it_can(
    run: Run, monkeypatch: pytest.MonkeyPatch, services: Services, database: Database,
    make_valkey: Callable[..., Valkey],
) -> None:  # fmt: skip
    valkey = make_valkey()
    valkey.stop()
    monkeypatch.setenv("REDIS_URL", valkey.redis_url)
    with cut_off(services, database):
        ended = run("doctor", "--json")

    assert ended.code == 1
    assert [level for level, _ in _found(ended, "postgres")] == ["FAIL", "FAIL"]
    assert [level for level, _ in _found(ended, "redis")] == ["FAIL"] * 3
    assert _level(ended, "packages") == "ok"
    [(level, told)] = _found(ended, "not checked")
    assert level == "warn"
    assert "migrations" in told
    assert "journal" in told
    for secret in (database.admin_url, database.url, valkey.redis_url):
        assert secret.split("@")[0].rpartition(":")[2] not in ended.out


def test_settings_that_do_not_load_are_one_fail(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_S", "soon")

    ended = run("doctor", "--json")

    assert ended.code == 1
    [(level, told)] = _found(ended, "configuration")
    assert level == "FAIL"
    assert "LEASE_S" in told


def test_a_schema_that_is_behind_says_migrate(
    run: Run, monkeypatch: pytest.MonkeyPatch, empty_database: Database
) -> None:
    monkeypatch.setenv("DATABASE_ADMIN_URL", empty_database.admin_url)
    monkeypatch.setenv("DATABASE_URL", empty_database.url)

    ended = run("doctor", "--json")

    assert _level(ended, "migrations") == "FAIL"
    assert [one["do"] for one in ended.json if one["check"] == "migrations"] == ["./switchboard migrate"]
    assert _level(ended, "partitions") == "FAIL"


def test_missing_vectors_and_an_index_that_misses_are_told_with_what_to_do(
    run: Run, database: Database, station: Station, bot: Bot
) -> None:
    assert _found(run("doctor", "--json"), "knowledge") == [
        ("ok", "every document has vectors of every embedding model"),
        ("ok", "the vector indexes find the nearest vectors"),
    ]  # fmt: skip
    with psycopg.connect(database.admin_url) as owner:
        embeddings.ensure_model(owner, "m", 8)
        search.add(owner, bot.company_id, source="faq", title="Refunds", text="A refund takes five days.")
        index_audit.record(owner, bot.company_id, recall=0.5, questions=20, ef_search=400)

    ended = run("doctor", "--json")

    assert [level for level, _ in _found(ended, "knowledge")] == ["warn", "warn", "warn"]
    filled, _, embedded = [one["do"] for one in ended.json if one["check"] == "knowledge"]
    assert filled == "./switchboard embedding-models progress"
    assert "EMBEDDINGS_FALLBACKS" in embedded, "nobody embeds with m here"


@pytest.mark.parametrize("installed", [True, False])
def test_an_active_model_that_is_not_installed_any_more_is_told_with_what_installs_it(
    run: Run, database: Database, station: Station, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(minilm, "is_installed", lambda: installed)
    with psycopg.connect(database.admin_url) as owner:
        embeddings.ensure_model(owner, minilm.MODEL, minilm.DIMENSION)

    told = [one for one in run("doctor", "--json").json if one["check"] == "knowledge" and one["level"] == "warn"]

    assert ["make minilm" in one["do"] for one in told] == ([] if installed else [True])


@pytest.mark.parametrize(
    ("model", "what_mends"), [("multilingual-e5-small", "make model"), ("all-MiniLM-L6-v2", "make minilm")]
)
def test_a_local_model_whose_files_are_not_there_is_a_fail_with_what_mends_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, what_mends: str
) -> None:
    monkeypatch.setenv("EMBEDDINGS_LOCAL_MODEL", model)
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    monkeypatch.setattr(e5, "FOLDER", tmp_path)

    [finding] = [one for one in run("doctor", "--json").json if one["check"] == "embedding model"]

    assert finding["level"] == "FAIL"
    assert f"`{what_mends}`" in finding["do"]


def test_a_role_that_row_level_security_does_not_hold_is_a_fail(
    run: Run, monkeypatch: pytest.MonkeyPatch, services: Services, database: Database
) -> None:
    superuser = psycopg.conninfo.conninfo_to_dict(services.postgres.superuser_url)
    password = superuser.get("password") or ""
    url = f"postgresql://{superuser['user']}:{password}@{superuser['host']}:{superuser['port']}/{database.name}"
    monkeypatch.setenv("DATABASE_URL", url)

    ended = run("doctor", "--json")

    assert _level(ended, "role") == "FAIL"
    assert ended.code == 1


def test_partitions_that_run_out_are_told_before_they_do(run: Run, station: Station) -> None:
    for (name,) in station.rows(
        "SELECT relname FROM pg_class WHERE relname ~ '^webhook_raw_[0-9]{8}$'"
        " AND right(relname, 8) > to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')"
    ):
        station.execute(f"DROP TABLE {name}")

    ended = run("doctor", "--json")

    assert ("warn", "webhook_raw has 0 days ahead") in _found(ended, "partitions")
    assert ended.code == 0


@pytest.mark.parametrize(
    ("options", "check", "level"),
    [
        ({"extra": {"maxmemory-policy": "allkeys-lru"}}, "redis policy", "FAIL"),
        ({"extra": {"appendonly": "no"}}, "redis durability", "FAIL"),
        ({"extra": {"appendfsync": "no"}}, "redis durability", "warn"),
        ({"extra": {"appendfsync": "always"}}, "redis durability", "ok"),
    ],
)
def test_a_journal_that_may_forget_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, make_valkey: Callable[..., Valkey], options: dict[str, Any], check: str,
    level: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("JOURNAL_URL", make_valkey(**options).redis_url)

    assert _level(run("doctor", "--json"), check) == level


def test_a_cache_of_its_own_may_forget(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station, make_valkey: Callable[..., Valkey]
) -> None:
    cache = make_valkey(extra={"maxmemory-policy": "allkeys-lru", "appendonly": "no"})
    monkeypatch.setenv("CACHE_URL", cache.redis_url)

    ended = run("doctor", "--json")

    assert ended.code == 0
    _healthy(ended)


def test_work_that_waits_too_long_and_work_for_people_are_told(run: Run, station: Station, bot: Bot) -> None:
    station.receive(bot, "hello")
    station.queue(bot, "an answer", chat=6)
    station.execute("UPDATE turns SET due_at = now() - interval '5 minutes'")
    station.execute("UPDATE outbound SET state = 'unknown_outcome', unknown_since = now()")
    station.execute("UPDATE channels SET state = 'needs_reauth'")
    old = f"{int((station.r.clock.now().timestamp() - 600) * 1000)}-0"
    station.inbox.client.xadd("sb:journal:0", {"p": "telegram"}, id=old)
    station.execute(
        "INSERT INTO balance_checks (received, stored, redrives, in_flight, oldest_s) VALUES (9, 6, 0, 1, 0)"
    )

    ended = run("doctor", "--json")

    assert ended.code == 1
    assert _found(ended, "journal")[0][0] == "FAIL"
    assert _found(ended, "journal")[0][1].startswith("1 requests wait")
    told = {what: level for level, what in _found(ended, "work", "people")}
    assert told["1 sends of unknown outcome"] == "warn"
    assert told["1 channels whose credentials are refused"] == "warn"
    assert told["no dead letters"] == "ok"
    assert [level for what, level in told.items() if what.startswith("1 turns are due")] == ["warn"]
    [(level, missing)] = _found(ended, "balance")
    assert (level, missing.startswith("received and neither stored nor in flight: 2,")) == ("FAIL", True)
    assert "hello" not in ended.out


def test_secrets_that_others_may_read_are_a_fail(run: Run, station: Station, tmp_path: Path) -> None:
    for name in ("secrets.json", "run.env"):
        (tmp_path / name).write_text("{}" if name == "secrets.json" else "")
        (tmp_path / name).chmod(0o644)

    opened = run("doctor", "--json")
    for name in ("secrets.json", "run.env"):
        (tmp_path / name).chmod(0o600)

    assert [level for level, _ in _found(opened, "data folder")] == ["FAIL", "FAIL"]
    assert f"chmod 600 {tmp_path / 'run.env'}" in [one["do"] for one in opened.json]
    assert _level(run("doctor", "--json"), "data folder") == "ok"
    assert os.access(tmp_path, os.W_OK)


def test_credentials_that_no_key_opens_are_a_fail_and_older_keys_a_warning(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station, bot: Bot
) -> None:
    from cryptography.fernet import Fernet

    newest = Fernet.generate_key().decode()
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{newest},{ENCRYPTION_KEY}")
    assert _level(run("doctor", "--json"), "credentials") == "warn"

    monkeypatch.setenv("ENCRYPTION_KEYS", newest)
    assert _level(run("doctor", "--json"), "credentials") == "FAIL"

    sealed = Vault([newest]).seal(["s"])
    station.execute("UPDATE apps SET secrets = %s", sealed)
    station.execute("UPDATE channels SET credentials = %s", sealed)
    assert _level(run("doctor", "--json"), "credentials") == "ok"


def test_each_model_of_a_stored_route_is_tried_and_what_bars_one_is_told(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station
) -> None:
    with StandinProcess() as standin:
        standin.client.register_key("a-key")
        url = standin.client.openai_url
        given = {"given": b"a-key"}
        run("model-provider", "add", "house", url, "--model", "one", "--model", "two", "--key-file", "-", **given)
        run("model-provider", "add", "other", url, "--model", "one", "--key-file", "-", "--paid", **given)
        run("model-route", "set", "answer", "house/one", "house/two", "other/one")
        standin.client.fault("openai", "status", status=401, model="two")

        found = [one for one in run("doctor", "--json").json if one["check"] == "model routes"]
        run("model-provider", "change", "house", "--disable")
        later = [one for one in run("doctor", "--json").json if one["check"] == "model routes"]

    assert [(one["level"], one["found"].partition(" in ")[0]) for one in found] == [
        ("FAIL", "other/one may cost money and has no price: it is not asked"),
        ("ok", "house, one answers"), ("FAIL", "house, two: the API refuses the key"), ("ok", "other, one answers"),
    ]  # fmt: skip
    told = "the installation's route for answer: house/one is passed over: its provider is disabled"
    assert ("warn", told) in [(one["level"], one["found"]) for one in later]


def test_each_model_answers_a_real_call(run: Run, monkeypatch: pytest.MonkeyPatch, station: Station) -> None:
    with StandinProcess() as standin:
        standin.client.register_key("a-key")
        fallback = {"base_url": standin.client.openai_url, "api_key": "a-key", "model": "other", "name": "second"}
        monkeypatch.setenv("LLM_BASE_URL", standin.client.openai_url)
        monkeypatch.setenv("LLM_MODEL", "a-model")
        monkeypatch.setenv("LLM_API_KEY", "a-key")
        monkeypatch.setenv("LLM_FALLBACKS", json.dumps([fallback]))
        standin.client.fault("openai", "form", variant="no_temperature", model="a-model", count=None)
        answered = run("doctor", "--json")
        standin.client.fault("openai", "status", status=404, model="other")
        unknown = run("doctor", "--json")
        monkeypatch.setenv("LLM_API_KEY", "another-key")
        refused = run("doctor", "--json")
    away = run("doctor", "--json")

    findings = [[one for one in ended.json if one["check"] == "model"] for ended in
                (answered, unknown, refused, away)]  # fmt: skip
    assert [[one["level"] for one in found] for found in findings] == [
        ["ok", "ok"], ["ok", "FAIL"], ["FAIL", "ok"], ["FAIL", "FAIL"],
    ]  # fmt: skip
    assert findings[0][0]["found"].endswith("(asked with no temperature)")
    assert "does not know this model" in findings[1][1]["found"]
    assert "another-key" not in refused.out + away.out


def test_a_paid_model_without_a_price_is_a_fail_with_what_sets_one(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station
) -> None:
    monkeypatch.setenv("LLM_BASE_URL", "https://models.invalid/v1")
    monkeypatch.setenv("LLM_MODEL", "large")
    local = {"base_url": "http://127.0.0.1:1/v1", "model": "ours"}
    monkeypatch.setenv("LLM_FALLBACKS", json.dumps([local]))

    ended = run("doctor", "--json")

    [told] = _found(ended, "prices")
    assert told == (
        "FAIL", "large of models.invalid has no price: no budget can bound it, so it is not asked",
    )  # fmt: skip
    run("price", "set", "large", "1", "2")
    assert _found(run("doctor", "--json"), "prices") == [("ok", "large of models.invalid has a price")]


def test_a_check_that_breaks_ends_no_other(station: Station) -> None:
    def breaks(visit: DoctorContext) -> Iterator[Any]:
        visit.database("owner").execute("SELECT 1/0")
        yield ok("never", "reached")

    found = list(examine(station.inbox.settings, [breaks, CHECKS[0]]))

    assert (found[0].level, found[0].found) == ("warn", "could not finish: DivisionByZero(22012)")
    assert "configuration" in {finding.check for finding in found[1:]}


def test_it_changes_nothing(run: Run, station: Station, bot: Bot) -> None:
    station.inbox.journal(bot, update("hello"))
    before = (station.rows("SELECT * FROM apps"), station.inbox.client.dbsize(), station.inbox.reader.backlog())

    run("doctor")

    after = (station.rows("SELECT * FROM apps"), station.inbox.client.dbsize(), station.inbox.reader.backlog())
    assert after == before


def test_a_subscription_that_fails_and_backups_that_do_not_restore_are_told(
    run: Run, station: Station, bot: Bot
) -> None:
    failing = ChannelHealth("failing", "not_subscribed")
    with station.r.db.transaction(bot.company_id) as conn:
        [(channel,)] = conn.execute("SELECT id FROM channels").fetchall()
        channel_health.checked(conn, bot.company_id, int(str(channel)), failing)
    station.execute("INSERT INTO backups VALUES ('20260101T000000Z', '2026-01-01', 1, 2, 3, now(), 'differs')")

    ended = run("doctor", "--json")

    [(level, found)] = _found(ended, "webhooks")
    assert (level, "not_subscribed" in found) == ("FAIL", True)
    assert [level for level, _ in _found(ended, "backups")] == ["warn", "FAIL", "warn"]
    with station.r.db.transaction(bot.company_id) as conn:
        channel_health.checked(conn, bot.company_id, int(str(channel)), ChannelHealth("ok"))
    assert _found(run("doctor", "--json"), "webhooks") == [("ok", "1 channels, none fails")]


def test_an_app_of_which_more_is_refused_than_taken_is_a_warning(run: Run, station: Station, bot: Bot) -> None:
    counted = "INSERT INTO app_answers (app_id, minute, accepted, refused) VALUES (%s, now(), 5, %s)"
    station.execute(counted, bot.app_id, 4)
    assert "refused" not in str(_found(run("doctor", "--json"), "webhooks"))

    station.execute("UPDATE app_answers SET refused = 40")
    [(level, words), *_] = _found(run("doctor", "--json"), "webhooks")
    assert level == "warn"
    assert "40 of its requests were refused in the last hour, 5 accepted" in words


def test_a_stopped_system_is_told_as_such_and_nothing_else_fails(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL", "ENCRYPTION_KEYS"):
        monkeypatch.delenv(name)

    stopped = run("doctor")
    assert stopped.code == 1
    assert f"the system of {tmp_path} is not running" in stopped.lines[0]
    assert "1 FAIL" in stopped.lines[-1]
    nothing_done(run("down"), f"no system of {tmp_path.resolve()} is running")

    monkeypatch.setenv("DATA_DIR", str(tmp_path / "nope"))
    assert f"DATA_DIR={tmp_path / 'nope'} does not exist" in run("doctor").lines[0]
    one_line(run("company", "list"), f"DATA_DIR={tmp_path / 'nope'} does not exist")
