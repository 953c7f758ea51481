"""What a Telegram message holds, and whether the bot may answer it."""

from __future__ import annotations

import re
from typing import Any, Literal

from shared.channels.fields import inner, number_id, written
from shared.channels.telegram import contents
from shared.model import Attachment, Kind, Me, Reason

ChatType = Literal["private", "group", "channel", "unknown"]

_CHAT_TYPES: dict[str, ChatType] = {
    "private": "private",
    "group": "group",
    "supergroup": "group",
    "channel": "channel",
}
_PAYMENT = {"successful_payment", "refunded_payment"}
_SERVICE = {
    "new_chat_members", "new_chat_member", "new_chat_participant", "left_chat_member", "left_chat_participant",
    "new_chat_title", "new_chat_photo", "delete_chat_photo", "group_chat_created", "supergroup_chat_created",
    "channel_chat_created", "message_auto_delete_timer_changed", "migrate_to_chat_id", "migrate_from_chat_id",
    "pinned_message", "gift_upgrade_sent", "connected_website", "write_access_allowed", "proximity_alert_triggered",
    "boost_added", "chat_background_set", "checklist_tasks_done", "checklist_tasks_added",
    "direct_message_price_changed", "paid_message_price_changed", "giveaway_created", "giveaway_completed",
    "managed_bot_created",
}  # fmt: skip
_SERVICE_PREFIXES = (
    "forum_topic_", "general_forum_topic_", "video_chat_", "voice_chat_", "suggested_post_", "chat_owner_",
    "poll_option_",
)  # fmt: skip

_ENTITIES_MAX = 100
_SEPARATORS = " ,:\t"
ASK = "/ask"
"""What asks the bot in a group without its name."""
_PARAMETER = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONNECTION = re.compile(r"[A-Za-z0-9_+/=-]{1,128}")


def chat_type(chat: dict[str, Any]) -> ChatType:
    """What kind of chat it is; where Telegram does not say, people have positive ids and groups negative ones."""
    named = chat.get("type")
    if isinstance(named, str):
        return _CHAT_TYPES.get(named, "unknown")
    number = number_id(chat.get("id"))
    if number is None:
        return "unknown"
    return "group" if number.startswith("-") else "private"


def chat_address(message: dict[str, Any]) -> str | None:
    """Where an answer goes: the chat's id, in a forum's topic `<id>:<topic>`, or `business:<connection>:<id>` for the
    chats of a business account, which Telegram keeps apart from the bot's own chat with the same person under the same
    id."""
    number = number_id(inner(message, "chat").get("id"))
    connection = message.get("business_connection_id")
    if number is None:
        return None
    if connection is None:
        topic = topic_of(message)
        return number if topic is None else f"{number}:{topic}"
    well_formed = isinstance(connection, str) and _CONNECTION.fullmatch(connection)
    return f"business:{connection}:{number}" if well_formed else None


def topic_of(message: dict[str, Any]) -> str | None:
    """The topic of a forum that it stands in. Outside of topics message_thread_id names a thread of replies, which is
    no place to answer into; the topic General has no number."""
    thread = number_id(message.get("message_thread_id")) if message.get("is_topic_message") is True else None
    return None if thread in ("0", "1") else thread


def text(message: dict[str, Any]) -> str | None:
    return written(message.get("text")) or written(message.get("caption")) or contents.rich_text(message)


def said(message: dict[str, Any], me: Me) -> str | None:
    """The text without what only says that it is for us: our name, and `/ask` before a question. All of it where
    nothing else is said."""
    for field, listed in (("text", "entities"), ("caption", "caption_entities")):
        whole = written(message.get(field))
        if whole is not None:
            return written(_unaddressed(message[field], message.get(listed), me)) or whole
    return contents.rich_text(message)


def _unaddressed(whole: str, entities: Any, me: Me) -> str:
    """Without them and the separators behind each."""
    if not isinstance(entities, list):
        return whole
    encoded = whole.encode("utf-16-le", "surrogatepass")
    ours = [one for one in entities[:_ENTITIES_MAX] if isinstance(one, dict) and _is_address(encoded, one, me)]
    kept, end = "", 0
    for one in sorted(ours, key=lambda entity: int(entity["offset"])):
        before = encoded[2 * end : 2 * int(one["offset"])].decode("utf-16-le", "replace")
        kept += before.lstrip(_SEPARATORS) if end else before
        end = max(end, int(one["offset"]) + int(one["length"]))
    rest = encoded[2 * end :].decode("utf-16-le", "replace")
    return (kept + rest.lstrip(_SEPARATORS)).strip(" ") if end else whole


def _is_address(encoded: bytes, entity: dict[str, Any], me: Me) -> bool:
    if entity.get("type") == "mention":
        return _is_mention(encoded, entity, me)
    return entity.get("type") == "bot_command" and _is_mention(encoded, entity, me) and _command(encoded, entity) == ASK


def _command(encoded: bytes, entity: dict[str, Any]) -> str:
    begin, length = int(entity["offset"]), int(entity["length"])
    word = encoded[2 * begin : 2 * (begin + length)].decode("utf-16-le", "replace")
    return word.partition("@")[0].casefold()


def start_parameter(message: dict[str, Any]) -> str | None:
    """What a link `t.me/BOT?start=…` passes on: the word behind `/start`."""
    head, _, rest = (text(message) or "")[:200].partition(" ")
    command = head.partition("@")[0].lower() == "/start"
    return rest.strip() if command and _PARAMETER.fullmatch(rest.strip()) else None


