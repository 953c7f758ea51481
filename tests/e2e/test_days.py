"""A day in the life of a Telegram bot and of a Slack workspace, replayed through every process; the inbox is printed
(`pytest -s`)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from shared.model import Me
from shared.store.db.vault import Vault
from standin.customers import CONTENTS
from tasks.tenants import onboarding
from tests.e2e.days import Step, inbox_view, replay
from tests.e2e.system import ENCRYPTION_KEY, System, private_system
from workers.sandbox.bots import Bot

GROUP, SUPERGROUP, FORUM = -4711, -1009000000001, -1009000000002
ANA, BEN = 501, 502
RETURNS = "How many days do I have to return shoes?"
SECRET = "signing-secret"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system() as system:
        system.start("gateway", "intake", "reply", "deliver")
        yield system


@pytest.fixture
def bot(system: System) -> Bot:
    bot = system.new_bot()
    body = {"url": f"{system.http.base_url}/webhooks/telegram/{bot.slug}", "secret_token": bot.secret}
    url = f"{system.standin.telegram_url}/bot{bot.token}/setWebhook"
    httpx.post(url, json=body, trust_env=False).raise_for_status()
    return bot


def test_a_day_in_telegram(system: System, bot: Bot) -> None:
    standin, token = system.standin, bot.token
    seen: dict[str, dict[str, Any]] = {}

    def write(chat: int, text: str | None = None, **more: Any) -> dict[str, Any]:
        update = standin.post_message(token, chat, text, **more)
        seen[text or more.get("kind", "")] = update["message"]
        return update

    def edit(text: str, now: str) -> None:
        standin.post_update(token, "edited_message", {**seen[text], "text": now, "edit_date": seen[text]["date"] + 9})

    def react(text: str, before: list[str], now: list[str]) -> None:
        emojis = {
            name: [{"type": "emoji", "emoji": emoji} for emoji in listed]
            for name, listed in (("old_reaction", before), ("new_reaction", now))
        }
        target = {"chat": seen[text]["chat"], "message_id": seen[text]["message_id"], "user": seen[text]["from"]}
        standin.post_update(token, "message_reaction", {**target, "date": seen[text]["date"] + 20, **emojis})

    moved = {"migrate_to_chat_id": SUPERGROUP}
    came = {"migrate_from_chat_id": GROUP, "text": None}
    day = [
        Step("08:00", "Ana starts the bot", lambda: write(ANA, "/start spring-sale")),
        Step("08:01", "she asks", lambda: write(ANA, RETURNS)),
        Step("08:02", "and likes her question, then changes her mind", lambda: react(RETURNS, [], ["👍"])),
        Step("08:02", "a heart instead", lambda: react(RETURNS, ["👍"], ["❤", "🔥"])),
        *(Step("09:00", f"Ben sends: {kind}", lambda kind=kind: write(BEN, kind=kind))  # type: ignore[misc]
          for kind in CONTENTS if kind not in ("text", "new_chat_members")),
        Step("10:00", "Ana mistypes, and mends it", lambda: write(ANA, "Do you delver?")),
        Step("10:01", "so", lambda: edit("Do you delver?", "Do you deliver to Norway?")),
        Step("11:00", "a group asks", lambda: write(GROUP, f"/ask {RETURNS}")),
        Step("11:30", "it becomes a supergroup, which asks before anybody tells us",
             lambda: write(SUPERGROUP, "/ask When are you open?")),
        Step("11:31", "now we are told", lambda: write(GROUP, more=moved)),
        Step("11:31", "from both sides", lambda: write(SUPERGROUP, more=came)),
        Step("12:00", "a forum asks in a topic", lambda: write(FORUM, f"/ask {RETURNS}", topic=77)),
        Step("12:01", "and in another", lambda: write(FORUM, "/ask Do you sell gift cards?", topic=78)),
    ]  # fmt: skip

    replay(system, day)
    view = inbox_view(system, bot.company_id, day)
    sys.stdout.write(f"\n{view}\n")

    chats = [line.split()[0] for line in view.splitlines() if "  unread " in line]
    assert chats == [str(ANA), str(BEN), str(SUPERGROUP), f"{FORUM}:77", f"{FORUM}:78"]
    assert "  customer  Do you deliver to Norway?  [edited]" in view
    assert f"  customer  {RETURNS}  [❤ 🔥]" in view
    for read in (
        "poll: Which colour?; option: red; option: blue",
        "contact: Ada Rossi; phone: +39 06 1234",
        "[document] receipt.pdf",
        "location: 41.8902, 12.4922",
        "[unsupported] story",
        "  customer  Returns",
    ):
        assert read in view  # fmt: skip
    assert not [line for line in view.splitlines() if line.strip() == "customer"], "a blank message"
    answers = standin.messages(token=token)
    assert {one["topic"] for one in answers if one["chat_id"] == FORUM} == {77, 78}
    assert [one["chat_id"] for one in answers if one["chat_id"] in (GROUP, SUPERGROUP)][-1] == SUPERGROUP
    assert "a person answers" not in view


def test_a_day_in_slack(system: System) -> None:
    bot = system.new_bot()  # its company has the documents
    me = Me("T0SHOP", "U0BOT", "A0APP")
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform="slack", company_id=bot.company_id, slug="day-slack",
            webhook_secrets=[SECRET], credentials={"token": "xoxb-day"}, me=me,
        )  # fmt: skip
    standin = system.standin
    webhook = f"{system.http.base_url}/webhooks/slack/day-slack"
    standin.register_workspace("xoxb-day", team_id="T0SHOP", webhook=webhook, signing_secret=SECRET)

    def message(channel: str, user: str, ts: str, text: str, **more: Any) -> dict[str, Any]:
        kind = {"channel_type": "im"} if channel.startswith("D") else {"channel_type": "channel"}
        return {
            "type": "message",
            "channel": channel,
            "user": user,
            "ts": ts,
            "event_ts": ts,
            "text": text,
            **kind,
            **more,
        }

    def post(event: dict[str, Any]) -> None:
        standin.post_event("xoxb-day", event)

    plain = message("C0SHOP", "U0ANA", "1795824020.000100", RETURNS)
    asking = {**plain, "text": f"<@U0BOT> {RETURNS}"}
    asked = {**asking, "type": "app_mention", "edited": {"user": "U0ANA", "ts": "1795824029.000000"}}
    changed = {"type": "message", "subtype": "message_changed", "channel": "C0SHOP", "channel_type": "channel",
               "ts": "1795824029.000100", "event_ts": "1795824029.000100", "previous_message": plain,
               "message": {**asking, "edited": {"user": "U0ANA", "ts": "1795824029.000000"}}}  # fmt: skip
    both = message("C0SHOP", "U0BEN", "1795824040.000100", "<@U0BOT> When are you open?")
    file = {"id": "F1", "name": "sole.png", "mimetype": "image/png", "size": 4711,
            "url_private": f"{standin.base_url}/file"}  # fmt: skip
    day = [
        Step("09:00", "Ana says something in a channel", lambda: post(plain)),
        Step("09:01", "and adds the bot's name: the edit …", lambda: post(changed)),
        Step("09:01", "… and the mention that it is", lambda: post(asked)),
        Step("09:10", "Ben asks: the mention comes first …", lambda: post({**both, "type": "app_mention"})),
        Step("09:10", "… then the message", lambda: post(both)),
        Step("09:20", "Cleo writes directly", lambda: post(message("D0CLEO", "U0CLEO", "1795824050.000100", RETURNS))),
        Step("09:30", "and sends a picture",
             lambda: post(message("D0CLEO", "U0CLEO", "1795824060.000100", "", subtype="file_share", files=[file]))),
    ]  # fmt: skip

    replay(system, day)
    view = inbox_view(system, bot.company_id, day)
    sys.stdout.write(f"\n{view}\n")

    chats = [line.split()[0] for line in view.splitlines() if "  unread " in line]
    assert chats == ["C0SHOP", "C0SHOP:1795824020.000100", "C0SHOP:1795824040.000100", "D0CLEO"]
    sent = standin.effects(target="slack", kind="message", token="xoxb-day")
    assert [one["thread_ts"] for one in sent if one["chat_id"] == "C0SHOP"] == [plain["ts"], both["ts"]]
    assert "@U0BOT" not in view
    assert "[image] sole.png" in view
