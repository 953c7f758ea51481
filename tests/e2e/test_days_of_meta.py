"""A day in the life of a WhatsApp number, a Messenger page and an Instagram account, replayed through every process;
the inbox is printed (`pytest -s`)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared.model import Me
from shared.store.db.vault import Vault
from standin.meta_customers import PAGES, WHATSAPP
from tasks.tenants import onboarding
from tests.e2e.days import Step, inbox_view, replay
from tests.e2e.system import ENCRYPTION_KEY, System, private_system
from workers.sandbox.bots import Bot

RETURNS = "How many days do I have to return shoes?"
SECRET, OUR_APP, INSTANT_REPLIES = "the-apps-secret", "5550001", 263902037430900


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system() as system:
        system.start("gateway", "intake", "reply", "deliver")
        yield system


def _connect(system: System, platform: str, account: str) -> tuple[Bot, str]:
    """A company with documents and this account; and the address of its webhook."""
    bot = system.new_bot()
    slug = f"day-{platform}"
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform=platform, company_id=bot.company_id, slug=slug,
            webhook_secrets=[SECRET], credentials={"token": f"token-{platform}"}, me=Me(account, app=OUR_APP),
        )  # fmt: skip
    return bot, f"{system.http.base_url}/webhooks/{platform}/{slug}"


def _print(view: str) -> None:
    sys.stdout.write(f"\n{view}\n")


def test_a_day_in_whatsapp(system: System) -> None:
    number, ana, plain, user = "7001001001", "5215500000012", "525500000012", "MX.70011223344"
    bot, webhook = _connect(system, "whatsapp", number)
    standin = system.standin
    standin.register_number(number, "token-whatsapp", app_secret=SECRET, webhook=webhook)
    names = iter(f"wamid.{n}" for n in range(1, 100))

    def send(kind: str, wa_id: str | None = ana, *, users: str | None = None, **more: Any) -> None:
        person = {
            "profile": {"name": "Ana"},
            **({"wa_id": wa_id} if wa_id else {}),
            **({"user_id": users} if users else {}),
        }
        told = {"from_user_id": users, **more} if users else more
        standin.post_whatsapp(number, kind, wa_id, message_id=next(names), contacts=[person], more=told)

    def ask(text: str, wa_id: str | None = ana, **more: Any) -> None:
        send("text", wa_id, text={"body": text}, **more)

    def deliver() -> None:
        sent = standin.effects(target="whatsapp", kind="message", token="token-whatsapp")[-1]
        status = {"id": sent["message_id"], "status": "read", "timestamp": str(int(time.time())), "recipient_id": plain}
        standin.post_change(number, "messages", {"statuses": [status]})

    def out_of_order() -> None:
        at = int(time.time()) + 5
        said = [
            {"from": "49170", "id": f"wamid.o{n}", "timestamp": str(at - 4 * n), "type": "text", "text": {"body": text}}
            for n, text in enumerate(("to Norway?", "Do you deliver"))
        ]
        person = {"profile": {"name": "Ben"}, "wa_id": "49170"}
        standin.post_change(number, "messages", {"contacts": [person], "messages": said})

    def take_back() -> None:
        ask("wrong chat, sorry!", "49171", id="wamid.revoked")
        send("text", "49171", type="revoke", revoke={"original_message_id": "wamid.revoked"})

    def echo() -> None:
        told = {"from": "4940700100", "to": plain, "id": "wamid.app", "timestamp": str(int(time.time()) + 60),
                "type": "text", "text": {"body": "Ann here, from the app"}}  # fmt: skip
        standin.post_change(number, "smb_message_echoes", {"message_echoes": [told]})

    led = {"source_type": "ad", "source_id": "9", "headline": "Boots -20 %", "source_url": "https://fb.me/x"}
    day = [
        Step("08:00", "Ana comes from an advertisement", lambda: ask("Hello!", referral=led)),
        Step("08:01", "she asks", lambda: ask(RETURNS)),
        Step("08:02", "her answer is read, says a status in her number's other spelling", deliver),
        Step("09:00", "she writes under the id that only the business sees", lambda: ask(RETURNS, None, users=user)),
        Step("09:01", "and now under both: one person", lambda: ask("Do you sell gift cards?", users=user)),
        *(Step("10:00", f"Cleo sends: {kind}", lambda kind=kind: send(kind, "49172"))  # type: ignore[misc]
          for kind in WHATSAPP if kind not in ("text", "button")),
        Step("11:00", "Ben's two messages come in the wrong order", out_of_order),
        Step("11:30", "somebody takes a message back", take_back),
        Step("12:00", "Ann answers by the app, to the other spelling", echo),
    ]  # fmt: skip

    replay(system, day)
    view = inbox_view(system, bot.company_id, day)
    _print(view)

    chats = [line.split()[0] for line in view.splitlines() if "  unread " in line]
    assert sorted(chats) == sorted([ana, "49172", "49170", "49171"])
    assert "49171  Ana  unread 0" in view
    assert view.index("Do you deliver") < view.index("to Norway?")
    assert "[read]" in view
    for read in (
        "Hello! + ad: ad; headline: Boots -20 %; link: https://fb.me/x",
        "size: 43 reason: too small + form: flow; size: 43; reason: too small",
        "Norway + choice: description: 5 days",
        "location: Colosseum; 41.8902, 12.4922",
        "contacts: Ada Rossi +39 06 1234",
        "2 × BOOT-43; price of BOOT-43: 49.9 EUR",
        "Ann here, from the app",
    ):
        assert read in view, read
    assert not [line for line in view.splitlines() if line.strip() == "customer"], "a blank message"


@pytest.mark.parametrize(("platform", "kind"), [("messenger", "page"), ("instagram", "instagram")])
def test_a_day_on_a_page(system: System, platform: str, kind: str) -> None:
    account = {"messenger": "700900", "instagram": "17841400000000001"}[platform]
    bot, webhook = _connect(system, platform, account)
    standin = system.standin
    standin.register_node(
        account, kind, f"token-{platform}", app_id=OUR_APP, app_secret=SECRET, echo_url=webhook
    )  # fmt: skip
    names = iter(f"mid.{platform}.{n}" for n in range(1, 100))
    now = int(time.time() * 1000)

    def item(customer: str, at_s: float = 0, *, echo: bool = False, **message: Any) -> dict[str, Any]:
        them, us = {"id": customer}, {"id": account}
        said = {"mid": next(names), **message, **({"is_echo": True, "app_id": INSTANT_REPLIES} if echo else {})}
        parties = {"sender": us, "recipient": them} if echo else {"sender": them, "recipient": us}
        return {**parties, "timestamp": now + int(1000 * at_s), "message": said}

    def started() -> None:
        pressed = {"mid": next(names), "title": "Get Started", "payload": "GET_STARTED"}
        standin.post_page(account, {**item("11"), "message": None, "postback": pressed})

    def instant_reply() -> None:
        standin.post_page(account, item("12", 60, text=RETURNS), item("12", 60.5, echo=True, text="We answer soon!"))

    day = [
        Step("08:00", "Ana presses Get started", started),
        Step("08:01", "she asks", lambda: standin.post_page(account, item("11", 5, text=RETURNS))),
        Step("09:00", "Ben asks, and another application answers at once", instant_reply),
        *(Step("10:00", f"Cleo sends: {name}",
               lambda name=name: standin.post_page(account, item("13", 90, **PAGES[name])))  # type: ignore[misc]
          for name in ("story_mention", "like_heart")),
        Step("11:00", "a person answers Dan by a card",
             lambda: standin.post_page(account, item("14", 95, text="Hello!"),
                                       item("14", 400, echo=True, **PAGES["template"]))),
    ]  # fmt: skip

    replay(system, day)
    view = inbox_view(system, bot.company_id, day)
    _print(view)

    told = {line.split()[0]: line for line in view.splitlines() if "  unread " in line}
    assert sorted(told) == ["11", "12", "13", "14"]
    assert [("the bot answers" in told[chat]) for chat in ("11", "12", "13", "14")] == [True, True, True, False]
    sent = {one["chat_id"]: one for one in standin.effects(kind="message", token=f"token-{platform}")}
    assert "30 days" in sent["12"]["text"]
    assert "13" not in sent, "a mention and a heart want no text"
    assert "template: Boots; subtitle: Waterproof; price: 49 €; button: Buy (https://h.example/b)" in view
    assert "[story_mention]" in view
