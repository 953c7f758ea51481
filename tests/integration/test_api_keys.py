"""API keys: what is stored of them, what they may do, and how soon they stop."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from gateway.http import key_uses
from shared.embedded import Database
from shared.store.db import migrate
from shared.store.db.pool import Conn, set_companies
from shared.store.tenants import api_keys, registry
from shared.store.tenants.companies import NameTaken
from tasks.tenants import onboarding
from tests.factories import Bot, make_bot, settings_for
from tests.integration.command_line import Run
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.services import Services
from workers import local

LOOK = "/api/v1/assistants"
"""An address for keys that may read."""


@pytest.fixture
def conn(database: Database) -> Iterator[Conn]:
    """The owner."""
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def bot(database: Database) -> Bot:
    return make_bot(database.admin_url, "Acme")


@pytest.fixture
def gateway(database: Database, redis_url: str) -> Iterator[RunningGateway]:
    with running_gateway(settings_for(database, redis_url)) as running:
        yield running


def make(conn: Conn, company_id: int, *scopes: str, name: str = "program", days: int | None = None) -> str:
    """A program's key."""
    key = api_keys.new_key()
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    api_keys.add(conn, company_id, name, key, scopes, created_by=api_keys.OPERATOR, expires_at=expires_at)
    return key


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def status(gateway: RunningGateway, key: str, method: str = "GET", path: str = LOOK, **options: object) -> int:
    return gateway.request(method, path, headers=bearer(key), **options).status_code


# ------------------------------------------------------------------ the table


def test_a_key_is_stored_as_a_hash_and_known_by_its_prefix(conn: Conn, bot: Bot) -> None:
    key = make(conn, bot.company_id, "write", "read", "write")

    [line] = api_keys.listing(conn, bot.company_id)
    assert (line.name, line.prefix, line.scopes, line.created_by) == ("program", key[:8], ["read", "write"], "operator")
    everything = conn.execute("SELECT row_to_json(k)::text FROM api_keys k").fetchone()
    assert everything is not None
    assert key not in str(everything[0])
    found = api_keys.holder_of(conn, key)
    assert found is not None
    assert (found.company_id, found.key_id, found.agent_id) == (bot.company_id, line.id, None)


def test_a_key_works_until_it_is_revoked_or_expires(conn: Conn, bot: Bot) -> None:
    lasting, ending = make(conn, bot.company_id, "read"), make(conn, bot.company_id, "read", name="ending", days=1)
    assert api_keys.holder_of(conn, lasting) is not None
    assert api_keys.holder_of(conn, ending) is not None

    conn.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'ending'")
    [(first, _)] = [(line.id, line) for line in api_keys.listing(conn, bot.company_id) if line.name == "program"]
    assert api_keys.revoke(conn, bot.company_id, first)
    assert not api_keys.revoke(conn, bot.company_id, first)

    assert api_keys.holder_of(conn, lasting) is None
    assert api_keys.holder_of(conn, ending) is None


def test_programs_keys_of_one_name_are_refused_until_the_first_is_revoked(conn: Conn, bot: Bot) -> None:
    make(conn, bot.company_id, "read", name="Backend")
    with pytest.raises(NameTaken, match="'BACKEND'"):
        make(conn, bot.company_id, "read", name="BACKEND")
    onboarding.make_agent(conn, bot.company_id, "Backend")  # a person of this name is somebody else

    [line] = [line for line in api_keys.listing(conn, bot.company_id) if line.agent_id is None]
    api_keys.revoke(conn, bot.company_id, line.id)
    make(conn, bot.company_id, "read", name="Backend")


