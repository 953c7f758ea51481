"""What a message of Messenger or Instagram holds: text, hidden value, attachments.

https://developers.facebook.com/docs/messenger-platform/reference/webhook-events/messages
https://developers.facebook.com/docs/instagram-platform/webhooks (its shares, reels, stories)
"""

from __future__ import annotations

import math
import re
from typing import Any

from shared.channels.fields import bounded, inner, number_id, opaque_id, written
from shared.channels.meta import templates
from shared.model import Attachment

ATTACHMENTS_MAX = 100  # both platforms take 30 at most
PAYLOAD_LIMIT = 1000  # characters, as the platforms take them
URL_LIMIT = 4096
_TYPE = re.compile(r"[a-z][a-z_]{0,31}")
_SAME = {"unsupported_type": "unsupported"}
_IDS = ("sticker_id", "attachment_id", "reel_video_id", "ig_post_media_id", "id")
_UNSUPPORTED = Attachment("unsupported")


def flag(value: Any) -> bool:
    return value is True or value == 1 or value == "true"


def listed(value: Any) -> list[Any]:
    """A list, also where one object stands in place of a list of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) else []


def text(message: dict[str, Any]) -> str | None:
    """What was written; of a quick reply without its title the hidden value, as nothing else says what was pressed."""
    return written(message.get("text")) or written(inner(message, "quick_reply").get("payload"))


def payload(message: dict[str, Any]) -> str | None:
    """The hidden value of a quick reply, else that of the advertisement or link that led here."""
    pressed = written(inner(message, "quick_reply").get("payload"), PAYLOAD_LIMIT)
    return pressed or referred(inner(message, "referral"))


def referred(referral: dict[str, Any]) -> str | None:
    """What a link or an advertisement passes through: its ref, else the advertisement's id."""
    return written(referral.get("ref"), PAYLOAD_LIMIT) or bounded(opaque_id(referral.get("ad_id")))


def pressed(postback: dict[str, Any]) -> tuple[str | None, str | None]:
    """What a pressed button says, and its hidden value; a button without a title says its value."""
    value = written(postback.get("payload"), PAYLOAD_LIMIT)
    return written(postback.get("title")) or value, value or referred(inner(postback, "referral"))


def replied_to(message: dict[str, Any]) -> str | None:
    """The message that this one quotes."""
    return bounded(opaque_id(inner(message, "reply_to").get("mid")))


def attachments(message: dict[str, Any]) -> tuple[Attachment, ...]:
    """What was attached, the story that it answers, and a stand-in for what the platform does not show."""
    told = [one for one in listed(message.get("attachments"))[:ATTACHMENTS_MAX] if isinstance(one, dict)]
    found = [one for value in told for one in (templates.attachments(value) or (_attachment(value),))][:ATTACHMENTS_MAX]
    if not found and number_id(message.get("sticker_id")):
        found = [Attachment("sticker", id=number_id(message["sticker_id"]))]
    story = inner(message, "reply_to", "story")
    if story:
        found.append(Attachment("story", id=bounded(opaque_id(story.get("id"))), url=_url(story.get("url"))))
    if not found and flag(message.get("is_unsupported")):
        found = [_UNSUPPORTED]
    return tuple(found)


def _attachment(value: dict[str, Any]) -> Attachment:
    content = inner(value, "payload")
    coordinates = inner(content, "coordinates")
    return Attachment(
        type=_type(value.get("type"), content),
        id=bounded(next((found for name in _IDS if (found := opaque_id(content.get(name)))), None)),
        url=_url(content.get("url")) or _url(value.get("url")) or _url(value.get("URL")),
        name=written(value.get("title"), 256) or written(content.get("title"), 256),
        latitude=_degrees(coordinates.get("lat"), 90),
        longitude=_degrees(coordinates.get("long"), 180),
    )


def _type(value: Any, content: dict[str, Any]) -> str:
    if content.get("sticker_id") is not None:
        return "sticker"
    known = isinstance(value, str) and _TYPE.fullmatch(value)
    return _SAME.get(value, value) if known else "unsupported"


def _url(value: Any) -> str | None:
    """An address whole or not at all: half of one leads nowhere."""
    return written(value, URL_LIMIT) if isinstance(value, str) and len(value) <= URL_LIMIT else None


def _degrees(value: Any, most: float) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value) if abs(value) <= most else None
