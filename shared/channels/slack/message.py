"""Slack's messages → events: what was said, edited or deleted, and whether the bot may answer it.

A message that mentions us comes twice, as `message` and as `app_mention`: both have one key, made of channel and time.
Where the first does not ask us (a mention that came with an edit, or one that we cannot tell from another's) its key is
another, and each names the other's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from shared.channels.fields import Json, bounded, called, inner, key, opaque_id, written
from shared.channels.slack import text as slack_text
from shared.channels.slack.update import (  # fmt: skip
    Update,
    address,
    app_of,
    id_of,
    is_bot,
    is_ours,
    place_of,
    ref_of,
    time_of,
)
from shared.model import Attachment, InboundEvent, Kind, Reason

_FILES_MAX = 100

_SAID = {"file_share", "thread_broadcast", "reply_broadcast", "me_message"}
"""Subtypes of what a person writes."""
_SERVICE = {
    "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
    "channel_unarchive", "channel_posting_permissions", "channel_convert_to_private", "channel_canvas_updated",
    "group_join", "group_leave", "group_topic", "group_purpose", "group_name", "group_archive", "group_unarchive",
    "pinned_item", "unpinned_item", "bot_add", "bot_remove", "bot_enable", "bot_disable", "ekm_access_denied",
    "reminder_add", "reminder_delete", "file_mention", "file_comment", "joiner_notification",
    "joiner_notification_for_inviter", "huddle_thread", "sh_room_created", "sh_room_shared", "tombstone",
    "assistant_app_thread", "app_conversation_join", "app_conversation_leave", "message_replied",
    "tabbed_canvas_updated",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """A message inside an update: the event itself, or what an edit or deletion speaks of."""

    update: Update
    body: Json
    channel: str | None
    direct: bool
    ts: str | None = field(init=False)
    thread: str | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ts", id_of(self.body.get("ts")))
        object.__setattr__(self, "thread", id_of(self.body.get("thread_ts")))

    @property
    def mentions_us(self) -> bool:
        return self.update.event.get("type") == "app_mention" or slack_text.names(self.body, self.update.us)

    @property
    def our_names(self) -> frozenset[str]:
        """By which names the text calls us. In an `app_mention` whose text has no name that we know, the only one."""
        if self.update.event.get("type") != "app_mention":
            return self.update.us
        mentioned = slack_text.mentioned(self.body)
        return self.update.us if len(mentioned) > 1 or mentioned & self.update.us else self.update.us | mentioned

    @property
    def chat(self) -> str | None:
        opens = self.ts if self.mentions_us and not self.direct else None
        return address(self.channel, self.thread, opens)

    @property
    def targets(self) -> tuple[str, ...]:
        return () if self.ts is None else (self.ts,)

    def key(self, name: str = "message") -> str:
        if self.channel is None or self.ts is None:
            return self.update.fallback_key()
        return key(name, self.channel, self.ts)

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """A message outside of threads stands in its channel, or in the thread below it if it asked us; which of them
        it was when it came, a later event cannot tell."""
        if self.direct or self.channel is None or self.ts is None or self.thread not in (None, self.ts):
            return ()
        return tuple(sorted({self.channel, f"{self.channel}:{self.ts}"} - {self.chat}))

    def told(
        self, kind: Kind, reason: Reason | None, dedupe_key: str, *, holds_text: bool = True, **more: Any
    ) -> InboundEvent:
        body = self.body
        person = inner(body, "user_profile")
        return InboundEvent(
            kind=kind,
            reply=reason is None,
            reason=reason,
            sender=id_of(body.get("user")) or id_of(body.get("bot_id")),
            chat=self.chat,
            external_id=self.ts,
            dedupe_key=dedupe_key,
            text=slack_text.of_message(body, self.our_names) if holds_text else None,
            attachments=_files(body) if holds_text else (),
            reply_to=self.thread if self.thread != self.ts else None,
            account=self.update.account,
            sender_name=called(person.get("display_name")) or called(person.get("real_name"))
            or called(inner(body, "bot_profile").get("name")) or called(body.get("username")),
            sent_at=time_of(body.get("ts")),
            ref=ref_of(body),
            app=app_of(body),
            **more,
        )  # fmt: skip


def read(update: Update) -> InboundEvent:
    subtype = update.event.get("subtype")
    reader = _SUBTYPES.get(subtype) if isinstance(subtype, str) else None
    return (reader or said)(update)


def _own(update: Update) -> Message:
    return Message(update, update.event, *place_of(update.event))


def said(update: Update) -> InboundEvent:
    """Something that somebody wrote: a person, we, or another bot."""
    message = _own(update)
    subtype = update.event.get("subtype")
    if isinstance(subtype, str) and subtype in _SERVICE:
        return message.told("other", "service_message", update.fallback_key(), holds_text=False)
    if is_ours(update, update.event):
        return message.told("echo", "echo", message.key())
    if is_bot(update, update.event):
        return message.told("echo", "from_bot", message.key())
    event = message.told("message", None, message.key())
    reason = _forbidden(message, event)
    if event.text is None and not event.attachments:
        event = replace(event, attachments=(_unsupported(message.body),))
    if subtype and (not isinstance(subtype, str) or subtype not in _SAID):
        reason = reason or "unknown_subtype"
    if reason is None:
        return replace(event, twin=None if message.direct else message.key("seen"), elsewhere=message.elsewhere)
    return replace(event, reply=False, reason=reason, dedupe_key=message.key("seen"), twin=message.key())


def _forbidden(message: Message, event: InboundEvent) -> Reason | None:
    if event.sender is None:
        return "no_sender"
    if event.chat is None:
        return "no_chat"
    # in a direct message the customer is told that it cannot be read
    if event.text is None and not event.attachments and not message.direct:
        return "no_content"
    if message.direct or message.mentions_us or _takes_part(message):
        return None
    return "group_without_mention"


def _takes_part(message: Message) -> bool:
    """Whether a message stands in a thread that we opened or, as far as it tells, wrote in."""
    root = inner(message.body, "root")
    writers = root.get("reply_users")
    known = {id_of(user) for user in writers[:100]} if isinstance(writers, list) else set()
    known |= {id_of(message.body.get("parent_user_id")), id_of(root.get("user"))}
    return message.thread is not None and not message.update.us.isdisjoint(known)


def _changed(update: Update) -> InboundEvent:
    """An edit, by a person or by Slack itself, which changes messages to show what their links lead to."""
    now, before = inner(update.event, "message"), inner(update.event, "previous_message")
    if now.get("subtype") == "tombstone":
        return _deleted(update)
    message = Message(update, {"ts": before.get("ts"), **now}, *place_of(update.event))
    same = bool(before) and _wording(now) == _wording(before)
    edit_key, targets = _change_key(update, message, "edited"), message.targets
    if same:
        return message.told("edited", "unchanged", edit_key, holds_text=False, targets=targets)
    return message.told("edited", "edited", edit_key, targets=targets, elsewhere=message.elsewhere)


def _wording(message: Json) -> tuple[str | None, str | None]:
    text = message.get("text")
    return text if isinstance(text, str) else None, id_of(inner(message, "edited").get("ts"))


def _deleted(update: Update) -> InboundEvent:
    before = inner(update.event, "previous_message") or inner(update.event, "message")
    whole = {**before, "ts": update.event.get("deleted_ts") or before.get("ts")}
    message = Message(update, whole, *place_of(update.event))
    delete_key = _change_key(update, message, "deleted")
    return message.told(
        "deleted", "deleted", delete_key, holds_text=False, targets=message.targets, elsewhere=message.elsewhere
    )


def _change_key(update: Update, message: Message, name: str) -> str:
    moment_of_it = id_of(update.event.get("event_ts")) or id_of(update.event.get("ts"))
    if message.channel is None or message.ts is None or moment_of_it is None:
        return update.fallback_key()
    return key(name, message.channel, message.ts, moment_of_it)


def _unsupported(body: Json) -> Attachment:
    """What stands for a message in which nothing can be read, so that none is blank. name: its first block's type."""
    blocks = body.get("blocks")
    first = blocks[0] if isinstance(blocks, list) and blocks and isinstance(blocks[0], dict) else {}
    return Attachment("unsupported", name=written(first.get("type"), 64))


_FILE_TYPES = {"image": "image", "video": "video", "audio": "audio"}


def _files(message: Json) -> tuple[Attachment, ...]:
    listed = message.get("files")
    files = [file for file in listed[:_FILES_MAX] if isinstance(file, dict)] if isinstance(listed, list) else []
    return tuple(_file(file) for file in files)


def _file(file: Json) -> Attachment:
    """url: needs the bot's token. A deleted file, and one beyond a free workspace's limit, cannot be read."""
    mime, size = written(file.get("mimetype"), 128), file.get("size")
    gone = file.get("mode") in ("tombstone", "hidden_by_limit")
    return Attachment(
        type="unsupported" if gone else _FILE_TYPES.get((mime or "").partition("/")[0], "file"),
        id=bounded(opaque_id(file.get("id"))),
        url=bounded(written(file.get("url_private_download")) or written(file.get("url_private")), 2048),
        mime=mime,
        name=written(file.get("name"), 255) or written(file.get("title"), 255),
        size_bytes=size if type(size) is int and 0 <= size < 2**63 else None,
    )


_SUBTYPES = {"message_changed": _changed, "message_deleted": _deleted}
