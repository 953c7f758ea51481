"""`channel connect` and `channel check` on a running stand-in, and what they leave in the tables."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from shared.channels.connect import connectors
from shared.channels.connect.base import Identity
from shared.embedded import Database
from shared.model import Me
from shared.store.db.vault import Vault
from shared.store.tenants import channels, companies
from standin.process import StandinProcess
from tasks.tenants import connecting
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
    vault, connector = Vault([ENCRYPTION_KEY]), connectors(settings().channels)["messenger"]
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
    vault, connector = Vault([ENCRYPTION_KEY]), connectors(settings().channels)["slack"]
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


OTHER = "4712:AAplantedplantedplantedplantedother"


def _tables(database: Database) -> list[tuple[object, ...]]:
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        return conn.execute(
            "SELECT a.slug, a.secrets, a.owner_id, c.company_id, c.external_id, c.credentials, c.state"
            " FROM apps a LEFT JOIN channels c ON c.app_id = a.id ORDER BY a.id, c.id"
        ).fetchall()


@pytest.mark.parametrize("disabled", [False, True])
def test_a_slug_of_another_company_is_refused_by_name_and_nothing_changes(
    run: Run, telegram: StandinProcess, database: Database, disabled: bool
) -> None:
    theirs = run(*CONNECT, given=answers(token=TOKEN)).out
    secret = next(line for line in theirs.splitlines() if "secret_token" in line).rpartition(" ")[2]
    run("company", "create", "Hat shop")
    telegram.client.register_bot(OTHER, "hat_bot")
    if disabled:
        place = run("channel", "list", "--json").json[0]
        run("channel", "disable", f"{place['company_id']}/{place['id']}")
    before = _tables(database)

    words = ("channel", "connect", "telegram", "--company", "hat-shop", "--slug", "shoes", "--answers", "-")
    refused = run(*words, given=answers(token=OTHER))

    assert refused.code == 1
    assert "belongs to another company (Shoe shop)" in refused.err
    assert "--slug" in refused.err
    assert secret not in refused.out + refused.err
    assert _tables(database) == before
    assert telegram.client.effects(kind="webhook") == []


def test_a_second_bot_under_one_s_own_slug_is_refused_until_the_first_is_disabled(
    run: Run, telegram: StandinProcess, database: Database
) -> None:
    first = run(*CONNECT, given=answers(token=TOKEN)).out
    telegram.client.register_bot(OTHER, "second_bot")
    before = _tables(database)
    refused = run(*CONNECT, given=answers(token=OTHER))
    assert refused.code == 1
    assert "@shoe_bot is connected under it" in refused.err
    assert _tables(database) == before

    one = run("channel", "list", "--json").json[0]
    run("channel", "disable", f"{one['company_id']}/{one['id']}")
    second = run(*CONNECT, given=answers(token=OTHER))
    assert second.code == 0, second.err
    # the first bot's webhook still bears the old secret: its customers must not be taken for the second's
    assert {line.rpartition(" ")[2] for line in first.splitlines() if "secret_token" in line}.isdisjoint(
        second.out.split()
    )
    assert run("channel", "enable", f"{one['company_id']}/{one['id']}").code != 0


def test_a_bot_that_is_connected_is_refused_under_another_slug_of_whatever_company(
    run: Run, telegram: StandinProcess, database: Database
) -> None:
    run(*CONNECT, given=answers(token=TOKEN))
    run("company", "create", "Hat shop")
    before = _tables(database)
    for company in ("shoe-shop", "hat-shop"):
        words = ("channel", "connect", "telegram", "--company", company, "--slug", "again", "--answers", "-")
        refused = run(*words, given=answers(token=TOKEN))
        assert refused.code == 1
        assert "is connected already" in refused.err
    assert _tables(database) == before


def test_another_application_s_page_or_secret_is_refused_under_a_shared_slug(database: Database) -> None:
    vault, connector = Vault([ENCRYPTION_KEY]), connectors(settings().channels)["messenger"]
    with psycopg.connect(database.admin_url, autocommit=True) as conn:

        def connect(company: str, page: str, app: str, secret: str) -> None:
            connecting.connect(
                conn, vault, connector, company_id=companies.ensure(conn, company).id, slug="meta", address="https://x",
                identity=Identity(Me(page, None, app), {"token": "t"}, page),
                answers={"app_id": app, "app_secret": secret},
            )  # fmt: skip

        connect("Harbour", "1", "900", "planted-secret")
        connect("Market", "2", "900", "planted-secret")
        with pytest.raises(ValueError, match="stands for the application 900"):
            connect("Market", "3", "901", "planted-secret")
        with pytest.raises(ValueError, match="rotate-secret"):
            connect("Market", "3", "900", "another-secret")
        app = channels.app_by_slug(conn, "messenger", "meta")
        assert app is not None
        assert (vault.open(app.secrets), app.external_id) == (["planted-secret"], "900")


def test_the_database_refuses_who_comes_second_in_a_race(database: Database) -> None:
    """The check and the write are apart in time; the indexes are what holds between them."""
    with psycopg.connect(database.admin_url, autocommit=True) as conn:
        company = companies.ensure(conn, "Harbour").id
        add = channels.add_app
        one, other = (add(conn, company, "telegram", slug, b"") for slug in ("one", "other"))
        channels.add_channel(conn, company, one, "telegram", Me("7", None), b"")
        for app_id, bot in ((one, "8"), (other, "7")):
            with pytest.raises(psycopg.errors.UniqueViolation):
                channels.add_channel(conn, company, app_id, "telegram", Me(bot, None), b"")
        rival = companies.ensure(conn, "Market").id
        with pytest.raises(ValueError, match="belongs to another company"):
            add(conn, rival, "telegram", "one", b"theirs")