def attachments(message: dict[str, Any], *, new: bool = False) -> tuple[Attachment, ...]:
    """What a message holds beside its text. new: what stands for it where nothing can be read, too: an edit of that
    kind leaves what there is."""
    found = contents.attachments(message)
    return (contents.unsupported(message),) if new and not found and text(message) is None else found


def judge(message: dict[str, Any], me: Me) -> tuple[Kind, Reason | None]:
    """What a new message is, and why the bot must not answer it (None if it may)."""
    service = _service(message)
    if service:
        return "other", service
    kind_of_chat = chat_type(inner(message, "chat"))
    if kind_of_chat == "channel":
        return "other", "channel_post"
    if _is_ours(message, me):
        return "echo", "echo"
    return "message", _author_forbids(message) or _place_forbids(message, kind_of_chat, me)


def _service(message: dict[str, Any]) -> Reason | None:
    for name, value in message.items():
        if value is None or value is False:
            continue
        if name in _PAYMENT:
            return "payment"
        if name in _SERVICE or name.startswith(_SERVICE_PREFIXES):
            return "service_message"
    return None


def _is_ours(message: dict[str, Any], me: Me) -> bool:
    """Written by us, or in a business account's chat by anybody on our side of it: the owner or a bot of theirs."""
    sender = inner(message, "from")
    if is_me(sender, me):
        return True
    if message.get("business_connection_id") is None:
        return False
    if message.get("sender_business_bot"):
        return True
    sender_id = number_id(sender.get("id"))
    return sender_id is not None and sender_id != number_id(inner(message, "chat").get("id"))


def _author_forbids(message: dict[str, Any]) -> Reason | None:
    if message.get("is_automatic_forward"):
        return "automatic_forward"
    if message.get("sender_chat"):
        # an administrator who writes as the group; as a channel nobody knows who it is
        return None if _speaks_for_group(message) else "sender_chat"
    sender = inner(message, "from")
    if sender.get("is_bot"):
        return "from_bot"
    return "no_sender" if number_id(sender.get("id")) is None else None


def _speaks_for_group(message: dict[str, Any]) -> bool:
    group, chat = (number_id(inner(message, name).get("id")) for name in ("sender_chat", "chat"))
    return group is not None and group == chat


def _place_forbids(message: dict[str, Any], kind_of_chat: ChatType, me: Me) -> Reason | None:
    if chat_address(message) is None:
        return "no_chat"
    # in a private chat the customer is told that it cannot be read
    if kind_of_chat != "private" and text(message) is None and not attachments(message):
        return "no_content"
    if kind_of_chat == "unknown":
        return "unknown_chat"
    if kind_of_chat == "group" and not _addresses(message, me):
        return "group_without_mention"
    return None


def is_me(user: dict[str, Any], me: Me) -> bool:
    """By id where both are known, else by user name."""
    user_id = number_id(user.get("id"))
    if me.external_id and user_id:
        return user_id == me.external_id
    return _is_our_handle(user.get("username"), me)


def _is_our_handle(name: Any, me: Me) -> bool:
    handle = (me.handle or "").removeprefix("@")
    return bool(handle) and isinstance(name, str) and name.casefold() == handle.casefold()


def _addresses(message: dict[str, Any], me: Me) -> bool:
    """Whether a message in a group is meant for us: a reply to us, or a mention in text or caption."""
    replied_to = inner(message, "reply_to_message")
    if is_me(inner(replied_to, "from"), me) and not _opens_topic(message, replied_to):
        return True
    return _mentions(message.get("text"), message.get("entities"), me) or _mentions(
        message.get("caption"), message.get("caption_entities"), me
    )


def _opens_topic(message: dict[str, Any], replied_to: dict[str, Any]) -> bool:
    """In a forum every message formally answers the one that opened its topic, which may be ours."""
    if replied_to.get("forum_topic_created") is not None:
        return True
    thread = number_id(message.get("message_thread_id"))
    in_topic = message.get("is_topic_message") is True
    return in_topic and thread is not None and thread == number_id(replied_to.get("message_id"))


def _mentions(whole: Any, entities: Any, me: Me) -> bool:
    if not isinstance(whole, str) or not isinstance(entities, list):
        return False
    encoded = whole.encode("utf-16-le", "surrogatepass")
    return any(_is_mention(encoded, entity, me) for entity in entities if isinstance(entity, dict))


def _is_mention(encoded: bytes, entity: dict[str, Any], me: Me) -> bool:
    """encoded: the text in UTF-16, because Telegram counts offsets and lengths in its units."""
    if entity.get("type") == "text_mention":
        return is_me(inner(entity, "user"), me)
    offset, length = entity.get("offset"), entity.get("length")
    # No name is that long; without the bound many entities over a long text would take quadratic time.
    if type(offset) is not int or type(length) is not int or offset < 0 or not 1 < length <= 128:
        return False
    word = encoded[2 * offset : 2 * (offset + length)].decode("utf-16-le", "replace")
    if entity.get("type") == "mention" and word.startswith("@"):
        return _is_our_handle(word[1:], me)
    if entity.get("type") == "bot_command" and word.startswith("/"):
        command, _, bot = word.partition("@")
        return _is_our_handle(bot, me) if bot else command.casefold() == ASK and offset == 0
    return False
