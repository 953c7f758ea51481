"""What people do in Slack beside writing: buttons, menus and slash commands. They come as forms (body.decode_form).

https://docs.slack.dev/interactivity/handling-user-interaction
https://docs.slack.dev/interactivity/implementing-slash-commands
"""

from __future__ import annotations

from typing import Any

from shared.channels.fields import Json, bounded, called, content_key, inner, key, written
from shared.channels.slack import text as slack_text
from shared.channels.slack.update import address, id_of, place_of, time_of
from shared.model import InboundEvent, Reason

_ACTIONS_MAX = 1000
_PRESSES = ("block_actions", "interactive_message")
_OTHERS = (
    "shortcut", "message_action", "view_submission", "view_closed", "block_suggestion", "dialog_submission",
    "dialog_cancellation", "workflow_step_edit",
)  # fmt: skip
_CHOICES = (
    "value", "selected_date", "selected_time", "selected_date_time", "selected_user", "selected_channel",
    "selected_conversation",
)  # fmt: skip
_LISTS = ("selected_options", "selected_users", "selected_channels", "selected_conversations")


def is_one(body: Json) -> bool:
    return body.get("type") in (*_PRESSES, *_OTHERS) or isinstance(body.get("command"), str)


def parse(body: Json, account: str | None) -> list[InboundEvent]:
    """An event for each button or menu that was used; at least one."""
    if body.get("type") in _PRESSES:
        listed = body.get("actions")
        actions = [one for one in listed[:_ACTIONS_MAX] if isinstance(one, dict)] if isinstance(listed, list) else []
        pressed = {event.dedupe_key: event for event in (_press(body, action, account) for action in actions)}
        if pressed:
            return list(pressed.values())
    elif isinstance(body.get("command"), str):
        return [_command(body, account)]
    name = content_key("interaction", dict(body))
    sender = id_of(inner(body, "user").get("id"))
    return [InboundEvent("other", False, "interaction", sender, None, None, name, account=account)]


def _press(body: Json, action: Json, account: str | None) -> InboundEvent:
    """The customer says what stands on the button; what it carries is the hidden value."""
    user, container, carrier = inner(body, "user"), inner(body, "container"), inner(body, "message")
    channel, direct = place_of(body)
    channel = channel or id_of(container.get("channel_id"))
    direct = direct or (channel or "").startswith("D")
    carried_by = id_of(container.get("message_ts")) or id_of(carrier.get("ts")) or id_of(body.get("message_ts"))
    thread = id_of(container.get("thread_ts")) or id_of(carrier.get("thread_ts"))
    chat = address(channel, thread, None if direct else carried_by)
    pressed_at, action_id = (
        id_of(action.get("action_ts")) or id_of(body.get("action_ts")),
        id_of(action.get("action_id")),
    )
    sender, value = id_of(user.get("id")), _value(action)
    text = _label(action) or value
    reason = _forbidden(sender, chat, text)
    return InboundEvent(
        kind="message",
        reply=reason is None,
        reason=reason,
        sender=sender,
        chat=chat,
        external_id=pressed_at,
        dedupe_key=key("action", channel or "", carried_by or "", pressed_at, action_id or "")
        if pressed_at is not None else content_key("action", [dict(body), dict(action)]),
        text=text,
        reply_to=carried_by,
        account=account,
        sender_name=called(user.get("name")) or called(user.get("username")),
        sent_at=time_of(pressed_at),
        payload=value or action_id,
    )  # fmt: skip


def _forbidden(sender: str | None, chat: str | None, text: str | None) -> Reason | None:
    if sender is None:
        return "no_sender"
    if chat is None:
        return "no_chat"  # pressed in a view, which belongs to no conversation
    return None if text is not None else "no_content"


def _label(action: Json) -> str | None:
    chosen = [slack_text.option(one) for one in _chosen(action)]
    return slack_text.option(action) or ", ".join(label for label in chosen if label) or None


def _value(action: Json) -> str | None:
    """What stands behind the choice."""
    found = next((value for name in _CHOICES if (value := written(action.get(name), 2000)) is not None), None)
    values = (
        written(one.get("value"), 2000) if isinstance(one, dict) else written(one, 200) for one in _chosen(action)
    )
    return found or ", ".join(value for value in values if value) or None


def _chosen(action: Json) -> list[Any]:
    several: list[Any] = next((action[name] for name in _LISTS if isinstance(action.get(name), list)), [])
    one = action.get("selected_option")
    return [one] if isinstance(one, dict) else several[:100]


def _command(body: Json, account: str | None) -> InboundEvent:
    """`/ask when do you open`: its text is what the customer says, the command the hidden value. The answer goes into
    the channel, for all to see; where the bot is no member Slack refuses it (not_in_channel)."""
    command, trigger = written(body.get("command"), 128), id_of(body.get("trigger_id"))
    sender, chat = id_of(body.get("user_id")), id_of(body.get("channel_id"))
    text = slack_text.plain(body.get("text")) or command
    reason = _forbidden(sender, chat, text)
    return InboundEvent(
        kind="message",
        reply=reason is None,
        reason=reason,
        sender=sender,
        chat=chat,
        external_id=bounded(trigger),
        dedupe_key=key("command", trigger) if trigger is not None else content_key("command", dict(body)),
        text=text,
        account=account,
        sender_name=called(body.get("user_name")),
        payload=command,
    )
