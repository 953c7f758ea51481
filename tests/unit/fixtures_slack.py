"""Slack's events for tests, written by us after its documentation."""

from __future__ import annotations

import itertools
from typing import Any

from shared.model import Me

ME = Me(external_id="T0HARBOUR", handle="U0BERTH", app="A0BERTH")
CUSTOMER = "U0ADA"
CHANNEL, DIRECT, GROUP = "C0BOATS", "D0ADA", "G0CREW"
TS, THREAD = "1760000000.000100", "1759999000.000200"

_ids = itertools.count(9000)


def callback(event: Any, **fields: Any) -> dict[str, Any]:
    """An event_callback as a workspace sends it; a field set to None is left out."""
    body = {
        "token": "not-used",
        "team_id": "T0HARBOUR",
        "api_app_id": "A0BERTH",
        "type": "event_callback",
        "event_id": f"Ev0{next(_ids)}",
        "event_time": 1_760_000_000,
        "authorizations": [
            {"enterprise_id": None, "team_id": "T0HARBOUR", "user_id": "U0BERTH", "is_bot": True,
             "is_enterprise_install": False}
        ],
        "is_ext_shared_channel": False,
        "event": event,
    }  # fmt: skip
    return {name: value for name, value in {**body, **fields}.items() if value is not None}


def message(**fields: Any) -> dict[str, Any]:
    """A customer's direct message; a field set to None is left out."""
    whole = {
        "type": "message", "channel": DIRECT, "channel_type": "im", "user": CUSTOMER, "team": "T0HARBOUR",
        "text": "Is berth 4 free?", "ts": TS, "event_ts": TS, "client_msg_id": "6f0c4a5e",
    }  # fmt: skip
    return {name: value for name, value in {**whole, **fields}.items() if value is not None}


def in_channel(**fields: Any) -> dict[str, Any]:
    return message(**{"channel": CHANNEL, "channel_type": "channel", **fields})


def mention(**fields: Any) -> dict[str, Any]:
    return in_channel(**{"type": "app_mention", "channel_type": None, "text": "<@U0BERTH> is berth 4 free?", **fields})


FILE = {
    "id": "F0MAP", "name": "map.png", "title": "Map", "mimetype": "image/png", "filetype": "png", "size": 4711,
    "mode": "hosted", "url_private": "https://files.slack.com/files-pri/T0HARBOUR-F0MAP/map.png",
    "url_private_download": "https://files.slack.com/files-pri/T0HARBOUR-F0MAP/download/map.png",
}  # fmt: skip


def rich(*leaves: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(leaves)}]}]


EVENTS: dict[str, dict[str, Any]] = {
    "direct": message(),
    "mention": mention(),
    "channel": in_channel(),
    "thread": in_channel(thread_ts=THREAD, parent_user_id="U0BERTH"),
    "broadcast": in_channel(
        subtype="thread_broadcast", thread_ts=THREAD, root={"user": CUSTOMER, "ts": THREAD, "reply_users": ["U0BERTH"]}
    ),
    "file": message(subtype="file_share", text="", files=[FILE]),
    "blocks": message(text="", blocks=rich({"type": "text", "text": "Is berth 4 free?"})),
    "own": message(user="U0BERTH", bot_id="B0BERTH", app_id="A0BERTH", bot_profile={"app_id": "A0BERTH"},
                   metadata={"event_type": "switchboard_part", "event_payload": {"ref": "sb.1.2"}}),
    "other bot": in_channel(user="U0CI", bot_id="B0CI", app_id="A0CI", bot_profile={"app_id": "A0CI", "name": "CI"}),
    "changed": {
        "type": "message", "subtype": "message_changed", "hidden": True, "channel": DIRECT, "channel_type": "im",
        "ts": "1760000060.000300", "event_ts": "1760000060.000300",
        "message": message(text="Is berth 5 free?", edited={"user": CUSTOMER, "ts": "1760000060.000000"}),
        "previous_message": message(),
    },
    "deleted": {
        "type": "message", "subtype": "message_deleted", "hidden": True, "channel": DIRECT, "channel_type": "im",
        "ts": "1760000060.000300", "event_ts": "1760000060.000300", "deleted_ts": TS, "previous_message": message(),
    },
    "joined": in_channel(subtype="channel_join", text="<@U0ADA> has joined the channel"),
    "reaction": {
        "type": "reaction_added", "user": CUSTOMER, "reaction": "thumbsup", "item_user": "U0BERTH",
        "item": {"type": "message", "channel": DIRECT, "ts": TS}, "event_ts": "1760000060.000300",
    },
    "assistant": {
        "type": "assistant_thread_started", "event_ts": TS,
        "assistant_thread": {"user_id": CUSTOMER, "channel_id": DIRECT, "thread_ts": THREAD, "context": {}},
    },
    "home": {"type": "app_home_opened", "user": CUSTOMER, "channel": DIRECT, "tab": "messages", "event_ts": TS},
    "revoked": {"type": "tokens_revoked", "tokens": {"oauth": ["U0ADA"], "bot": ["U0BERTH"]}},
    "uninstalled": {"type": "app_uninstalled"},
    "member": {"type": "member_joined_channel", "user": "U0BERTH", "channel": CHANNEL, "team": "T0HARBOUR"},
}  # fmt: skip

PRESS = {
    "type": "block_actions",
    "team": {"id": "T0HARBOUR", "domain": "harbour"},
    "api_app_id": "A0BERTH",
    "user": {"id": CUSTOMER, "username": "ada", "team_id": "T0HARBOUR"},
    "container": {"type": "message", "message_ts": TS, "channel_id": CHANNEL, "is_ephemeral": False},
    "channel": {"id": CHANNEL, "name": "boats"},
    "message": {"type": "message", "user": "U0BERTH", "ts": TS, "text": "Book it?"},
    "actions": [
        {"type": "button", "action_id": "book", "block_id": "b1", "value": "berth-4", "action_ts": "1760000070.000100",
         "text": {"type": "plain_text", "text": "Book berth 4", "emoji": True}}
    ],
    "trigger_id": "13345224609.738474920",
}  # fmt: skip

COMMAND = {
    "token": "not-used", "team_id": "T0HARBOUR", "team_domain": "harbour", "channel_id": CHANNEL,
    "channel_name": "boats", "user_id": CUSTOMER, "user_name": "ada", "command": "/berth", "text": "is 4 free?",
    "api_app_id": "A0BERTH", "is_enterprise_install": "false", "trigger_id": "13345224609.738474921",
    "response_url": "https://hooks.slack.com/commands/T0HARBOUR/1/x",
}  # fmt: skip

LOOK_ALIKES: dict[str, dict[str, Any]] = {
    **{name: callback(event) for name, event in EVENTS.items()},
    "limited": {"type": "app_rate_limited", "team_id": "T0HARBOUR", "minute_rate_limited": 1_760_000_040},
    "press": PRESS,
    "command": COMMAND,
}
"""One of every sort, under a name of ours."""