@pytest.mark.parametrize(
    ("scopes", "said"), [((), "needs a scope"), (("everything",), "no scope 'everything'"), (("READ",), "'READ'")]
)
def test_scopes_that_there_are_not_are_refused_by_name(
    conn: Conn, bot: Bot, scopes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        make(conn, bot.company_id, *scopes)


def test_a_company_has_a_bounded_number_of_working_keys(conn: Conn, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_keys, "KEYS_MAX", 2)
    make(conn, bot.company_id, "read", name="one")
    make(conn, bot.company_id, "read", name="two", days=1)
    with pytest.raises(ValueError, match="2 working API keys"):
        make(conn, bot.company_id, "read", name="three")
    conn.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'two'")
    make(conn, bot.company_id, "read", name="three")


def test_the_application_role_can_neither_widen_a_key_nor_delete_it(database: Database, conn: Conn, bot: Bot) -> None:
    make(conn, bot.company_id, "read")
    for statement in (
        "UPDATE api_keys SET scopes = '{admin}'",
        "UPDATE api_keys SET key_hash = ''",
        "UPDATE api_keys SET expires_at = NULL",
        "DELETE FROM api_keys",
    ):
        with psycopg.connect(database.url) as app:
            set_companies(app, [bot.company_id])
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement.encode())
            app.rollback()


def test_agents_keys_of_before_are_moved_and_work_and_move_back(empty_database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.FOLDER, folder)
    [ours] = folder.glob("*_api_keys.sql")
    later = [path for path in folder.glob("[0-9]*") if path.name[:4] >= ours.name[:4]]
    (tmp_path / "later").mkdir()
    for path in later:
        shutil.move(path, tmp_path / "later")
    shutil.move(folder / "functions", tmp_path / "functions")
    (folder / "functions").mkdir()
    shutil.copytree(tmp_path / "functions" / "before_tables", folder / "functions" / "before_tables")
    migrate.migrate(empty_database.admin_url, folder)
    with psycopg.connect(empty_database.admin_url, autocommit=True) as conn:
        conn.execute("INSERT INTO companies (slug, name) VALUES ('acme', 'Acme')")
        for name, key, gone in (("Ann", "sbk_ann", None), ("Ben", "sbk_ben", datetime(2026, 1, 1, tzinfo=UTC))):
            conn.execute(
                "INSERT INTO agents (company_id, name, key_hash, disabled_at) SELECT id, %s, %s, %s FROM companies",
                (name, api_keys.hash_key(key), gone),
            )
        before = conn.execute("SELECT name, key_hash, disabled_at FROM agents ORDER BY id").fetchall()

        for path in (tmp_path / "later").iterdir():
            if path.name[:4] == ours.name[:4]:
                shutil.move(path, folder)
        shutil.copy(tmp_path / "functions" / "tenants.sql", folder / "functions")
        migrate.migrate(empty_database.admin_url, folder)
        ann = api_keys.holder_of(conn, "sbk_ann")
        assert ann is not None
        assert ann.scopes == ["read", "write"]
        assert ann.agent_id is not None
        assert api_keys.holder_of(conn, "sbk_ben") is None
        # a gateway of the version before asks so
        assert conn.execute("SELECT agent_id FROM agent_of_key(%s)", (api_keys.hash_key("sbk_ann"),)).fetchall() == [
            (ann.agent_id,)
        ]

        migrate.undo(empty_database.admin_url, folder)
        assert conn.execute("SELECT name, key_hash, disabled_at FROM agents ORDER BY id").fetchall() == before


# ------------------------------------------------------------------ commands


def test_a_key_is_shown_once_listed_by_its_prefix_and_revoked(run: Run, bot: Bot, conn: Conn) -> None:
    made = run("key", "add", "Backend", "--company", "acme", "--scope", "read", "--days", "30", "--json").json
    assert api_keys.holder_of(conn, made["api_key"]) is not None
    assert datetime.fromisoformat(made["expires_at"]) > datetime.now(UTC) + timedelta(days=29)

    listed = run("key", "list", "--company", "acme")
    assert made["api_key"] not in listed.out
    assert f"{made['api_key'][:8]}…  read  program  by operator  never used  works until" in listed.out

    revoked = run("key", "revoke", f"acme/{made['id']}")
    assert revoked.code == 0
    assert api_keys.holder_of(conn, made["api_key"]) is None
    again, unknown = run("key", "revoke", f"acme/{made['id']}"), run("key", "revoke", "acme/999")
    assert (again.code, unknown.code) == (1, 1)
    assert "is revoked already" in again.err
    assert "`key list` shows them" in unknown.err


