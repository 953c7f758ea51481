"""What the stand-in knows again after it was killed: who may call, and where webhooks go."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx

from standin.process import StandinProcess
from tests.contract.standin_client import TOKEN


def _telegram(process: StandinProcess, method: str, **fields: object) -> dict[str, object]:
    url = f"{process.base_url}/bot{TOKEN}/{method}"
    found: dict[str, object] = httpx.post(url, json=fields, trust_env=False).json()
    return found


def _killed(process: StandinProcess) -> None:
    process.process.kill()
    process.process.wait(10)


def test_a_stand_in_that_was_killed_knows_its_bots_keys_pages_and_numbers_again(tmp_path: Path) -> None:
    state = tmp_path / "standin.json"
    with StandinProcess(state_file=state) as first:
        first.client.register_bot(TOKEN, "shop_bot")
        first.client.register_key("a-key")
        first.client._call("POST", "nodes", id="1001", kind="page", token="page-token", app_secret="s")
        first.client._call(
            "POST", "numbers", number_id="2002", token="wa", display="15550001", account_id="3003", app_secret="s"
        )
        assert _telegram(first, "setWebhook", url="https://shop.example/hook")["ok"] is True
        sent = _telegram(first, "sendMessage", chat_id=42, text="one")
        _killed(first)
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    with StandinProcess(state_file=state) as second:
        told = _telegram(second, "getWebhookInfo")["result"]
        assert isinstance(told, dict)
        assert told["url"] == "https://shop.example/hook"
        models = httpx.get(
            f"{second.base_url}/v1/models", headers={"authorization": "Bearer a-key"}, trust_env=False
        ).json()
        assert "standin-1" in {one["id"] for one in models["data"]}
        page = httpx.get(
            f"{second.base_url}/v23.0/1001/subscribed_apps", params={"access_token": "page-token"}, trust_env=False
        )
        assert (page.status_code, page.json()["data"]) == (200, [])
        again = _telegram(second, "sendMessage", chat_id=42, text="two")
        ids = [one["result"]["message_id"] for one in (sent, again) if isinstance(one["result"], dict)]
        assert ids[1] > ids[0]  # never the number of a message from before
        second.client.revoke_bot(TOKEN)
        _killed(second)
    with StandinProcess(state_file=state) as third:
        assert _telegram(third, "getMe")["error_code"] == 401


def test_a_file_that_is_none_begins_empty(tmp_path: Path) -> None:
    state = tmp_path / "standin.json"
    state.write_text('{"bots": [{"tok')
    with StandinProcess(state_file=state) as process:
        assert _telegram(process, "getMe")["error_code"] == 401
