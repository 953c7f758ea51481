"""Slack's Events API → events: one a body. https://docs.slack.dev/reference/events"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.channels.fields import Json, content_key, inner, key, moment, opaque_id, written
from shared.channels.slack import action as slack_action
from shared.channels.slack import message as slack_message
from shared.channels.slack.update import ID_LIMIT, Update, account_of, address, id_of, place_of, time_of, update_of
from shared.model import InboundEvent, Kind, Me, Reason

# The first prefix that fits names why an event is none that we know more of.
_OTHERS: tuple[tuple[str, Reason], ...] = (
    ("assistant_thread_", "assistant_thread"), ("app_home_", "app_home"), ("member_", "membership"),
    ("channel_", "channel_changed"), ("group_", "channel_changed"), ("im_", "channel_changed"),
    ("mpim_", "channel_changed"), ("shared_channel_", "channel_changed"), ("team_", "workspace_changed"),
    ("user_", "workspace_changed"), ("subteam_", "workspace_changed"), ("emoji_", "workspace_changed"),
    ("dnd_", "workspace_changed"), ("email_", "workspace_changed"), ("grid_", "workspace_changed"),
    ("file_", "file"), ("pin_", "pin"), ("star_", "pin"), ("bookmark_", "pin"), ("link_", "link_shared"),
    ("call_", "call"), ("function_", "workflow"), ("workflow_", "workflow"), ("message_metadata_", "metadata"),
    ("invite_", "membership"), ("scope_", "scopes"), ("resources_", "scopes"), ("entity_", "link_shared"),
)  # fmt: skip


Reader = Callable[[Update], InboundEvent]


def parse(body: Json, me: Me) -> list[InboundEvent]:
    """All events of a body of any shape, at least one."""
    if slack_action.is_one(body):
        return slack_action.parse(body, account_of(body))
    if body.get("type") == "app_rate_limited":
        return [_rate_limited(body, account_of(body))]
    update = update_of(body, me)
    if update is None:
        known = body.get("type") == "url_verification" or body.get("ssl_check") is not None
        reason: Reason = "handshake" if known else "unknown_update"
        name = content_key("body", dict(body))
        return [InboundEvent("other", False, reason, None, None, None, name, account=account_of(body))]
    return [READERS.get(str(update.event.get("type")), _other)(update)]


def shard_key(body: Json) -> str:
    event = inner(body, "event")
    found = place_of(event)[0] or place_of(inner(event, "item"))[0] or place_of(inner(event, "assistant_thread"))[0]
    return found or id_of(inner(event, "assistant_thread").get("channel_id")) or place_of(body)[0] or id_of(
        body.get("channel_id")
    ) or ""  # fmt: skip


def _told(update: Update, kind: Kind, reason: Reason, dedupe_key: str | None = None, **more: Any) -> InboundEvent:
    """An event that is no message: who caused it and where, as far as it says."""
    event = update.event
    thread = inner(event, "assistant_thread")
    channel = place_of(event)[0] or place_of(inner(event, "item"))[0] or id_of(thread.get("channel_id"))
    user = event.get("user")
    fields = {
        "sender": id_of(user) or id_of(inner(event, "user").get("id")) or id_of(thread.get("user_id")),
        "chat": address(channel, id_of(thread.get("thread_ts")), None),
        "external_id": None,
        "dedupe_key": dedupe_key or update.fallback_key(),
        "account": update.account,
        "sent_at": time_of(event.get("event_ts")),
        **more,
    }
    return InboundEvent(kind, False, reason, **fields)


def _reaction(status: str) -> Reader:
    def read(update: Update) -> InboundEvent:
        item, name = inner(update.event, "item"), written(update.event.get("reaction"), ID_LIMIT)
        ts = id_of(item.get("ts"))
        return _told(
            update, "reaction", "reaction", status=status, targets=(ts,) if ts is not None else (),
            text=f":{name}:" if name and status == "added" else None,
            payload=name,
        )  # fmt: skip

    return read


def _revoked(update: Update) -> InboundEvent:
    """Tokens that are good no more. Those of other users than our bot do not matter to the channel."""
    if update.event.get("type") != "tokens_revoked":
        return _told(update, "account", "app_uninstalled", status="revoked")
    bots = inner(update.event, "tokens").get("bot")
    revoked = {id_of(user) for user in bots[:1000]} if isinstance(bots, list) else set()
    ours = bool(revoked & update.us) if update.us else bool(revoked)
    if not ours:
        return _told(update, "account", "user_tokens_revoked", status="user_tokens_revoked")
    return _told(update, "account", "tokens_revoked", status="revoked")


def _member(update: Update) -> InboundEvent:
    ours = id_of(update.event.get("user")) in update.us
    status = "joined" if update.event.get("type") == "member_joined_channel" else "left"
    return _told(update, "account" if ours else "other", "membership", status=status)


def _rate_limited(body: Json, account: str | None) -> InboundEvent:
    """Slack drops events of a workspace that has more than 30,000 an hour; this says so, once a minute."""
    minute = opaque_id(body.get("minute_rate_limited"))
    name = key("app_rate_limited", account or "", minute) if minute else content_key("app_rate_limited", dict(body))
    return InboundEvent(
        "account", False, "rate_limited", None, None, None, name, account=account, status="rate_limited",
        sent_at=moment(body.get("minute_rate_limited")),
    )  # fmt: skip


def _other(update: Update) -> InboundEvent:
    kind = str(update.event.get("type"))
    return _told(update, "other", next((why for prefix, why in _OTHERS if kind.startswith(prefix)), "unknown_event"))


READERS: dict[str, Reader] = {
    "message": slack_message.read,
    "app_mention": slack_message.said,
    "reaction_added": _reaction("added"),
    "reaction_removed": _reaction("removed"),
    "tokens_revoked": _revoked,
    "app_uninstalled": _revoked,
    "app_uninstalled_team": _revoked,
    "member_joined_channel": _member,
    "member_left_channel": _member,
}