def test_the_help_explains_every_scope(run: Run) -> None:
    said = run("key", "add", "--help").out
    assert [scope for scope in api_keys.SCOPES if f"\n    {scope} " not in said] == []


def test_an_agent_gets_another_key_and_loses_all_when_disabled(run: Run, bot: Bot, conn: Conn) -> None:
    ada = run("agent", "create", "Ada", "--company", "acme", "--json").json
    other = run("key", "add", "Ada's phone", "--company", "acme", "--agent", ada["id"], "--json").json
    keys = (ada["api_key"], other["api_key"])
    assert [api_keys.holder_of(conn, key) is not None for key in keys] == [True, True]

    run("agent", "disable", f"acme/{ada['id']}")

    assert [api_keys.holder_of(conn, key) for key in keys] == [None, None]
    refused = run("key", "add", "x", "--company", "acme", "--agent", 999)
    assert "no such agent" in refused.err
    assert "--scope says which" in run("key", "add", "x", "--company", "acme").err


def test_up_goes_on_where_its_own_agent_s_key_was_revoked(conn: Conn, bot: Bot) -> None:
    key = api_keys.new_key()
    assert local._keep_agent(conn, bot.company_id, key) == []
    assert local._keep_agent(conn, bot.company_id, key) == []
    [line] = api_keys.listing(conn, bot.company_id)
    assert line.agent_id is not None
    registry.disable_agent(conn, bot.company_id, line.agent_id)

    [note] = local._keep_agent(conn, bot.company_id, key)
    assert "was revoked" in note
    assert api_keys.holder_of(conn, key) is None


# ------------------------------------------------------------------ gateways


def test_a_key_that_may_read_writes_nothing_and_the_other_way_round(
    gateway: RunningGateway, conn: Conn, bot: Bot
) -> None:
    reading, writing = make(conn, bot.company_id, "read"), make(conn, bot.company_id, "write", name="writing")
    others = make(conn, bot.company_id, "admin", "models", "end-user", name="others")

    assert status(gateway, reading) == 200
    assert status(gateway, reading, "POST", "/api/v1/search", json={"question": "when"}) == 200
    for method, path in (
        ("POST", "/api/v1/conversations/1/messages"), ("POST", "/api/v1/conversations/1/close"),
        ("DELETE", "/api/v1/documents/1"), ("POST", "/api/v1/documents?name=a.txt"),
        ("PATCH", "/api/v1/assistants/999"), ("POST", "/api/v1/assistants/999/bind"),
        ("PUT", "/api/v1/conversations/1/filter"),
    ):  # fmt: skip
        assert (path, status(gateway, reading, method, path)) == (path, 403)
        assert status(gateway, others, method, path) == 403
    assert status(gateway, writing) == 403
    assert status(gateway, others) == 403
    assert status(gateway, writing, "PATCH", "/api/v1/assistants/999", json={"on_miss": "offer"}) == 404
    refused = gateway.get(LOOK, headers=bearer(writing))
    assert "lacks the scope read" in refused.text


def test_a_key_of_one_company_finds_nothing_of_another(
    gateway: RunningGateway, database: Database, conn: Conn, bot: Bot
) -> None:
    theirs = make(conn, make_bot(database.admin_url, "Other").company_id, *api_keys.SCOPES)
    ours = make(conn, bot.company_id, *api_keys.SCOPES)
    [(assistant,)] = conn.execute("SELECT id FROM assistants WHERE company_id = %s", (bot.company_id,)).fetchall()
    [(channel,)] = conn.execute("SELECT id FROM channels WHERE company_id = %s", (bot.company_id,)).fetchall()

    for method, path, body in (
        ("GET", f"/api/v1/assistants/{assistant}", None),
        ("POST", f"/api/v1/assistants/{assistant}/bind", {"channel": channel}),
        ("GET", f"/api/v1/channels/{channel}/automatic-replies", None),
    ):
        assert (path, status(gateway, theirs, method, path, json=body)) == (path, 404)
        assert (path, status(gateway, ours, method, path, json=body)) == (path, 200)


