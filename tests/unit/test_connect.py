"""Connecting: what each platform is asked with, what it is told, and which mistakes of people it finds."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import pytest

from shared.channels.connect import connectors
from shared.channels.connect.base import ConnectRefused, PlatformSilent, Registration

T = TypeVar("T")
ADDRESS = "https://bots.example/webhooks/x/shop"


@dataclass(frozen=True)
class Settings:
    telegram_api_url: str = "http://telegram.invalid"
    graph_api_url: str = "http://graph.invalid"
    slack_api_url: str = "http://slack.invalid/api"


BUILT = connectors(Settings())
META = {"app_id": "900", "app_secret": "planted-secret", "token": "planted-token"}


class Api:
    """A platform's API: path → what it answers. asked: (method, path, query, body, bearer)."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, str], Any, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rpartition("/")[2]
        body = json.loads(request.content) if request.content else None
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked.append((request.method, path, dict(request.url.params), body, bearer))
        said = self.answers.get(path, {"error": {"message": f"no {path}"}})
        return said if isinstance(said, httpx.Response) else httpx.Response(200, json=said)

    def run(self, work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        async def run() -> T:
            async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
                return await work(http)

        return asyncio.run(run())

    def identify(self, kind: str, **answers: str) -> Any:
        return self.run(lambda http: BUILT[kind].identify(http, answers))

    def register(self, kind: str, identity: Any, answers: dict[str, str]) -> list[str]:
        registration = Registration(ADDRESS, "planted-secret", identity, "verify-me", answers)
        return self.run(lambda http: BUILT[kind].register(http, registration))


def test_a_page_is_identified_by_its_token_and_subscribed() -> None:
    api = Api(
        debug_token={"data": {"is_valid": True, "app_id": "900", "expires_at": 0,
                              "scopes": ["pages_messaging", "pages_manage_metadata"]}},
        me={"id": "4401", "name": "Harbour"}, subscriptions={"success": True}, subscribed_apps={"success": True},
    )  # fmt: skip

    identity = api.identify("messenger", **META)
    done = api.register("messenger", identity, META)

    assert (identity.me.external_id, identity.me.app, identity.name, identity.notes) == ("4401", "900", "Harbour", ())
    assert identity.credentials == {"token": "planted-token"}
    assert len(done) == 2
    by_path = {path: (query, bearer) for _, path, query, _, bearer in api.asked}
    assert by_path["subscriptions"][1] == "900|planted-secret"
    assert by_path["subscriptions"][0]["callback_url"] == ADDRESS
    assert by_path["subscriptions"][0]["verify_token"] == "verify-me"
    assert "message_echoes" in by_path["subscribed_apps"][0]["subscribed_fields"]
    assert by_path["subscribed_apps"][1] == "planted-token"


def test_a_token_of_another_app_or_one_that_ended_is_refused_and_one_that_ends_soon_noted() -> None:
    def with_data(**data: Any) -> Api:
        return Api(debug_token={"data": data}, me={"id": "4401", "name": "Harbour"})

    with pytest.raises(ConnectRefused, match="belongs to the app 901"):
        with_data(is_valid=True, app_id="901").identify("messenger", **META)
    with pytest.raises(ConnectRefused, match="not valid"):
        with_data(is_valid=False).identify("messenger", **META)
    soon = with_data(is_valid=True, app_id="900", expires_at=1_780_000_000, scopes=[]).identify("messenger", **META)
    assert any("ends on" in note for note in soon.notes)
    assert any("pages_messaging" in note for note in soon.notes)


def test_an_account_that_is_linked_to_no_page_is_named_as_such() -> None:
    api = Api(debug_token={"data": {"is_valid": True}}, me={"id": "4401", "name": "Harbour"})
    with pytest.raises(ConnectRefused, match="no Instagram professional account is linked to the page Harbour"):
        api.identify("instagram", **META)

    linked = {"id": "4401", "instagram_business_account": {"id": "1784", "username": "harbour"}}
    identity = Api(debug_token={"data": {}}, me=linked).identify("instagram", **META)
    assert (identity.me.external_id, identity.me.handle) == ("1784", "harbour")
    assert identity.credentials["page_id"] == "4401"


def test_a_whatsapp_number_is_identified_by_its_id_and_a_bad_rating_noted() -> None:
    number = {"id": "1055", "display_phone_number": "+49 40 1", "verified_name": "Harbour", "quality_rating": "RED"}
    api = Api(**{"debug_token": {"data": {}}, "1055": number, "subscribed_apps": {"success": True}})
    answers = {**META, "phone_number_id": "1055", "account_id": "777"}

    identity = api.identify("whatsapp", **answers)
    api.register("whatsapp", identity, {"token": "planted-token"})  # no app id is known: only the account is heard

    assert (identity.me.external_id, identity.credentials["account_id"]) == ("1055", "777")
    assert any("RED" in note for note in identity.notes)
    assert [path for _, path, *_ in api.asked][-1] == "subscribed_apps"


def test_a_workspace_is_identified_by_the_bots_token_and_a_persons_is_refused() -> None:
    said = {"ok": True, "team_id": "T1", "team": "Harbour", "user_id": "U9", "user": "bot", "bot_id": "B7"}
    bot = {"ok": True, "bot": {"id": "B7", "app_id": "A1"}}
    known = Api(**{"auth.test": said, "bots.info": bot}).identify("slack", token="xoxb", signing_secret="s")
    assert known.me.app == "A1"
    identity = Api(**{"auth.test": said}).identify("slack", token="xoxb", signing_secret="s")
    assert identity.me.app is None  # without the scope users:read
    assert (identity.me.external_id, identity.me.handle, identity.credentials["bot_id"]) == ("T1", "U9", "B7")

    with pytest.raises(ConnectRefused, match="person's token"):
        Api(**{"auth.test": {**said, "bot_id": None}}).identify("slack", token="xoxp", signing_secret="s")
    with pytest.raises(ConnectRefused, match="invalid_auth"):
        Api(**{"auth.test": {"ok": False, "error": "invalid_auth"}}).identify("slack", token="x", signing_secret="s")


def test_a_program_gets_a_key_of_its_own_for_our_answers() -> None:
    identity = Api().identify("standard", name="shop", url="https://shop.example/answers")
    secret = identity.credentials["secret"]
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    for url in ("shop.example", "ftp://shop.example", "https://", "https://u:p@shop.example/", "http://[::1"):
        with pytest.raises(ConnectRefused):
            Api().identify("standard", name="shop", url=url)


@pytest.mark.parametrize("kind", sorted(BUILT))
def test_a_platform_that_is_away_or_talks_nonsense_is_told_without_secrets(kind: str) -> None:
    if kind == "standard":
        return  # nobody is asked
    answers = {question.name: f"planted-{question.name}" for question in BUILT[kind].questions}

    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("planted-token in an address")

    async def ask(answer: Callable[[httpx.Request], httpx.Response]) -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await BUILT[kind].identify(http, answers)

    with pytest.raises(PlatformSilent) as silent:
        asyncio.run(ask(away))
    assert "planted" not in str(silent.value)
    for body in (b"<html>", b"[]", b"{}", b"null", b"\xff"):
        with pytest.raises(ConnectRefused) as refused:
            asyncio.run(ask(lambda _, body=body: httpx.Response(200, content=body)))  # type: ignore[misc]
        assert "planted" not in str(refused.value)


@pytest.mark.parametrize("kind", sorted(BUILT))
def test_what_is_done_by_hand_names_the_address(kind: str) -> None:
    from shared.channels.connect.base import Identity
    from shared.model import Me

    identity = Identity(Me("1"), {"secret": "s"})
    steps = BUILT[kind].steps(Registration(ADDRESS, "planted-secret", identity, "verify-me"))
    assert any(ADDRESS in step for step in steps)
    assert any("verify-me" in step for step in steps) == BUILT[kind].handshakes
    assert any("planted-secret" in step for step in steps) == BUILT[kind].makes_secret
