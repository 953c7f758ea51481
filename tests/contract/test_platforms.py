"""What every platform's adapter promises of webhooks and of the parts of an answer."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import channels
from shared.model import InboundEvent, Kind
from tests.contract.samples import BUILT, SAMPLES, anything


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    sent_to = getattr(metafunc.function, "over_http", False)
    metafunc.parametrize("name", [name for name in sorted(BUILT) if not (sent_to and BUILT[name].local_delivery)])


def test_every_platform_is_known_by_its_name_and_has_a_sample(name: str) -> None:
    assert BUILT[name].name == name == channels.platform(name).name
    assert set(BUILT) == set(channels.NAMES) == set(SAMPLES)


# The way in


@pytest.mark.parametrize("secrets", [["{}"], ["newer", "{}"], ["{}", "older"], ["", "{}"]])
def test_a_request_under_any_secret_in_force_is_the_platforms(name: str, secrets: list[str]) -> None:
    sample = SAMPLES[name]
    raw = json.dumps(sample.message("5", "hello")).encode()
    in_force = [secret.format(sample.secret) for secret in secrets]
    assert BUILT[name].verify(sample.sign(raw, sample.secret), raw, in_force)


def test_a_request_under_no_secret_in_force_is_forged(name: str) -> None:
    sample = SAMPLES[name]
    raw = json.dumps(sample.message("5", "hello")).encode()
    signed, secret = sample.sign(raw, sample.secret), sample.secret
    for wrong in ([], [""], ["another"], [secret[:-1]], [secret[:-4]], [secret + "x"], [secret.upper()]):
        assert not BUILT[name].verify(signed, raw, wrong)


@given(value=st.one_of(st.text(st.characters(codec=None, categories=None)), st.just("é" * 5000)))
@settings(max_examples=60, deadline=None)
def test_malformed_headers_are_a_refusal_and_no_error(name: str, value: str) -> None:
    platform, sample = BUILT[name], SAMPLES[name]
    assert not platform.verify({}, b"{}", [sample.secret])
    signed = sample.sign(b"{}", sample.secret)
    assert platform.verify(signed, b"{}", [sample.secret])
    for header in signed:
        assert not platform.verify({**signed, header: f"{value}\x00"}, b"{}", [sample.secret])


def test_a_chat_has_one_shard_key_and_another_chat_another(name: str) -> None:
    platform, message = BUILT[name], SAMPLES[name].message
    keys = [platform.shard_key(message(chat, text)) for chat, text in (("5", "a"), ("5", "b"), ("6", "a"))]
    assert keys[0] == keys[1] != keys[2]


def test_a_customers_message_is_one_event_that_wants_a_reply(name: str) -> None:
    [event] = BUILT[name].parse(SAMPLES[name].message("5", "When do you open?"), SAMPLES[name].me)

    assert (event.kind, event.reply, event.reason, event.text) == ("message", True, None, "When do you open?")
    assert event.chat
    assert event.sender
    assert event.external_id


def test_the_same_event_twice_has_one_key_and_another_event_another(name: str) -> None:
    platform, sample = BUILT[name], SAMPLES[name]
    body, other = sample.message("5", "hello"), sample.message("5", "hello")

    keys = [platform.parse(each, sample.me)[0].dedupe_key for each in (body, json.loads(json.dumps(body)), other)]

    assert keys[0] == keys[1] != keys[2]


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_an_object_of_any_shape_is_events_that_keep_the_contract(name: str, data: st.DataObject) -> None:
    """A real message with one part replaced, at any depth: strict models break exactly there."""
    platform, sample = BUILT[name], SAMPLES[name]
    body = sample.message("5", "hello")
    place: dict[str, Any] = body
    while isinstance(place[key := data.draw(st.sampled_from(sorted(place)))], dict) and data.draw(st.booleans()):
        place = place[key]
    place[key] = data.draw(anything)

    events = platform.parse(body, sample.me)

    assert isinstance(platform.shard_key(body), str)
    assert events
    for event in events:
        _holds(event)
    assert platform.parse(body, sample.me) == events


def _holds(event: InboundEvent) -> None:
    assert event.kind in get_args(Kind)
    assert event.reply == (event.reason is None)
    assert event.dedupe_key
    if event.reply:
        assert event.chat
        assert event.text or event.attachments
    for value in (event.text, event.sender, event.chat, event.external_id, event.dedupe_key, event.reason):
        assert value != ""
        if value is not None:
            assert "\x00" not in value
            value.encode()  # no lone surrogate: PostgreSQL takes neither


# The way out


@given(text=st.text(st.characters(codec="utf-8"), max_size=200).map(lambda text: text * 60))
@settings(max_examples=40, deadline=None)
def test_parts_are_what_the_platform_takes_and_lose_no_word(name: str, text: str) -> None:
    parts = BUILT[name].split(text)

    assert all(part.strip() for part in parts)
    assert all(len(part.encode("utf-16-le")) // 2 <= SAMPLES[name].part_units for part in parts)
    assert _said("".join(parts)) == _said(text)


def _said(text: str) -> str:
    """Without spaces, which borders take, and marks, which they repeat."""
    return "".join(character for character in text if not character.isspace() and character not in "*_~`")


def test_a_short_answer_is_one_part_and_an_empty_one_none(name: str) -> None:
    assert BUILT[name].split("Hello!") == ["Hello!"]
    assert BUILT[name].split("") == BUILT[name].split(" \n ") == []
