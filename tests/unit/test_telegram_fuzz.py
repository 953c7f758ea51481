"""Whatever JSON object arrives, it is at least one event that can be stored."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import platform
from shared.channels.body import decode_object
from shared.model import InboundEvent
from tests.unit.fixtures_telegram import LOOK_ALIKES, ME

TELEGRAM = platform("telegram")

any_text = st.text(st.characters(codec=None, categories=None), max_size=12)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -(10**30), 2**63, 0, float("inf"), float("nan")]),
    st.floats(),
    any_text,
    st.sampled_from(["\x00", "\ud800", "\udfff x", "x" * 1000, "4401", "private", "supergroup", "business:1:2"]),
)
FIELDS = sorted(
    {*LOOK_ALIKES, *LOOK_ALIKES["message"], "caption", "photo", "entities", "type", "id", "reply_to_message"}
)
names = st.one_of(st.sampled_from(FIELDS), any_text)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
    max_leaves=12,
)


@st.composite
def mutated_look_alikes(draw: st.DrawFn) -> dict[str, Any]:
    """A real-looking update in which a few places, at any depth, hold something else or are gone."""
    kinds = draw(st.lists(st.sampled_from(sorted(LOOK_ALIKES)), min_size=1, max_size=3))
    body = json.loads(
        json.dumps({"update_id": draw(scalars) or 5, **{kind: LOOK_ALIKES[kind] for kind in kinds}}, default=str)
    )
    for _ in range(draw(st.integers(1, 4))):
        place = body
        while True:
            name = draw(st.sampled_from(sorted(place)) if place else names)
            if not isinstance(place.get(name), dict) or draw(st.booleans()):
                break
            place = place[name]
        if draw(st.booleans()):
            place[name] = draw(anything)
        else:
            place.pop(name, None)
    return body


def assert_storable(events: list[InboundEvent]) -> None:
    assert events
    for event in events:
        fields = (
            event.text,
            event.sender,
            event.sender_name,
            event.chat,
            event.external_id,
            event.dedupe_key,
            event.reply_to,
        )
        attached = [value for a in event.attachments for value in (a.type, a.id, a.url, a.mime)]
        for value in (*fields, *attached):
            assert value is None or (value and "\x00" not in value and value.encode())
        assert 0 < len(event.dedupe_key) <= 200
        assert event.reply == (event.reason is None)
        assert not event.reply or (event.sender and event.chat and (event.text or event.attachments))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, anything, max_size=6))
def test_any_object_is_at_least_one_storable_event(body: dict[str, Any]) -> None:
    assert_storable(TELEGRAM.parse(body, ME))


@settings(max_examples=250, deadline=None)
@given(mutated_look_alikes())
def test_any_broken_update_is_at_least_one_storable_event(body: dict[str, Any]) -> None:
    assert_storable(TELEGRAM.parse(body, ME))
    assert isinstance(TELEGRAM.shard_key(body), str)


@settings(max_examples=200, deadline=None)
@given(mutated_look_alikes())
def test_events_of_one_update_have_different_keys(body: dict[str, Any]) -> None:
    keys = [event.dedupe_key for event in TELEGRAM.parse(body, ME)]
    assert len(set(keys)) == len(keys)


@settings(max_examples=200, deadline=None)
@given(mutated_look_alikes())
def test_the_same_update_again_gives_the_same_events(body: dict[str, Any]) -> None:
    turned = dict(reversed(body.items()))
    events, again = TELEGRAM.parse(body, ME), TELEGRAM.parse(turned, ME)
    assert {e.dedupe_key for e in events} == {e.dedupe_key for e in again}


def test_numbers_too_long_to_be_spelled_are_an_event() -> None:
    huge = 10**5000
    assert_storable(
        TELEGRAM.parse({"update_id": huge, "message": {"message_id": huge, "date": huge, "from": huge}}, ME)
    )


def test_one_message_under_two_kinds_has_two_keys() -> None:
    same = LOOK_ALIKES["message"]
    events = TELEGRAM.parse({"update_id": 5, "message": same, "business_message": same}, ME)
    assert len({event.dedupe_key for event in events}) == 2


def test_nesting_as_deep_as_can_be_read_is_an_event() -> None:
    raw = b'{"poll":' * 900 + b"1" + b"}" * 900
    assert_storable(TELEGRAM.parse(decode_object(raw), ME))


def test_a_body_full_of_entities_takes_no_quadratic_time() -> None:
    entity = {"type": "mention", "offset": 0, "length": 1_000_000}
    group = {"id": -5, "type": "group"}
    huge = {"message_id": 1, "from": {"id": 2}, "chat": group, "text": "@" * 1_000_000, "entities": [entity] * 50_000}
    assert_storable(TELEGRAM.parse({"message": huge}, ME))
