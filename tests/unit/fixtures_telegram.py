"""Telegram updates for tests, written by us after the Bot API's documentation."""

from __future__ import annotations

import itertools
from typing import Any

from shared.model import Me

BOT_ID = 700100
ME = Me(external_id=str(BOT_ID), handle="harbour_bot")
CUSTOMER = {"id": 4401, "is_bot": False, "first_name": "Ada", "last_name": "Byron", "username": "ada"}
OURSELVES = {"id": BOT_ID, "is_bot": True, "first_name": "Harbour", "username": "Harbour_Bot"}
PRIVATE = {"id": 4401, "type": "private", "first_name": "Ada"}
GROUP = {"id": -100200300, "type": "supergroup", "title": "Boat owners"}
CHANNEL = {"id": -100900, "type": "channel", "title": "Harbour news"}

_ids = itertools.count(9000)


def update(kind: str, value: Any, update_id: int | None = None) -> dict[str, Any]:
    return {"update_id": next(_ids) if update_id is None else update_id, kind: value}


def message(**fields: Any) -> dict[str, Any]:
    """A private text message of the customer; a field set to None is left out."""
    whole = {"message_id": 17, "from": CUSTOMER, "chat": PRIVATE, "date": 1_760_000_000, "text": "Is berth 4 free?"}
    return {name: value for name, value in {**whole, **fields}.items() if value is not None}


def in_group(**fields: Any) -> dict[str, Any]:
    return message(**{"chat": GROUP, **fields})


def spanning(text: str, word: str, kind: str, **more: Any) -> dict[str, Any]:
    """The entity of that kind on `word`, with Telegram's offsets in UTF-16 units."""
    units = len(text[: text.index(word)].encode("utf-16-le")) // 2
    return {"type": kind, "offset": units, "length": len(word.encode("utf-16-le")) // 2, **more}


LOOK_ALIKES: dict[str, Any] = {
    "message": message(),
    "edited_message": message(edit_date=1_760_000_060),
    "channel_post": message(chat=CHANNEL),
    "edited_channel_post": message(chat=CHANNEL, edit_date=1_760_000_060),
    "business_connection": {"id": "bc-1", "user": CUSTOMER, "user_chat_id": 4401, "date": 1_760_000_000},
    "business_message": message(business_connection_id="bc-1"),
    "edited_business_message": message(business_connection_id="bc-1", edit_date=1_760_000_060),
    "deleted_business_messages": {"business_connection_id": "bc-1", "chat": PRIVATE, "message_ids": [17, 18]},
    "guest_message": message(guest_query_id="gq-1"),
    "message_reaction": {
        "chat": PRIVATE,
        "message_id": 17,
        "user": CUSTOMER,
        "date": 1_760_000_000,
        "new_reaction": [{"type": "emoji", "emoji": "👍"}],
    },
    "message_reaction_count": {"chat": GROUP, "message_id": 17, "date": 1_760_000_000, "reactions": []},
    "inline_query": {"id": "iq-1", "from": CUSTOMER, "query": "berth", "offset": ""},
    "chosen_inline_result": {"result_id": "r-1", "from": CUSTOMER, "query": "berth"},
    "callback_query": {
        "id": "cb-1",
        "from": CUSTOMER,
        "message": message(message_id=16, **{"from": OURSELVES}),
        "data": "book:4",
    },
    "shipping_query": {"id": "sq-1", "from": CUSTOMER, "invoice_payload": "berth"},
    "pre_checkout_query": {"id": "pq-1", "from": CUSTOMER, "currency": "EUR", "total_amount": 4500},
    "purchased_paid_media": {"from": CUSTOMER, "paid_media_payload": "map"},
    "poll": {"id": "p-1", "question": "Which day?", "options": [], "total_voter_count": 0},
    "poll_answer": {"poll_id": "p-1", "user": CUSTOMER, "option_ids": [0]},
    "my_chat_member": {
        "chat": PRIVATE,
        "from": CUSTOMER,
        "date": 1_760_000_000,
        "new_chat_member": {"status": "kicked"},
    },
    "chat_member": {"chat": GROUP, "from": CUSTOMER, "date": 1_760_000_000, "new_chat_member": {"status": "left"}},
    "chat_join_request": {"chat": GROUP, "from": CUSTOMER, "user_chat_id": 4401, "date": 1_760_000_000},
    "chat_boost": {"chat": CHANNEL, "boost": {"boost_id": "b-1"}},
    "removed_chat_boost": {"chat": CHANNEL, "boost_id": "b-1"},
}
"""One of every kind of update, under its name."""