def test_what_one_gateway_s_operator_revokes_another_refuses_with_the_next_request(
    services: Services, database: Database, redis_url: str, conn: Conn, bot: Bot, run: Run
) -> None:
    key = make(conn, bot.company_id, "read")
    with ExitStack() as stack:
        gateways = [stack.enter_context(running_gateway(settings_for(database, redis_url))) for _ in range(2)]
        assert [status(gateway, key) for gateway in gateways] == [200, 200]

        [line] = api_keys.listing(conn, bot.company_id)
        assert run("key", "revoke", f"acme/{line.id}").code == 0

        assert [status(gateway, key) for gateway in gateways] == [401, 401]


def test_a_request_under_way_ends_and_the_next_is_refused(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    key = make(conn, bot.company_id, "write")
    [(assistant,)] = conn.execute("SELECT id FROM assistants WHERE company_id = %s", (bot.company_id,)).fetchall()
    path = f"/api/v1/assistants/{assistant}"

    async def speak() -> tuple[int, int]:
        sending = asyncio.Event()

        async def body() -> object:
            yield b'{"on_miss": '
            sending.set()
            await asyncio.to_thread(conn.execute, "UPDATE api_keys SET revoked_at = now()")
            yield b'"at_once"}'

        under_way = await gateway.ask("PATCH", path, headers=bearer(key), content=body())
        after = await gateway.ask("PATCH", path, headers=bearer(key), content=b"{}")
        assert sending.is_set()
        return under_way.status_code, after.status_code

    assert gateway.run(speak()) == (200, 401)


def test_a_key_s_last_use_is_written_afterwards_and_once_a_minute(
    gateway: RunningGateway, conn: Conn, bot: Bot
) -> None:
    key = make(conn, bot.company_id, "read")
    edge = gateway.app._pages.state.edge

    def used_at() -> datetime | None:
        return api_keys.listing(conn, bot.company_id)[0].last_used_at

    assert [status(gateway, key) for _ in range(3)] == [200] * 3
    assert used_at() is None
    gateway.run(edge.keys.uses.tell())
    first = used_at()
    assert first is not None

    assert status(gateway, key) == 200
    assert edge.keys.uses._used == set()
    conn.execute("UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'")
    assert status(gateway, key) == 200
    assert edge.keys.uses._used == {(bot.company_id, 1)}
    gateway.run(edge.keys.uses.tell())
    later = used_at()
    assert later is not None
    assert later >= first


def test_the_task_that_tells_uses_tells_them_and_the_last_ones_are_told_at_the_end(
    database: Database, redis_url: str, conn: Conn, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_uses, "TELL_EVERY_S", 3600.0)
    key = make(conn, bot.company_id, "read")
    with running_gateway(settings_for(database, redis_url)) as gateway:
        assert status(gateway, key) == 200

    assert api_keys.listing(conn, bot.company_id)[0].last_used_at is not None


def test_two_processes_that_tell_of_the_same_keys_do_not_wait_for_each_other(
    database: Database, conn: Conn, bot: Bot
) -> None:
    for name in ("a", "b"):
        make(conn, bot.company_id, "read", name=name)
    keys = [(line.company_id, line.id) for line in api_keys.listing(conn, bot.company_id)]
    with psycopg.connect(database.admin_url) as one, psycopg.connect(database.admin_url) as other:
        api_keys.note_used(one, keys[:1])
        other.execute("SET lock_timeout = '5s'")
        api_keys.note_used(other, list(reversed(keys)))
        other.commit()
        one.commit()
    assert all(line.last_used_at is not None for line in api_keys.listing(conn, bot.company_id))


def test_what_is_told_of_keys_while_the_database_is_away_is_dropped(
    gateway: RunningGateway, database: Database, services: Services, conn: Conn, bot: Bot
) -> None:
    edge = gateway.app._pages.state.edge

    async def tell() -> None:
        edge.keys.uses.note(bot.company_id, 1)
        await edge.keys.uses.tell()

    with psycopg.connect(database.admin_url, autocommit=True) as owner:
        owner.execute("ALTER FUNCTION note_keys_used RENAME TO another")
        gateway.run(tell())
        owner.execute("ALTER FUNCTION another RENAME TO note_keys_used")
    assert edge.keys.uses._used == set()
