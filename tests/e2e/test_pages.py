"""Messenger and Instagram with every process: signed webhooks of several pages in, answers out, echoes round."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from time import time
from typing import Any

import httpx
import psycopg
import pytest

from shared.channels.meta import graph as meta
from shared.model import Me, read_ref
from shared.settings import PROJECT_ROOT, child_environment
from shared.store.db.vault import Vault
from shared.store.tenants import companies
from tasks.tenants import onboarding
from tests.e2e.checks import check_one_reply_a_turn, check_unread
from tests.e2e.system import ENCRYPTION_KEY, System, private_system
from workers.commands.data import add_file
from workers.local import KNOWLEDGE

SECRET, VERIFY_TOKEN, APP = "an-app-secret", "a-verify-token", "4242"
QUESTION = "How many days do I have to return shoes?"
OBJECTS = {"messenger": "page", "instagram": "instagram"}
_numbers = count(1)


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system() as system:
        system.start("gateway", "intake", "reply", "deliver")
        yield system


@dataclass(frozen=True)
class Page:
    """A company's page or account; all of one platform are under the same application."""

    platform: str
    id: str
    company_id: int

    @property
    def address(self) -> str:
        return f"/webhooks/{self.platform}/our-{self.platform}-app"


def connect(system: System, platform: str, **node: Any) -> Page:
    """A company of its own with the demo's knowledge and one page or account, which the stand-in knows. node: how it
    echoes."""
    number = next(_numbers)
    page_id, token = f"17841400{number}", f"EAAtoken{number}"
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        company = companies.ensure(conn, f"{platform} {number}")
        onboarding.connect_account(
            conn, Vault([ENCRYPTION_KEY]), platform=platform, company_id=company.id, slug=f"our-{platform}-app",
            webhook_secrets=[SECRET], credentials={"token": token, "app_secret": SECRET},
            me=Me(page_id, f"page{number}", APP), verify_token=VERIFY_TOKEN,
        )  # fmt: skip
        for path in sorted(KNOWLEDGE.glob("*.md")):
            add_file(conn, company.id, path)
    fields = {"app_id": APP, "app_secret": SECRET, "proof": True, **node}
    system.standin.register_node(page_id, OBJECTS[platform], token, **fields)
    return Page(platform, page_id, company.id)


def entry(page: Page, customer: str, text: str) -> dict[str, Any]:
    now = int(time() * 1000)
    said = {"mid": f"m_in_{next(_numbers)}", "text": text}
    item = {"sender": {"id": customer}, "recipient": {"id": page.id}, "timestamp": now, "message": said}
    return {"id": page.id, "time": now, "messaging": [item]}


def post(system: System, page: Page, *entries: dict[str, Any], secret: str = SECRET) -> httpx.Response:
    raw = json.dumps({"object": OBJECTS[page.platform], "entry": list(entries)}).encode()
    headers = {"content-type": "application/json", "x-hub-signature-256": meta.signature(raw, secret)}
    return system.http.post(page.address, content=raw, headers=headers)


def parts_of(system: System, page: Page) -> list[tuple[int, str]]:
    return system.rows("SELECT id, state FROM outbound WHERE company_id = %s ORDER BY id", page.company_id)


@pytest.mark.parametrize("platform", sorted(OBJECTS))
def test_a_signed_question_is_answered_and_a_forged_one_refused(system: System, platform: str) -> None:
    page = connect(system, platform)
    system.standin.fault("openai", "latency", latency_s=1.0)  # time enough to show that we type

    assert post(system, page, entry(page, "66", QUESTION), secret="a-guess").status_code == 401
    assert post(system, page, entry(page, "55", QUESTION)).status_code == 200

    [sent] = system.standin.wait_effects(1, 20, target="graph", kind="message", node=page.id)
    system.wait_at_rest()
    assert (sent["chat_id"], sent["tag"]) == ("55", None)
    assert "30 days" in sent["text"]
    [(part_id, state)] = parts_of(system, page)
    assert state == "sent"
    assert read_ref(sent["ref"]) == ((page.company_id, part_id) if platform == "messenger" else None)
    shown = system.standin.effects(target="graph", kind="chat_action", node=page.id)
    assert [effect["action"] for effect in shown][:2] == ["mark_seen", "typing_on"]
    check_unread(system)


def test_the_subscription_shakes_hands(system: System) -> None:
    page = connect(system, "messenger")
    asked = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}

    answer = system.http.get(page.address, params=asked)

    assert (answer.status_code, answer.text) == (200, "1158201444")
    assert system.http.get(page.address, params={**asked, "hub.verify_token": "other"}).status_code == 403


