"""WhatsApp's webhooks become events that say who, where, what, and whether the bot may answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.channels import platform
from shared.model import InboundEvent, Me
from tests.unit.fixtures_whatsapp import (
    CUSTOMER,
    GROUP,
    LOOK_ALIKES,
    ME,
    METADATA,
    NUMBER,
    NUMBER_ID,
    PERSON,
    USER_ID,
    body,
    change,
    echo,
    echoes,
    message,
    messages,
    status,
    statuses,
)

WHATSAPP = platform("whatsapp")


def one(value: dict[str, Any], me: Me = ME) -> InboundEvent:
    (event,) = WHATSAPP.parse(value, me)
    return event


# look-alike → kind, reason, sender, chat, text, payload
MEANINGS: dict[str, tuple[Any, ...]] = {
    "text": ("message", None, CUSTOMER, CUSTOMER, "Is berth 4 free?", None),
    "image": ("message", None, CUSTOMER, CUSTOMER, "my boat", None),
    "video": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "voice": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "document": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "sticker": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "location": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "contacts": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "button": ("message", None, CUSTOMER, CUSTOMER, "Yes", "yes-1"),
    "button_reply": ("message", None, CUSTOMER, CUSTOMER, "Book", "b1"),
    "list_reply": ("message", None, CUSTOMER, CUSTOMER, "Two", "l1"),
    "flow": ("message", None, CUSTOMER, CUSTOMER, "a: 1", '{"a":1}'),
    "order": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "reaction": ("reaction", "reaction", CUSTOMER, CUSTOMER, "👍", None),
    "edit": ("edited", "edited", CUSTOMER, CUSTOMER, "new", None),
    "revoke": ("deleted", "deleted", CUSTOMER, CUSTOMER, None, None),
    "number_changed": ("other", "service_message", CUSTOMER, CUSTOMER, "moved", None),
    "unsupported": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "ephemeral": ("message", None, CUSTOMER, CUSTOMER, None, None),
    "request_welcome": ("optin", "optin", CUSTOMER, CUSTOMER, None, None),
    "group": ("message", "group_without_mention", CUSTOMER, GROUP, "Is berth 4 free?", None),
    "referral": ("message", None, CUSTOMER, CUSTOMER, "Is berth 4 free?", "AD1"),
    "user_id_only": ("message", None, USER_ID, USER_ID, "Is berth 4 free?", None),
    "sent": ("delivery", "delivery", CUSTOMER, CUSTOMER, None, None),
    "failed": ("delivery", "delivery", CUSTOMER, CUSTOMER, None, None),
    "echo": ("echo", "echo", NUMBER, CUSTOMER, "Is berth 4 free?", None),
    "echo_edit": ("echo", "echo", NUMBER, CUSTOMER, "better", None),
    "echo_revoke": ("echo", "echo", NUMBER, CUSTOMER, None, None),
    "groups": ("other", "membership", CUSTOMER, GROUP, None, None),
    "preference": ("optin", "optin", CUSTOMER, CUSTOMER, None, None),
    "user_id_update": ("account", "account", USER_ID, USER_ID, None, None),
    "history": ("other", "history", None, None, None, None),
    "account": ("account", "account", None, None, None, None),
    "quality": ("account", "account", None, None, None, None),
    "template": ("account", "account", None, None, None, None),
    "calls": ("other", "call", CUSTOMER, CUSTOMER, None, None),
}


@pytest.mark.parametrize("name", sorted(LOOK_ALIKES))
def test_what_a_webhook_means(name: str) -> None:
    event = one(LOOK_ALIKES[name])
    assert (event.kind, event.reason, event.sender, event.chat, event.text, event.payload) == MEANINGS[name]
    assert event.reply == (event.reason is None)


@pytest.mark.parametrize("name", sorted(set(LOOK_ALIKES) - {"account", "quality", "template"}))
def test_every_event_of_a_number_names_it(name: str) -> None:
    assert one(LOOK_ALIKES[name]).account == NUMBER_ID


@pytest.mark.parametrize(
    ("name", "attached"),
    [
        ("image", [("image", "31337", "image/jpeg", None)]),
        ("voice", [("voice", "31337", "audio/ogg; codecs=opus", None)]),
        ("document", [("document", "31337", "application/pdf", "a.pdf")]),
        ("location", [("location", None, None, "Lübeck")]),
        ("contacts", [("contacts", None, None, "Bo +49 1")]),
        ("order", [("order", "77", None, "2 × SKU")]),
        ("unsupported", [("unsupported", None, None, "poll")]),
        ("ephemeral", [("unsupported", None, None, "ephemeral")]),
        ("text", []),
        ("flow", [("form", None, None, "flow")]),
    ],
)
def test_what_a_message_carries(name: str, attached: list[tuple[Any, ...]]) -> None:
    assert [(a.type, a.id, a.mime, a.name) for a in one(LOOK_ALIKES[name]).attachments] == attached


def test_a_places_degrees_are_numbers_wherever_they_were_texts() -> None:
    (place,) = one(LOOK_ALIKES["location"]).attachments
    assert (place.latitude, place.longitude) == (53.5, 9.9)


def test_a_type_that_nobody_knows_yet_is_read_by_what_it_holds() -> None:
    file = one(messages(message("hologram", {"id": 8, "mime_type": "model/obj"})))
    assert [(a.type, a.id) for a in file.attachments] == [("hologram", "8")]
    assert one(messages(message("riddle", {"body": "what am I?"}))).text == "what am I?"
    assert [a.type for a in one(messages(message("wink", {"eye": "left"}))).attachments] == ["unsupported"]


@pytest.mark.parametrize("name", ["text", "image", "button", "list_reply", "reaction", "edit", "revoke", "contacts"])
def test_a_message_without_a_type_is_read_by_what_it_holds(name: str) -> None:
    said = LOOK_ALIKES[name]["entry"][0]["changes"][0]["value"]["messages"][0]
    event = one(messages({key: value for key, value in said.items() if key != "type"}))
    assert (event.kind, event.text) == (MEANINGS[name][0], MEANINGS[name][4])


def test_customers_own_words_are_never_unescaped() -> None:
    assert one(messages(message("text", {"body": r"print \u00fc \/"}))).text == r"print \u00fc \/"


def test_changes_of_messages_name_what_they_change() -> None:
    assert [one(LOOK_ALIKES[name]).targets for name in ("reaction", "edit", "revoke", "echo_edit", "echo_revoke")] == [
        ("wamid.OUT=",), ("wamid.O=",), ("wamid.O=",), ("wamid.P=",), ("wamid.P=",),
    ]  # fmt: skip
    assert [one(LOOK_ALIKES[name]).status for name in ("reaction", "echo", "echo_edit", "echo_revoke")] == [
        "added", None, "edited", "deleted",
    ]  # fmt: skip


@pytest.mark.parametrize("emoji", [{"emoji": ""}, {}, {"emoji": None}])
def test_a_reaction_without_an_emoji_is_taken_back(emoji: dict[str, Any]) -> None:
    event = one(messages(message("reaction", {"message_id": "wamid.OUT=", **emoji})))
    assert (event.kind, event.text, event.status, event.targets) == ("reaction", None, "removed", ("wamid.OUT=",))


def test_a_press_answers_the_message_it_stands_on() -> None:
    assert one(LOOK_ALIKES["button"]).reply_to == "wamid.T="


def test_a_changed_number_moves_the_chat() -> None:
    assert one(LOOK_ALIKES["number_changed"]).migrated_to == "4917099"


def test_a_changed_user_id_moves_the_chat_where_it_was_all_that_we_knew() -> None:
    assert one(LOOK_ALIKES["user_id_update"]).migrated_to == "DE.2"
    known = [{"wa_id": CUSTOMER, "user_id": {"previous": USER_ID, "current": "DE.2"}}]
    assert one(body(change("user_id_update", user_id_update=known))).migrated_to is None


def test_a_user_id_that_comes_with_a_number_is_the_number() -> None:
    event = one(messages(message(sender=None, from_user_id=USER_ID)))
    assert (event.sender, event.sender_name) == (CUSTOMER, "Ada Byron")


@pytest.mark.parametrize(
    ("named", "kind", "word"),
    [("sent", "delivery", "sent"), ("delivered", "delivery", "delivered"), ("read", "read", "read"),
     ("played", "read", "read"), ("failed", "delivery", "failed"), ("deleted", "delivery", "deleted"),
     ("teleported", "other", None)],
)  # fmt: skip
def test_a_status_says_what_became_of_which_message(named: str, kind: str, word: str | None) -> None:
    event = one(statuses(status(named)))
    assert (event.kind, event.status, event.targets, event.sender) == (kind, word, ("wamid.OUT=",), CUSTOMER)
    assert not event.reply


def test_our_reference_comes_back_with_a_status() -> None:
    assert one(LOOK_ALIKES["sent"]).ref == "sb.3.14"


@pytest.mark.parametrize(
    ("code", "meaning"),
    [(131047, "window_closed"), ("131026", "unreachable"), (130472, "not_delivered"), (190, "bad_token"),
     (131048, "policy"), (999999, "not_delivered"), (None, "not_delivered"), ({}, "not_delivered")],
)  # fmt: skip
def test_a_failure_has_a_meaning(code: Any, meaning: str) -> None:
    assert one(statuses(status("failed", errors=[{"code": code}]))).meaning == meaning
    assert one(statuses(status("failed"))).meaning == "not_delivered"


def test_in_a_group_each_readers_status_is_its_own() -> None:
    shared = {"recipient_type": "group", "recipient_id": GROUP}
    events = WHATSAPP.parse(
        statuses(*(status("read", **shared, recipient_participant_id=who) for who in ("491", "492"))), ME
    )
    assert [(e.sender, e.chat) for e in events] == [("491", GROUP), ("492", GROUP)]
    assert events[0].dedupe_key != events[1].dedupe_key


@pytest.mark.parametrize(
    "fields",
    [{"context": {"from": NUMBER, "id": "wamid.OUT="}}, {"text": {"body": f"hey @{NUMBER} is it free?"}}],
)
def test_in_a_group_the_bot_answers_who_speaks_to_it(fields: dict[str, Any]) -> None:
    event = one(messages(message(group_id=GROUP, **fields)))
    assert (event.reply, event.chat, event.sender) == (True, GROUP, CUSTOMER)


def test_what_our_own_number_wrote_is_an_echo_wherever_it_stands() -> None:
    event = one(messages(message(sender=NUMBER)))
    assert (event.kind, event.reply) == ("echo", False)


def test_a_message_while_another_app_is_in_control_is_not_answered() -> None:
    event = one(body(change("standby", messages=[message()])))
    assert (event.kind, event.reason) == ("message", "standby")


def test_an_ad_without_a_message_is_a_referral() -> None:
    event = one(messages(message("text", {"body": ""}, referral={"source_id": "AD1"})))
    assert (event.kind, event.reason, event.payload) == ("referral", "referral", "AD1")


def test_a_banned_account_and_a_flagged_number_have_a_meaning() -> None:
    assert [(one(LOOK_ALIKES[n]).status, one(LOOK_ALIKES[n]).meaning) for n in ("account", "quality", "template")] == [
        ("account_update", "account_disabled"),
        ("phone_number_quality_update", "quality_low"),
        ("message_template_status_update", "template_rejected"),
    ]
    ban = {"event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "REINSTATE"}}
    assert one(body({"field": "account_update", "value": ban})).meaning == "account_reinstated"


def test_errors_that_belong_to_no_message_have_a_meaning() -> None:
    event = one(body(change("messages", errors=[{"code": 130429, "title": "Rate limit hit"}], contacts=None)))
    assert (event.kind, event.reason, event.meaning) == ("other", "error", "rate_limited")


def test_several_numbers_in_one_request_keep_apart() -> None:
    other = {**METADATA, "phone_number_id": "8"}
    whole = body(
        change(messages=[message(), message(id="wamid.B=")]),
        change(messages=[message(id="wamid.C=")], statuses=[status("read")], metadata=other),
    )
    events = WHATSAPP.parse(whole, Me())
    assert [(e.kind, e.account) for e in events] == [
        ("message", NUMBER_ID), ("message", NUMBER_ID), ("message", "8"), ("read", "8"),
    ]  # fmt: skip


def test_one_message_twice_in_a_request_has_one_key() -> None:
    first, again = WHATSAPP.parse(body(change(messages=[message()]), change(messages=[message()])), ME)
    assert first.dedupe_key == again.dedupe_key


def test_a_messages_status_and_echo_have_keys_of_their_own() -> None:
    same = "wamid.SAME="
    found = [
        one(messages(message(id=same))), one(statuses(status("sent", id=same))), one(statuses(status("read", id=same))),
        one(echoes(echo(id=same))),
    ]  # fmt: skip
    assert len({event.dedupe_key for event in found}) == 4


@pytest.mark.parametrize(
    "whole",
    [
        change(messages=[message()]),
        {"metadata": METADATA, "contacts": [PERSON], "messages": [message()]},
        {"entry": {"changes": change(messages=message())}},
    ],
)
def test_a_change_or_a_value_alone_counts_too(whole: dict[str, Any]) -> None:
    event = one(whole)
    assert (event.text, event.account, event.chat) == ("Is berth 4 free?", NUMBER_ID, CUSTOMER)


@pytest.mark.parametrize(
    "written",
    [
        "1760000000",
        1760000000,
        1760000000.0,
        "1760000000000",
        1760000000000,
        "2025-10-09T08:53:20Z",
        "2025-10-09 08:53:20",
    ],
)
def test_times_in_every_spelling_are_the_same(written: Any) -> None:
    assert one(messages(message(timestamp=written))).sent_at == datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "soon", 0, -5, 10**30, 1e300, [], {}, True, "9" * 500, "9999999999999999"])
def test_no_time_is_none(written: Any) -> None:
    assert one(messages(message(timestamp=written))).sent_at is None


def test_numbers_may_stand_where_ids_are_texts() -> None:
    event = one(messages(message(sender=int(CUSTOMER), id=17)))
    assert (event.sender, event.external_id, event.sender_name) == (CUSTOMER, "17", "Ada Byron")


@pytest.mark.parametrize("name", sorted(set(MEANINGS) - {"account", "quality", "template", "history", "groups"}))
def test_one_chats_events_stand_in_one_shard(name: str) -> None:
    value = LOOK_ALIKES[name]["entry"][0]["changes"][0]["value"]
    if {"messages", "statuses", "message_echoes"} & set(value):
        assert WHATSAPP.shard_key(LOOK_ALIKES[name]) == one(LOOK_ALIKES[name]).chat


def test_more_than_a_thousand_events_are_refused_as_one() -> None:
    events = WHATSAPP.parse(messages(*(message(id=f"wamid.{n}") for n in range(1500))), ME)
    assert (len(events), events[-1].reason) == (1000, "too_many_events")


# ------------------------------------------------------------------ values


def test_a_message_of_contacts_without_any_is_one_of_contacts() -> None:
    [found] = one(messages(message("contacts", []))).attachments
    assert (found.type, found.name) == ("contacts", None)


@pytest.mark.parametrize(
    ("file", "url"),
    [
        ({"url": "https://h.example/a", "link": "https://h.example/b"}, "https://h.example/a"),
        ({"link": "https://h.example/b"}, "https://h.example/b"),
        ({"url": "u" * 3_000}, "u" * 2_048),
        ({}, None),
    ],
)
def test_a_file_s_address_is_its_url_or_else_its_link(file: dict[str, Any], url: str | None) -> None:
    [found] = one(messages(message("image", {"id": "31337", **file}))).attachments
    assert (found.id, found.url) == ("31337", url)


@pytest.mark.parametrize("name", ["id", "message_id"])
def test_what_a_message_answers_is_named_in_two_ways(name: str) -> None:
    assert one(messages(message(context={name: "wamid.OLD="}))).reply_to == "wamid.OLD="
