"""Attacks on API keys: guessing, spying, and doing more than a key may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.embedded import Database
from shared.store.db.pool import Conn
from shared.store.tenants import api_keys
from tests.api_description import description
from tests.factories import Bot, make_bot, settings_for
from tests.integration.gateway_client import RunningGateway, running_gateway
from tests.integration.test_api_keys import LOOK, bearer, make, status
from tests.integration.test_gateway_process import _gateway_process

GUESSES = 10_000


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


# ------------------------------------------------------------------ the form


def test_a_scanner_s_pattern_finds_keys_and_nothing_like_them() -> None:
    keys = [api_keys.new_key() for _ in range(200)]
    assert len({*keys}) == 200
    assert all(api_keys.KEY.fullmatch(key) and not api_keys.is_mistyped(key) for key in keys)
    assert all(api_keys.KEY.findall(f'TOKEN = "{key}"') == [key] for key in keys)


@given(st.integers(3, 51), st.sampled_from(api_keys.ALPHABET))
def test_every_single_typing_mistake_is_told_by_the_checksum(at: int, other: str) -> None:
    key = "sb_0000000000000000000000000000000000000000000" + api_keys._sum_of("sb_" + "0" * 43)
    wrong = key[:at] + other + key[at + 1 :]
    assert api_keys.is_mistyped(wrong) == (wrong != key)
    assert api_keys.is_mistyped(key[:at])
    assert api_keys.is_mistyped(key[:at] + other + key[at:])
    if at < 51 and key[at] != key[at + 1]:
        assert api_keys.is_mistyped(key[:at] + key[at + 1] + key[at] + key[at + 2 :])


@pytest.mark.parametrize("key", ["", "sb_", "sb_é", "sb_" + "0" * 49, "sb_" + "0" * 100_000, "SB_x", "sbk_x", "\udc80"])
def test_whatever_is_sent_as_a_key_is_judged(key: str) -> None:
    assert api_keys.is_mistyped(key) == key.startswith("sb_")
    assert len(api_keys.hash_key(key)) == 32


# ------------------------------------------------------------------ guessing


def test_ten_thousand_wrong_keys_cost_few_look_ups_and_keep_nobody_out(
    gateway: RunningGateway, conn: Conn, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, looked_up = make(conn, bot.company_id, "read"), list[str]()
    assert status(gateway, key) == 200
    holder_of = api_keys.holder_of

    def look_up(conn: Conn, key: str) -> api_keys.Holder | None:
        looked_up.append(key)
        return holder_of(conn, key)

    monkeypatch.setattr(api_keys, "holder_of", look_up)

    async def guess(number: int) -> int:
        return (await gateway.ask("GET", LOOK, headers=bearer(f"sbk_{number}"))).status_code

    async def all_of_them() -> set[int]:
        return {await guess(number) for number in range(GUESSES)}

    assert gateway.run(all_of_them(), within_s=300) == {401, 429}
    # 30 at once, and one a second as long as it takes
    assert len(looked_up) < GUESSES / 20
    assert status(gateway, key) == 200
    edge = gateway.app._pages.state.edge
    assert len(edge.keys._bad) < GUESSES / 20


def test_a_mistyped_key_is_told_without_a_look_up_and_counts_as_a_wrong_one(
    gateway: RunningGateway, conn: Conn, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make(conn, bot.company_id, "read")
    assert status(gateway, key) == 200

    def look_up(*_: object) -> None:
        raise AssertionError("it was looked up")

    with monkeypatch.context() as cut:
        cut.setattr(api_keys, "holder_of", look_up)
        answers = [gateway.get(LOOK, headers=bearer(key[:-1])) for _ in range(60)]

    assert answers[0].status_code == 401
    assert "checksum does not fit" in answers[0].json()["error"]
    assert answers[-1].status_code == 429
    assert status(gateway, key) == 200


def test_what_became_of_a_key_cannot_be_told_from_the_answer(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    keys = [make(conn, bot.company_id, "read", name=name) for name in ("revoked", "expired", "of a disabled agent")]
    conn.execute("UPDATE api_keys SET revoked_at = now() WHERE name <> 'expired'")
    conn.execute("UPDATE api_keys SET expires_at = now() WHERE name = 'expired'")

    answers = [gateway.get(LOOK, headers=bearer(key)) for key in (*keys, api_keys.new_key(), "sbk_never")]

    assert {(answer.status_code, answer.content) for answer in answers} == {(401, answers[0].content)}


def test_looking_a_key_up_compares_hashes_only(conn: Conn, bot: Bot) -> None:
    """What a guess shares with a key says nothing of what their hashes share: the index is asked for a hash."""
    key = make(conn, bot.company_id, "read")
    near = key[:-7] + ("0" if key[-7] != "0" else "1")
    near += api_keys._sum_of(near)
    assert api_keys.holder_of(conn, near) is None
    shared = sum(a == b for a, b in zip(api_keys.hash_key(key), api_keys.hash_key(near), strict=True))
    assert shared < 8
    conn.execute("SET enable_seqscan = off")
    plan = conn.execute("EXPLAIN SELECT 1 FROM api_keys WHERE key_hash = %s", (api_keys.hash_key(key),)).fetchall()
    assert "api_keys_key_hash_key" in str(plan)


# ------------------------------------------------------------------ doing more than a key may


def _operations() -> list[tuple[str, str, set[str]]]:
    """(method, path, the scopes of which it needs one) of every operation that wants an API key with a scope."""
    found: list[tuple[str, str, set[str]]] = []
    for path, operations in description()["paths"].items():
        for method, operation in operations.items():
            scopes = {scope for one in operation.get("security", ()) for scope in one.get("api-key", ())}
            if scopes:
                found.append((method.upper(), re.sub(r"\{\w+\}", "999", path), scopes))
    return found


def test_no_operation_is_done_for_a_key_that_lacks_its_scope(gateway: RunningGateway, conn: Conn, bot: Bot) -> None:
    keys = {scope: make(conn, bot.company_id, scope, name=scope) for scope in api_keys.SCOPES}
    operations = _operations()
    assert {scope for _, _, needed in operations for scope in needed} >= {"read", "write", "admin"}

    wrong = []
    for method, path, needed in operations:
        for scope, key in keys.items():
            if scope not in needed and status(gateway, key, method, path) != 403:
                wrong.append((method, path, scope))
    assert wrong == []


# ------------------------------------------------------------------ spying


def test_no_log_and_no_error_shows_a_key(database: Database, redis_url: str, tmp_path: Path, conn: Conn) -> None:
    bot = make_bot(database.admin_url, "Acme")
    good, gone = make(conn, bot.company_id, "read"), make(conn, bot.company_id, "read", name="gone")
    conn.execute("UPDATE api_keys SET revoked_at = now() WHERE name = 'gone'")
    mistyped, unknown = good[:-1] + ("0" if good[-1] != "0" else "1"), api_keys.new_key()
    with (
        _gateway_process(database, redis_url, tmp_path) as (process, address),
        httpx.Client(base_url=address, timeout=20, trust_env=False) as http,
    ):
        said = []
        for key in (good, gone, mistyped, unknown):
            said.append(http.get(LOOK, headers=bearer(key)).text)
            said.append(http.post("/api/v1/assistants/1/bind", headers=bearer(key), content=b"{").text)
            said.append(http.get("/health", headers=bearer(key)).text)
            said.append(http.get(LOOK, headers={"authorization": key}).text)
        conn.execute("ALTER TABLE api_keys RENAME TO away")
        said.append(http.get(LOOK, headers=bearer(good)).text)
        conn.execute("ALTER TABLE away RENAME TO api_keys")
        process.terminate()
        process.wait(20)
    log = (tmp_path / "log").read_text()
    assert "request_failed" in log
    for key in (good, gone, mistyped, unknown):
        hashed = api_keys.hash_key(key).hex()
        for shown in (log, *said):
            assert key[3:20] not in shown
            assert hashed not in shown