def test_a_page_is_connected_by_one_command_and_answers(system: System) -> None:
    """Identified by its token, the application's address set and tried by the platform, the page heard."""
    number = next(_numbers)
    page_id, token, public = f"17841500{number}", f"EAAnew{number}", f"http://127.0.0.1:{system.config.gateway.port}"
    system.standin.register_node(page_id, "page", token, app_id=APP, app_secret=SECRET, name="New page")
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        company = companies.ensure(conn, f"new {number}")
        for path in sorted(KNOWLEDGE.glob("*.md")):
            add_file(conn, company.id, path)
    words = [
        "channel",
        "connect",
        "messenger",
        "--company",
        f"new-{number}",
        "--slug",
        f"new-{number}",
        "--answers",
        "-",
    ]
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "workers.commands", *words, "--public-url", public],
        input=json.dumps({"app_id": APP, "app_secret": SECRET, "token": token}), cwd=PROJECT_ROOT, text=True,
        env=child_environment(system.environment()), capture_output=True, timeout=60, check=False,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert "connected New page" in ended.stdout
    [set_up] = system.standin.effects(target="graph", kind="app_subscription", node=APP)
    assert set_up["url"] == f"{public}/webhooks/messenger/new-{number}"
    assert system.standin.effects(target="graph", kind="subscription", node=page_id)
    raw = json.dumps({"object": "page", "entry": [entry(Page("messenger", page_id, 0), "56", QUESTION)]}).encode()
    headers = {"content-type": "application/json", "x-hub-signature-256": meta.signature(raw, SECRET)}
    assert system.http.post(f"/webhooks/messenger/new-{number}", content=raw, headers=headers).status_code == 200
    [sent] = system.standin.wait_effects(1, 20, target="graph", kind="message", node=page_id)
    assert "30 days" in sent["text"]


@pytest.mark.parametrize("platform", sorted(OBJECTS))
def test_one_request_of_several_pages_reaches_each_company_and_no_other(system: System, platform: str) -> None:
    """The same customer's id at both, too: it means another person at each page."""
    ours, theirs = connect(system, platform), connect(system, platform)
    strange = Page(platform, "999", 0)

    batch = [entry(ours, "55", QUESTION), entry(strange, "55", QUESTION), entry(theirs, "55", QUESTION)]
    assert post(system, ours, *batch).status_code == 200

    for page in (ours, theirs):
        [sent] = system.standin.wait_effects(1, 20, target="graph", kind="message", node=page.id)
        assert "30 days" in sent["text"]
    system.wait_at_rest()
    found = system.rows("SELECT company_id, text FROM messages WHERE role = 'customer' AND company_id = ANY(%s)",
                        [ours.company_id, theirs.company_id])  # fmt: skip
    assert sorted(found) == sorted([(ours.company_id, QUESTION), (theirs.company_id, QUESTION)])
    assert system.standin.attempts(target="graph", node="999") == []


@pytest.mark.parametrize("platform", sorted(OBJECTS))
def test_our_own_echo_triggers_nothing_though_it_comes_before_the_send_returns(system: System, platform: str) -> None:
    page = connect(system, platform)
    echo_url = f"{system.http.base_url}".rstrip("/") + page.address
    fields = {"app_id": APP, "app_secret": SECRET, "echo_url": echo_url, "echo_first": True}
    system.standin.register_node(page.id, OBJECTS[platform], f"EAAtoken{page.id[8:]}", **fields)

    assert post(system, page, entry(page, "55", QUESTION)).status_code == 200

    [echo] = system.standin.wait_effects(1, 20, target="graph", kind="echo", node=page.id)
    assert echo["status"] == 200
    system.wait_at_rest()
    assert len(system.standin.effects(target="graph", kind="message", node=page.id)) == 1
    assert [state for _, state in parts_of(system, page)] == ["sent"]
    assert system.rows("SELECT count(*) FROM turns WHERE company_id = %s", page.company_id) == [(1,)]
    told = system.rows("SELECT kind FROM webhook_events WHERE company_id = %s ORDER BY kind", page.company_id)
    assert told == [("echo",), ("message",)]
    [(enabled,)] = system.rows("SELECT bot_enabled FROM conversations WHERE company_id = %s", page.company_id)
    assert enabled
    check_one_reply_a_turn(system)
