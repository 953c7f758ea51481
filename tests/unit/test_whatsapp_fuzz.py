"""Whatever JSON object arrives as WhatsApp's, it is at least one event that can be stored, in bounded time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import platform
from shared.channels.body import decode_object
from shared.model import InboundEvent
from tests.unit.fixtures_whatsapp import LOOK_ALIKES, ME, message, messages
from tests.unit.test_telegram_fuzz import any_text, anything, scalars

WHATSAPP = platform("whatsapp")
FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks" / "whatsapp"
SEEDS = [*LOOK_ALIKES.values(), *(json.loads(path.read_bytes())["body"] for path in sorted(FOLDER.glob("*.json")))]
"""Our look-alikes, and what others recorded where it is at hand."""


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a body."""
    found, waiting = [], [value]
    while waiting:
        container = waiting.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], dict | list):
                waiting.append(container[key])
    return found


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A real-looking body in which a few places, at any depth, hold something else, come twice or are gone."""
    body: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(SEEDS))))
    for _ in range(draw(st.integers(1, 4))):
        places = _places(body)
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        match draw(st.sampled_from(["other", "gone", "listed", "renamed"])):
            case "other":
                container[key] = draw(st.one_of(scalars, anything))
            case "listed":
                container[key] = [container[key], container[key]]
            case "renamed" if isinstance(container, dict):
                container[draw(any_text)] = container.pop(key)
            case _:
                del container[key]
    return body


def assert_sound(events: list[InboundEvent]) -> None:
    assert 0 < len(events) <= 1000
    for event in events:
        fields = (
            event.text, event.sender, event.sender_name, event.chat, event.external_id, event.dedupe_key,
            event.reply_to, event.account, event.payload, event.status, event.meaning, event.ref, event.migrated_to,
            *event.targets,
        )  # fmt: skip
        attached = [value for a in event.attachments for value in (a.type, a.id, a.url, a.mime, a.name)]
        for value in (*fields, *attached):
            assert value is None or (value and "\x00" not in value and value.encode())
        assert 0 < len(event.dedupe_key) <= 200
        assert len(event.attachments) <= 20
        assert event.reply == (event.reason is None)
        assert not event.reply or (event.kind == "message" and event.sender and event.chat)
        assert not event.reply or event.text or event.attachments
        for a in event.attachments:
            assert a.latitude is None or -90 <= a.latitude <= 90
            assert a.size_bytes is None or a.size_bytes >= 0


@settings(max_examples=300, deadline=None)
@given(mutated())
def test_any_broken_webhook_is_at_least_one_storable_event(body: dict[str, Any]) -> None:
    events = WHATSAPP.parse(body, ME)
    assert_sound(events)
    assert WHATSAPP.parse(body, ME) == events
    assert isinstance(WHATSAPP.shard_key(body), str)
    assert "\x00" not in WHATSAPP.shard_key(body)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.one_of(st.sampled_from(["entry", "changes", "value", "messages"]), any_text), anything))
def test_any_object_is_at_least_one_storable_event(body: dict[str, Any]) -> None:
    assert_sound(WHATSAPP.parse(body, ME))


def test_nesting_as_deep_as_can_be_read_is_an_event() -> None:
    for name in ("entry", "value", "edit", "x"):
        raw = b'{"%b":' % name.encode() * 900 + b"1" + b"}" * 900
        assert_sound(WHATSAPP.parse(decode_object(raw), ME))


def test_four_hostile_megabytes_take_no_quadratic_work() -> None:
    """Each of these would take minutes if any part of the work grew with the square of what came."""
    many = [{"wa_id": str(n), "profile": {"name": "x"}} for n in range(60_000)]
    assert_sound(WHATSAPP.parse(messages(*(message(id=f"w{n}") for n in range(3_000)), contacts=many), ME))
    assert_sound(WHATSAPP.parse(messages(message("contacts", many)), ME))
    assert_sound(WHATSAPP.parse(messages(message("text", {"body": "\\u00fc" * 700_000})), ME))
    assert_sound(WHATSAPP.parse(messages(message("location", {"name": "\\ud83d" * 700_000})), ME))
    assert_sound(WHATSAPP.parse({"entry": [{"changes": []}] * 200_000}, ME))
    assert_sound(WHATSAPP.parse({"entry": [{"changes": [{"value": {}}] * 400_000}]}, ME))
    assert_sound(WHATSAPP.parse(messages(message("contacts", [{"vcard": "FN" * 900_000}])), ME))


def test_numbers_too_long_to_be_spelled_are_an_event() -> None:
    huge = 10**5000
    whole = message(sender=huge, id=huge, timestamp=huge, type=huge, group_id=huge)
    assert_sound(WHATSAPP.parse(messages(whole), ME))
    assert_sound(WHATSAPP.parse(messages(message("location", {"latitude": huge})), ME))
