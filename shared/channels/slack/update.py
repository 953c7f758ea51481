"""What all of Slack's events share: whose workspace, which conversation, who we are in it.

An answer goes where the question was asked: `<channel>` in a direct message, `<channel>:<thread>` in a thread, and in a
channel under the message that mentions us, which opens a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.channels.fields import Json, bounded, content_key, inner, key, moment, opaque_id, written
from shared.model import Me, read_ref

ID_LIMIT = 128
_SLACKBOT = "USLACKBOT"
_BOTS = ("bot_message", "slackbot_response")


@dataclass(frozen=True, slots=True)
class Update:
    """What an event_callback holds. me: the user ids by which we know ourselves. us: with the bot for which Slack sent
    the event. app: our application's id."""

    event: Json
    event_id: str | None
    account: str | None
    me: frozenset[str]
    us: frozenset[str]
    app: str | None

    def fallback_key(self) -> str:
        """For what has no better id: Slack sends an event again under the same one."""
        if self.event_id is not None:
            return key("event", self.event_id)
        return content_key("event", dict(self.event))


def update_of(body: Json, me: Me) -> Update | None:
    """None: the body holds no event."""
    event = body.get("event")
    if not isinstance(event, dict):
        return None
    known = frozenset(user for user in (me.handle, me.external_id) if user)
    return Update(
        event=event,
        event_id=id_of(body.get("event_id")),
        account=account_of(body),
        me=known,
        us=known | _sent_for(body),
        app=me.app or id_of(body.get("api_app_id")),
    )


def account_of(body: Json) -> str | None:
    """The workspace that our application is installed in.

    In a channel shared between organisations `team_id` may be the other side's: the authorization says which of our
    installations is meant, unless the channel is none. One for a whole organisation is known by the organisation's id.
    """
    granted = body.get("authorizations")
    first = granted[0] if isinstance(granted, list) and granted and isinstance(granted[0], dict) else {}
    if first.get("is_enterprise_install") is True:
        found = id_of(first.get("enterprise_id")) or id_of(first.get("team_id"))
        if found is not None:
            return found
    shared = body.get("is_ext_shared_channel") is not False
    ours, said = id_of(first.get("team_id")), id_of(body.get("team_id")) or id_of(inner(body, "team").get("id"))
    return (ours or said if shared else said or ours) or id_of(inner(body, "enterprise").get("id"))


def id_of(value: Any) -> str | None:
    return bounded(opaque_id(value), ID_LIMIT)


def _sent_for(body: Json) -> frozenset[str]:
    """The bots for which Slack sent the event."""
    granted = body.get("authorizations")
    listed = granted[:10] if isinstance(granted, list) else []
    bots = (id_of(one.get("user_id")) for one in listed if isinstance(one, dict) and one.get("is_bot") is True)
    return frozenset(user for user in bots if user)


def place_of(event: Json) -> tuple[str | None, bool]:
    """(the channel's id, whether it is a direct message with us)."""
    channel = id_of(event.get("channel")) or id_of(inner(event, "channel").get("id"))
    named = event.get("channel_type")
    direct = named in ("im", "app_home", "D") if isinstance(named, str) else (channel or "").startswith("D")
    return channel, direct


def address(channel: str | None, thread: str | None, opens: str | None) -> str | None:
    """Where answers go. opens: the message that a new thread would hang on."""
    under = thread or opens
    return f"{channel}:{under}" if channel is not None and under is not None else channel


def split_address(chat: str) -> tuple[str, str | None]:
    """(channel, thread) of an address."""
    channel, _, thread = chat.partition(":")
    return channel, thread or None


def time_of(ts: Any) -> datetime | None:
    try:
        return moment(float(ts)) if isinstance(ts, str) and len(ts) < 32 else moment(ts)
    except (ValueError, OverflowError):
        return None


def app_of(event: Json) -> str | None:
    return id_of(event.get("app_id")) or id_of(inner(event, "bot_profile").get("app_id"))


def ref_of(event: Json) -> str | None:
    return bounded(written(inner(event, "metadata", "event_payload").get("ref"), 200))


def is_bot(update: Update, event: Json) -> bool:
    """Slack marks what bots write; what bears no mark is a person's, unless it bears our own name."""
    user = id_of(event.get("user"))
    return _marked(event) or user == _SLACKBOT or user in update.me


def _marked(event: Json) -> bool:
    return bool(event.get("bot_id") or event.get("bot_profile")) or event.get("subtype") in _BOTS


def is_ours(update: Update, event: Json) -> bool:
    """Whether we wrote it. The application's id decides where both are known; a user's id alone may be shared."""
    app = app_of(event)
    if app is not None and update.app is not None:
        return app == update.app
    names = update.us if _marked(event) else update.me
    if not names.isdisjoint({id_of(event.get("user")), id_of(event.get("bot_id"))}):
        return True
    return _marked(event) and read_ref(ref_of(event)) is not None
