"""The operator's hands on real services: who is served, secrets and keys changed without a pause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from shared.store.db.vault import Vault
from shared.store.operations.requests import received_ms
from standin.process import StandinProcess
from tests.e2e.system import wait_until
from tests.factories import ENCRYPTION_KEY, Bot, make_bot, update
from tests.integration.command_line import Run, nothing_done, one_line
from tests.integration.gateway_client import SECRET_HEADER, RunningGateway, running_gateway
from tests.integration.station import Station

NEW_KEY = Fernet.generate_key().decode()
ASKED = "When do you open in the morning?"


@pytest.fixture
def bot(station: Station) -> Bot:
    return make_bot(station.inbox.server.admin_url, "Shoe shop")


@pytest.fixture
def gateway(station: Station) -> Iterator[RunningGateway]:
    """With its usual memory of apps: 30 s."""
    with running_gateway(station.inbox.settings) as running:
        yield running


def _ask_inbox(gateway: RunningGateway, key: str) -> int:
    return gateway.get("/api/v1/conversations", headers={"authorization": f"Bearer {key}"}).status_code


def _post(gateway: RunningGateway, bot: Bot, secret: str) -> int:
    return gateway.post(bot, update("hello"), headers={SECRET_HEADER: secret}).status_code


def test_an_agent_s_key_opens_the_inbox_until_it_is_disabled(run: Run, gateway: RunningGateway, bot: Bot) -> None:
    made = run("agent", "create", "Ada", "--company", "shoe-shop")
    place, key = made.lines[0].split()[1].rstrip(":"), made.lines[1].rpartition(" ")[2]

    assert _ask_inbox(gateway, key) == 200
    assert run("agent", "disable", place).lines == [f"{place}  disabled"]
    assert _ask_inbox(gateway, key) == 401
    [listed] = run("agent", "list", "--company", "shoe-shop", "--json").json
    assert (listed["name"], listed["disabled_at"] is None) == ("Ada", False)
    assert key not in run("agent", "list").out
    nothing_done(run("agent", "disable", place), "disabled already")


def test_companies_are_listed_shown_and_renamed(run: Run, station: Station, bot: Bot) -> None:
    station.receive(bot, "hello")
    run("company", "create", "Other")

    rows = run("company", "list", "--json").json
    assert [(row["name"], row["channels"], row["unread"]) for row in rows] == [("Shoe shop", 1, 1), ("Other", 0, 0)]
    assert run("company", "rename", "shoe-shop", "Boots").lines == ["Shoe shop is now Boots; its slug stays shoe-shop"]
    shown = run("company", "show", "shoe-shop", "--json").json
    assert [channel["slug"] for channel in shown["channels"]] == [bot.slug]
    assert [one["name"] for one in shown["assistants"]] == ["Assistant"]
    assert bot.slug in run("company", "show", "shoe-shop").out
    nothing_done(run("company", "rename", "shoe-shop", "OTHER"), "slug other,")
    nothing_done(run("company", "show", "Boots"), "has the slug shoe-shop")


def test_a_rotated_secret_counts_at_once_beside_the_old_one_until_that_is_dropped(
    run: Run, gateway: RunningGateway, station: Station, bot: Bot
) -> None:
    assert _post(gateway, bot, bot.secret) == 200

    rotated = run("app", "rotate-secret", bot.slug)
    new = rotated.lines[-1].rpartition(" ")[2]

    # FRESH_S after it was looked up, a secret that does not fit is looked up again
    wait_until(lambda: _post(gateway, bot, new) == 200, "the new secret counts", 5)
    assert [_post(gateway, bot, secret) for secret in (new, bot.secret, "neither")] == [200, 200, 401]
    assert run("app", "show", bot.slug, "--json").json["secrets_in_force"] == 2
    assert new not in run("app", "show", bot.slug).out
    assert run("app", "drop-old-secret", bot.slug).lines == [f"{bot.slug}  the old secret is dropped"]
    nothing_done(run("app", "drop-old-secret", bot.slug), "one secret only")
    with running_gateway(station.inbox.settings) as another:
        assert [_post(another, bot, secret) for secret in (new, bot.secret)] == [200, 401]


def test_a_second_rotation_ends_the_first_secret(run: Run, gateway: RunningGateway, bot: Bot) -> None:
    newest = [run("app", "rotate-secret", bot.slug).lines[-1].rpartition(" ")[2] for _ in range(2)]

    assert [_post(gateway, bot, secret) for secret in (*newest, bot.secret)] == [200, 200, 401]


def test_a_disabled_app_takes_nothing_until_it_is_enabled(run: Run, station: Station, bot: Bot) -> None:
    assert run("app", "disable", bot.slug).out.startswith(f"{bot.slug}  disabled")
    with running_gateway(station.inbox.settings) as gateway:
        assert _post(gateway, bot, bot.secret) == 404
    assert [row["state"] for row in run("app", "list", "--json").json] == ["disabled"]
    run("app", "enable", bot.slug)
    with running_gateway(station.inbox.settings) as gateway:
        assert _post(gateway, bot, bot.secret) == 200
    nothing_done(run("app", "show", "nobody"), "app list")


def test_a_disabled_channel_stores_and_sends_nothing(run: Run, station: Station, bot: Bot) -> None:
    station.queue(bot, "an answer")
    place = f"{bot.company_id}/{bot.channel_id}"

    assert run("channel", "disable", place).lines == [f"{place}  disabled"]
    station.receive(bot, "hello")
    station.deliver()

    assert station.rows("SELECT reason FROM webhook_events") == [("channel_disabled",)]
    assert station.rows("SELECT state, meaning FROM outbound") == [("failed", "channel_disabled")]
    nothing_done(run("channel", "disable", place), "disabled already")
    assert run("channel", "enable", place).lines == [f"{place}  enabled"]
    station.receive(bot, "hello again")
    assert station.rows("SELECT text FROM messages WHERE role = 'customer'") == [("hello again",)]
    [listed] = run("channel", "list", "--company", "shoe-shop", "--json").json
    assert (listed["slug"], listed["state"]) == (bot.slug, "active")


def test_a_channel_that_needs_a_person_says_what_to_do(run: Run, station: Station, bot: Bot) -> None:
    station.execute("UPDATE channels SET state = 'needs_reauth'")

    shown = run("channel", "show", f"{bot.company_id}/{bot.channel_id}")

    assert "connect it again" in shown.out
    assert bot.token not in shown.out
    nothing_done(run("channel", "show", "1/999999"), "channel list")


@pytest.fixture(scope="module")
def standin() -> Iterator[StandinProcess]:
    with StandinProcess() as process:
        yield process


def test_a_rotation_with_an_address_tells_telegram(
    run: Run, standin: StandinProcess, monkeypatch: pytest.MonkeyPatch, gateway: RunningGateway, bot: Bot
) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", standin.client.telegram_url)
    standin.client.register_bot(bot.token, "shoe_bot")

    ended = run("app", "rotate-secret", bot.slug, "--public-url", "https://shop.example")

    [webhook] = standin.client.effects(kind="webhook")
    assert webhook["url"] == f"https://shop.example/webhooks/telegram/{bot.slug}"
    assert str(webhook["secret_token"]) not in ended.out
    assert _post(gateway, bot, str(webhook["secret_token"])) == 200


def test_a_telegram_that_is_away_during_a_rotation_leaves_the_old_secret_in_force(
    run: Run, monkeypatch: pytest.MonkeyPatch, gateway: RunningGateway, bot: Bot
) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:1")

    ended = run("app", "rotate-secret", bot.slug, "--public-url", "https://shop.example")

    assert ended.code == 2
    assert f"app register {bot.slug} --public-url" in ended.err
    assert _post(gateway, bot, bot.secret) == 200


def test_keys_rotate_seals_everything_anew_and_finds_nothing_left(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station
) -> None:
    bots = [make_bot(station.inbox.server.admin_url) for _ in range(5)]
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{NEW_KEY},{ENCRYPTION_KEY}")

    counted = run("keys", "rotate", "--dry-run", "--json")
    first, second = (run("keys", "rotate", "--batch", 2, "--json") for _ in range(2))

    assert (counted.code, counted.json["changed"]) == (1, 10)
    assert (first.code, first.json["changed"], first.json["already"]) == (0, 10, 0)
    assert (second.code, second.json["changed"], second.json["already"]) == (0, 0, 10)
    vault = Vault([NEW_KEY])
    rows = station.rows("SELECT secrets, credentials FROM apps a JOIN channels h ON h.app_id = a.id ORDER BY a.id")
    opened = [(vault.open(secrets)[0], vault.open(credentials)["token"]) for secrets, credentials in rows]
    assert opened == [(bot.secret, bot.token) for bot in bots]


def test_keys_rotate_seals_the_keys_of_model_providers_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station, bot: Bot
) -> None:
    sealed = Vault([ENCRYPTION_KEY]).seal({"api_key": "sk-1"})
    for company, name in ((None, "house"), (bot.company_id, "own")):
        station.execute(
            "INSERT INTO model_providers (company_id, name, base_url, credentials, paid)"
            " VALUES (%s, %s, 'https://models.example/v1', %s, true)", company, name, sealed,
        )  # fmt: skip
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{NEW_KEY},{ENCRYPTION_KEY}")

    run("keys", "rotate")

    rows = station.rows("SELECT credentials FROM model_providers")
    assert [Vault([NEW_KEY]).open(credentials) for (credentials,) in rows] == [{"api_key": "sk-1"}] * 2


def test_keys_rotate_goes_on_where_it_was_ended_and_names_what_no_key_opens(
    run: Run, monkeypatch: pytest.MonkeyPatch, station: Station, bot: Bot
) -> None:
    other = make_bot(station.inbox.server.admin_url)
    station.execute("UPDATE apps SET secrets = %s WHERE id = %s", Vault([NEW_KEY]).seal(["s"]), bot.app_id)
    station.execute("UPDATE channels SET credentials = 'rubbish' WHERE id = %s", other.channel_id)
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{NEW_KEY},{ENCRYPTION_KEY}")

    ended = run("keys", "rotate", "--json")

    assert ended.code == 1
    assert (ended.json["already"], ended.json["changed"]) == (1, 2)
    assert ended.json["sealed_shut"] == [f"channels/{other.channel_id}"]
    assert f"NO KEY DECRYPTS channels/{other.channel_id}" in run("keys", "rotate").out


def test_a_conversation_is_shown_without_words_unless_they_are_asked_for(run: Run, station: Station, bot: Bot) -> None:
    station.learn(bot)
    station.receive(bot, ASKED)
    station.answer()
    place = (f"{bot.company_id}/{station.conversation()}",)

    shown = run("conversations", "show", *place)

    assert ASKED not in shown.out
    assert "open at nine" not in run("conversations", "show", *place, "--json").out
    assert "turn" in shown.out
    assert "full" in shown.out
    with_words = run("conversations", "show", *place, "--content", "--json").json
    assert [line["role"] for line in with_words["messages"]] == ["customer", "bot"]
    assert with_words["messages"][0]["text"] == ASKED
    nothing_done(run("conversations", "show", f"{bot.company_id}/999"), "there is no conversation")


def test_a_conversation_s_attachments_are_shown_with_what_became_of_them(run: Run, station: Station, bot: Bot) -> None:
    station.receive(bot, None)
    station.execute("UPDATE media SET reason = 'unreachable', attempts = 3")
    place = (f"{bot.company_id}/{station.conversation()}",)

    assert "attachment 0  waiting  unreachable, 3 attempts, again at" in run("conversations", "show", *place).out
    [file] = run("conversations", "show", *place, "--json").json["attachments"]
    assert (file["state"], file["reason"], file["attempts"]) == ("waiting", "unreachable", 3)


def test_a_request_s_id_leads_to_its_turn_answer_and_delivery(
    run: Run, gateway: RunningGateway, station: Station, bot: Bot
) -> None:
    station.learn(bot)
    request_id = gateway.post(bot, update(ASKED, chat=5)).headers["x-request-id"]
    nothing_done(run("request", request_id), "not in the ledger")
    station.inbox.drain_all()
    station.answer()
    station.deliver_all()

    [traced] = run("request", request_id, "--json").json

    [part] = station.rows("SELECT id FROM outbound")
    assert (traced["kind"], traced["outcome"], traced["turn_state"], traced["step"], traced["parts"]) == (
        "message", "effected", "answered", "full", [f"{part[0]} sent"]
    )  # fmt: skip
    assert f"answered full  parts {part[0]} sent" in run("request", request_id).out
    assert ASKED not in run("request", request_id, "--json").out
    nothing_done(run("request", f"{received_ms(request_id):x}-0000", "--json"), "not in the ledger")
    one_line(run("request", "nonsense"), "x-request-id")
