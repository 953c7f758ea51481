"""Commands that connect channels: what the platform is asked, and what is shown of secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from standin.process import StandinProcess
from tests.factories import Bot, Inbox, make_bot
from tests.integration.command_line import Run, misused, nothing_done, one_line


@pytest.fixture
def bot(inbox: Inbox) -> Bot:
    return make_bot(inbox.server.admin_url, "Shoe shop")


@pytest.fixture(scope="module")
def standin() -> Iterator[StandinProcess]:
    with StandinProcess() as process:
        yield process


TOKEN = "4711:AAplantedplantedplantedplantedplant"


@pytest.fixture
def telegram(standin: StandinProcess, monkeypatch: pytest.MonkeyPatch) -> StandinProcess:
    standin.client.reset()
    standin.client.register_bot(TOKEN, "shoe_bot")
    monkeypatch.setenv("TELEGRAM_API_URL", standin.client.telegram_url)
    return standin


CONNECT = ("channel", "connect", "telegram", "--company", "shoe-shop", "--slug", "shoes")


def with_token(token: str) -> dict[str, bytes]:
    return {"given": json.dumps({"token": token}).encode()}


def test_connecting_a_bot_asks_telegram_and_registers_the_webhook(
    run: Run, telegram: StandinProcess, inbox: Inbox
) -> None:
    run("company", "create", "Shoe shop")

    ended = run(*CONNECT, "--answers", "-", "--public-url", "https://shop.example/", **with_token(TOKEN))

    address = "https://shop.example/webhooks/telegram/shoes"
    assert ended.lines == ["connected @shoe_bot to Shoe shop", f"Telegram now posts to {address}"]
    [webhook] = telegram.client.effects(kind="webhook")
    assert webhook["url"] == address
    assert inbox.rows("SELECT external_id, handle FROM channels") == [("4711", "shoe_bot")]
    [(sealed, credentials)] = inbox.rows("SELECT a.secrets, c.credentials FROM apps a, channels c")
    assert TOKEN.encode() not in bytes(credentials)
    assert str(webhook["secret_token"]).encode() not in bytes(sealed)


def test_connecting_without_an_address_shows_the_secret_once(run: Run, telegram: StandinProcess, bot: Bot) -> None:
    ended = run(*CONNECT, "--answers", "-", **with_token(TOKEN))

    assert ended.lines[1] == "webhook path: /webhooks/telegram/shoes"
    assert "secret_token (shown once)" in ended.lines[4]
    assert telegram.client.effects(kind="webhook") == []


def test_a_token_that_telegram_refuses_is_named_as_such(run: Run, telegram: StandinProcess, bot: Bot) -> None:
    refused = run(*CONNECT, "--answers", "-", **with_token("4712:AAnobodynobodynobodynobodynobodynob"))

    one_line(refused, "getMe", "Unauthorized", "token")
    assert "4712" not in refused.err


def test_a_telegram_that_is_away_is_told_without_the_token(run: Run, bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEGRAM_API_URL", "http://127.0.0.1:1")

    ended = run(*CONNECT, "--answers", "-", **with_token(TOKEN))

    one_line(ended, "did not answer", "http://127.0.0.1:1")
    assert TOKEN not in ended.err


def test_a_slug_that_is_none_and_a_bot_of_somebody_else_are_refused(
    run: Run, telegram: StandinProcess, bot: Bot
) -> None:
    run("company", "create", "Other shop")
    assert run(*CONNECT, "--answers", "-", **with_token(TOKEN)).code == 0

    misused(run(*CONNECT[:-1], "no good/slug", "--answers", "-", **with_token(TOKEN)), "--slug")
    nothing_done(
        run(*CONNECT[:4], "other-shop", *CONNECT[5:], "--answers", "-", **with_token(TOKEN)), "another company"
    )


def test_a_widget_is_made_and_its_origins_changed(run: Run, inbox: Inbox) -> None:
    run("company", "create", "Shoe shop")
    words = ("channel", "create-widget", "--company", "shoe-shop", "--slug", "shoes-chat", "--origin")
    rows = "SELECT a.origins, a.secrets, c.state FROM apps a JOIN channels c ON c.app_id = a.id"

    assert run(*words, "https://shop.example", "--origin", "http://localhost:3000").code == 0
    [(origins, secrets, state)] = inbox.rows(rows)
    assert (origins, state) == (["http://localhost:3000", "https://shop.example"], "active")

    assert "/widget/shoes-chat/" in run(*words, "https://new.example").out
    assert inbox.rows(rows) == [(["https://new.example"], secrets, "active")]
    for refused in (run(*words, "shop.example"), run(*words, "https://a/b"), run(*words, "*")):
        assert (refused.code, "origin" in refused.err) == (2, True)
    assert (
        run("channel", "create-widget", "--company", "nobody", "--slug", "x", "--origin", "https://a.example").code == 1
    )


def test_without_a_terminal_nothing_secret_is_asked_for(run: Run, inbox: Inbox, bot: Bot) -> None:
    misused(run(*CONNECT), "no terminal", "--answers")
    for line in (run(*CONNECT).err,):
        assert "Warning" not in line


def test_a_widget_is_well_while_something_comes_from_it(run: Run, inbox: Inbox, bot: Bot) -> None:
    made = run("channel", "create-widget", "--company", "shoe-shop", "--slug", "chat", "--origin", "https://a.example",
               "--json").json  # fmt: skip

    def line() -> str:
        return next(one for one in run("channel", "health").lines if " widget " in one)

    assert "chat  unknown  no event yet" in line()
    assert "accepted" not in line()
    inbox.rows("INSERT INTO channel_health (company_id, channel_id, received_at) VALUES"
               f" ({made['company_id']}, {made['id']}, now()) RETURNING 1")  # fmt: skip
    assert "chat  ok  last event" in line()
    nothing_done(run("channel", "check", f"shoe-shop/{made['id']}"), "a widget")
