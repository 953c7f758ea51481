"""`channel connect` and `channel check` on a running stand-in, and what they leave in the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from shared.channels.connect import connectors
from shared.channels.connect.base import Identity
from shared.embedded import Database
from shared.flow import connecting
from shared.model import Me
from shared.store import channels, companies
from shared.store.vault import Vault
from standin.process import StandinProcess
from tests.factories import ENCRYPTION_KEY, settings
from tests.integration.command_line import Run

TOKEN = "4711:AAplantedplantedplantedplantedplant"
CONNECT = ("channel", "connect", "telegram", "--company", "shoe-shop", "--slug", "shoes", "--answers", "-")


@pytest.fixture(scope="module")
def standin() -> Iterator[StandinProcess]:
    with StandinProcess() as process:
        yield process


@pytest.fixture
def telegram(standin: StandinProcess, monkeypatch: pytest.MonkeyPatch, run: Run) -> StandinProcess:
    standin.client.reset()
    standin.client.register_bot(TOKEN, "shoe_bot")
    monkeypatch.setenv("TELEGRAM_API_URL", standin.client.telegram_url)
    run("company", "create", "Shoe shop")
    return standin


def answers(**values: str) -> bytes:
    return json.dumps(values).encode()


def test_a_channel_is_checked_with_what_is_stored(run: Run, telegram: StandinProcess) -> None:
    run(*CONNECT, given=answers(token=TOKEN))
    place = run("channel", "list", "--json").json[0]
    place = f"{place['company_id']}/{place['id']}"

    fits = run("channel", "check", place)
    assert (fits.code, fits.lines) == (0, [f"ok  {place}  telegram  @shoe_bot  active"])

    telegram.client.revoke_bot(TOKEN)
    refused = run("channel", "check", place, "--json")
    assert (refused.code, refused.json["problems"]) == (1, ["getMe: Unauthorized: check the token"])


def test_a_channel_that_waited_for_new_credentials_wakes_when_they_fit_again(
    run: Run, telegram: StandinProcess, database: Database
) -> None:
    run(*CONNECT, given=answers(token=TOKEN))
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        conn.execute("UPDATE channels SET state = 'needs_reauth'")
        [(place,)] = conn.execute("SELECT company_id || '/' || id FROM channels").fetchall()

    assert run("channel", "check", place).lines[-1].endswith("active")
    assert run("channel", "list", "--json").json[0]["state"] == "active"


def test_connecting_again_keeps_the_webhooks_secret(run: Run, telegram: StandinProcess) -> None:
    public = ("--public-url", "https://shop.example")
    run(*CONNECT, *public, given=answers(token=TOKEN))
    run(*CONNECT, *public, given=answers(token=TOKEN))

    first, second = telegram.client.effects(kind="webhook")
    assert first["secret_token"] == second["secret_token"]


@pytest.mark.parametrize("given", [b"{}", b"nonsense", b"[]", b'{"token": 5}', b'{"token": "t", "misspelt": "x"}'])
def test_answers_that_do_not_fit_are_named(run: Run, telegram: StandinProcess, given: bytes) -> None:
    ended = run(*CONNECT, given=given)
    assert ended.code == 2
    assert "--answers" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_an_application_with_two_channels_is_asked_about_once(database: Database) -> None:
    """Two pages of two companies under one app: one address, one secret, one verify token."""
    vault, connector = Vault([ENCRYPTION_KEY]), connectors(settings())["messenger"]
    told = {"app_id": "900", "app_secret": "planted-secret", "token": "t"}
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        assert [q.name for q in connecting.still_to_ask(connector, None, {})] == ["app_id", "app_secret", "token"]
        made = []
        for number, name in enumerate(("Harbour", "Market"), 1):
            company = companies.ensure(conn, name).id
            app = channels.app_by_slug(conn, "messenger", "meta")
            if app is not None:
                assert [q.name for q in connecting.still_to_ask(connector, app, {})] == ["token"]
            identity = Identity(Me(f"440{number}", None, "900"), {"token": f"t{number}"}, name)
            made.append(
                connecting.connect(
                    conn, vault, connector, company_id=company, slug="meta", identity=identity, answers=told,
                    address="https://bots.example/webhooks/messenger/meta",
                )
            )  # fmt: skip

        app = channels.app_by_slug(conn, "messenger", "meta")
        assert app is not None
        again = connecting.registration_of(conn, vault, connector, app, "https://new.example/webhooks/messenger/meta")

    assert [one.new_app for one in made] == [True, False]
    assert {one.registration.secret for one in made} == {"planted-secret"}
    assert len({one.registration.verify_token for one in made}) == 1
    assert [(r.identity.me.external_id, r.answers["app_id"], r.secret) for r in again] == [
        ("4401", "900", "planted-secret"), ("4402", "900", "planted-secret"),
    ]  # fmt: skip


def test_a_secret_that_the_platform_has_changed_counts_beside_the_old_one(database: Database) -> None:
    vault, connector = Vault([ENCRYPTION_KEY]), connectors(settings())["slack"]
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        company = companies.ensure(conn, "Harbour").id
        for secret in ("first", "second", "third"):
            connecting.connect(
                conn, vault, connector, company_id=company, slug="harbour", address="https://x",
                identity=Identity(Me("T1", "U9"), {"token": "t"}), answers={"signing_secret": secret},
            )  # fmt: skip
        app = channels.app_by_slug(conn, "slack", "harbour")
    assert app is not None
    assert vault.open(app.secrets) == ["third", "second"]
