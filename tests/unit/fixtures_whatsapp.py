"""WhatsApp's webhooks for tests, written by us after Meta's documentation."""

from __future__ import annotations

from typing import Any

from shared.model import Me

NUMBER_ID, NUMBER = "7001001001", "4940700100"
ME = Me(external_id=NUMBER_ID, handle="+49 40 700100")
CUSTOMER, USER_ID = "4917012345", "DE.10293847566574839201"
PERSON = {"profile": {"name": "Ada Byron", "username": "@ada"}, "wa_id": CUSTOMER, "user_id": USER_ID}
METADATA = {"display_phone_number": NUMBER, "phone_number_id": NUMBER_ID}
GROUP = "120363000000000001@g.us"


def change(field: str = "messages", **value: Any) -> dict[str, Any]:
    whole = {"messaging_product": "whatsapp", "metadata": METADATA, "contacts": [PERSON], **value}
    return {"field": field, "value": {name: each for name, each in whole.items() if each is not None}}


def body(*changes: dict[str, Any]) -> dict[str, Any]:
    entry = {"id": "90010", "time": 1_760_000_000, "changes": list(changes)}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def message(kind: str = "text", content: Any = None, sender: Any = CUSTOMER, **fields: Any) -> dict[str, Any]:
    """A customer's message; a field set to None is left out."""
    whole = {"from": sender, "id": "wamid.AAA=", "timestamp": "1760000000", "type": kind, kind: content, **fields}
    if kind == "text" and whole["text"] is None:
        whole["text"] = {"body": "Is berth 4 free?"}
    return {name: each for name, each in whole.items() if each is not None}


def messages(*each: dict[str, Any], **value: Any) -> dict[str, Any]:
    return body(change(messages=list(each), **value))


def status(named: str, **fields: Any) -> dict[str, Any]:
    whole = {"id": "wamid.OUT=", "status": named, "timestamp": "1760000060", "recipient_id": CUSTOMER, **fields}
    return {name: each for name, each in whole.items() if each is not None}


def statuses(*each: dict[str, Any], **value: Any) -> dict[str, Any]:
    return body(change(statuses=list(each), **value))


def echo(kind: str = "text", content: Any = None, **fields: Any) -> dict[str, Any]:
    return message(kind, content, NUMBER, **{"to": CUSTOMER, "id": "wamid.APP=", **fields})


def echoes(*each: dict[str, Any]) -> dict[str, Any]:
    return body(change("smb_message_echoes", message_echoes=list(each)))


_FILE = {"id": "31337", "mime_type": "image/jpeg", "sha256": "q80="}
_ERROR = {"code": 131051, "title": "Message type unknown", "error_data": {"details": "not supported"}}

LOOK_ALIKES: dict[str, dict[str, Any]] = {
    "text": messages(message()),
    "image": messages(message("image", {**_FILE, "caption": "my boat"})),
    "video": messages(message("video", {**_FILE, "mime_type": "video/mp4"})),
    "voice": messages(message("audio", {**_FILE, "mime_type": "audio/ogg; codecs=opus", "voice": True})),
    "document": messages(message("document", {**_FILE, "filename": "a.pdf", "mime_type": "application\\/pdf"})),
    "sticker": messages(message("sticker", {**_FILE, "animated": False})),
    "location": messages(message("location", {"latitude": 53.5, "longitude": "9.9", "name": "L\\u00fcbeck"})),
    "contacts": messages(
        message("contacts", [{"name": {"formatted_name": "Bo"}, "phones": [{"phone": "+49 1", "wa_id": "491"}]}])
    ),
    "button": messages(message("button", {"text": "Yes", "payload": "yes-1"}, context={"id": "wamid.T="})),
    "button_reply": messages(
        message("interactive", {"type": "button_reply", "button_reply": {"id": "b1", "title": "Book"}})
    ),
    "list_reply": messages(message("interactive", {"type": "list_reply", "list_reply": {"id": "l1", "title": "Two"}})),
    "flow": messages(
        message("interactive", {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": '{"a":1}'}})
    ),
    "order": messages(
        message("order", {"catalog_id": "77", "product_items": [{"product_retailer_id": "SKU", "quantity": "2"}]})
    ),
    "reaction": messages(message("reaction", {"message_id": "wamid.OUT=", "emoji": "👍"})),
    "edit": messages(
        message("edit", {"original_message_id": "wamid.O=", "message": {"type": "text", "text": {"body": "new"}}})
    ),
    "revoke": messages(message("revoke", {"original_message_id": "wamid.O="})),
    "number_changed": messages(message("system", {"type": "user_changed_number", "wa_id": "4917099", "body": "moved"})),
    "unsupported": messages(message("unsupported", {"type": "poll"}, errors=[_ERROR])),
    "ephemeral": messages(message("ephemeral", errors=[_ERROR])),
    "request_welcome": messages(message("request_welcome")),
    "group": messages(message(group_id=GROUP)),
    "referral": messages(message(referral={"source_id": "AD1", "source_type": "ad", "ctwa_clid": "c"})),
    "user_id_only": messages(
        message(sender=None, from_user_id=USER_ID), contacts=[{"profile": {"name": "A"}, "user_id": USER_ID}]
    ),
    "sent": statuses(status("sent", pricing={"category": "service"}, biz_opaque_callback_data="sb.3.14")),
    "failed": statuses(status("failed", errors=[{"code": 131047, "title": "Re-engagement message"}])),
    "echo": echoes(echo()),
    "echo_edit": echoes(
        echo("edit", {"original_message_id": "wamid.P=", "message": {"type": "text", "text": {"body": "better"}}})
    ),
    "echo_revoke": echoes(echo("revoke", {"original_message_id": "wamid.P="})),
    "groups": body(
        change(
            "group_participants_update",
            groups=[{"group_id": GROUP, "type": "group_participants_add", "added_participants": [{"wa_id": CUSTOMER}]}],
        )
    ),
    "preference": body(
        change("user_preferences", user_preferences=[{"wa_id": CUSTOMER, "value": "stop", "timestamp": 1_760_000_000}])
    ),
    "user_id_update": body(
        change("user_id_update", user_id_update=[{"user_id": {"previous": USER_ID, "current": "DE.2"}}])
    ),
    "history": body(change("history", history=[{"metadata": {"phase": 0}, "threads": [{"id": "1", "messages": []}]}])),
    "account": body(
        {"field": "account_update", "value": {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}}}
    ),
    "quality": body(
        {"field": "phone_number_quality_update", "value": {"event": "FLAGGED", "current_limit": "TIER_1K"}}
    ),
    "template": body({"field": "message_template_status_update", "value": {"event": "REJECTED"}}),
    "calls": body(change("calls", calls=[{"id": "wacid.1", "from": CUSTOMER, "event": "connect"}])),
}
