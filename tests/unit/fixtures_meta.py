"""Webhooks of Messenger and Instagram for tests, written by us after their documentation."""

from __future__ import annotations

from typing import Any

from shared.model import Me

PAGE, CUSTOMER, OUR_APP = "700100", "5551", "4242"
ME = Me(external_id=PAGE, app=OUR_APP)
AT_MS = 1_760_000_000_250
MID = "m_abcDEF-123"


def item(*, ours: bool = False, **fields: Any) -> dict[str, Any]:
    """One thing that happened between the customer and the page. ours: the page caused it."""
    parties = [{"id": CUSTOMER}, {"id": PAGE}]
    sender, recipient = reversed(parties) if ours else parties
    return {"sender": sender, "recipient": recipient, "timestamp": AT_MS, **fields}


def body(*items: dict[str, Any], under: str = "messaging", page: str = PAGE, kind: str = "page") -> dict[str, Any]:
    return {"object": kind, "entry": [{"id": page, "time": AT_MS + 50, under: list(items)}]}


def change(field: str, value: Any) -> dict[str, Any]:
    return body({"field": field, "value": value}, under="changes")


def message(**fields: Any) -> dict[str, Any]:
    """A customer's text; a field set to None is left out."""
    whole = {"mid": MID, "text": "Do you ship to Malta?", **fields}
    return item(message={name: value for name, value in whole.items() if value is not None})


def attached(kind: str, **payload: Any) -> dict[str, Any]:
    return message(text=None, attachments=[{"type": kind, "payload": payload}])


ECHO = {"mid": MID, "is_echo": True, "app_id": int(OUR_APP), "metadata": "sb.1.2", "text": "We do."}
COMMENT = {
    "item": "comment", "verb": "add", "comment_id": "9_1", "post_id": "700100_9", "parent_id": "9_0", "message": "Nice",
    "from": {"id": CUSTOMER, "name": "Ada Byron"}, "created_time": 1_760_000_000,
}  # fmt: skip

LOOK_ALIKES: dict[str, dict[str, Any]] = {
    "text": body(message()),
    "reply": body(message(reply_to={"mid": "m_before"})),
    "quick_reply": body(message(text="Yes", quick_reply={"payload": "SHIP_YES"})),
    "image": body(attached("image", url="https://cdn.example/1.jpg")),
    "location": body(attached("location", coordinates={"lat": 35.9, "long": 14.5})),
    "sticker": body(attached("image", url="https://cdn.example/s.png", sticker_id=369239263222822)),
    "story_reply": body(message(reply_to={"story": {"id": "178", "url": "https://cdn.example/story"}})),
    "ad": body(message(referral={"source": "ADS", "type": "OPEN_THREAD", "ad_id": "6045"})),
    "unsupported": body(message(text=None, is_unsupported=True)),
    "deleted": body(message(text=None, is_deleted=True)),
    "echo": body(item(ours=True, message=ECHO)),
    "edit": body(item(message_edit={"mid": MID, "text": "To Malta?", "num_edit": 1})),
    "postback": body(item(postback={"mid": MID, "title": "Track my order", "payload": "TRACK"})),
    "reaction": body(item(reaction={"mid": MID, "action": "react", "emoji": "❤", "reaction": "love"})),
    "delivery": body(item(delivery={"mids": [MID, "m_2"], "watermark": AT_MS})),
    "read": body(item(read={"watermark": AT_MS})),
    "seen": body(item(read={"mid": MID})),
    "referral": body(item(referral={"ref": "winter", "source": "SHORTLINK", "type": "OPEN_THREAD"})),
    "optin": body({"recipient": {"id": PAGE}, "timestamp": AT_MS, "optin": {"ref": "news", "user_ref": "guest-7"}}),
    "pass": body(item(pass_thread_control={"new_owner_app_id": OUR_APP, "metadata": "yours"})),
    "take": body(item(take_thread_control={"previous_owner_app_id": OUR_APP})),
    "linking": body(item(account_linking={"status": "unlinked"})),
    "policy": body({"recipient": {"id": PAGE}, "timestamp": AT_MS, "policy_enforcement": {"action": "block"}}),
    "game": body(item(game_play={"game_id": "1", "payload": "{}"})),
    "standby": body(message(), under="standby"),
    "comment": change("feed", COMMENT),
    "mention": change("mentions", {"comment_id": "178", "media_id": "179"}),
    "tested": change("messages", message()),
    "unknown": body(item(hologram={"mid": MID})),
}
