"""Whatever JSON object arrives from Slack or from a program, it is at least one event that can be stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import platform
from shared.model import InboundEvent, Me
from tests.unit import fixtures_slack, fixtures_standard

SAMPLES = {
    "slack": (fixtures_slack.LOOK_ALIKES, fixtures_slack.ME),
    "standard": (fixtures_standard.LOOK_ALIKES, Me("shop")),
}

any_text = st.text(st.characters(codec=None, categories=None), max_size=12)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text,
    st.sampled_from([10**30, 2**63, 0, float("inf"), float("nan"), "\x00", "\ud800", "x" * 1000, "U0BERTH",
                     "<@U0BERTH>", "message_changed", "file_share", "1760000000.000100", "<http://x|", "&lt;", "a b"]),
)  # fmt: skip
names = st.one_of(
    any_text,
    st.sampled_from(
        ["type", "subtype", "user", "channel", "ts", "blocks", "elements", "text", "files", "data", "event"]
    ),
)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn, name: str) -> dict[str, Any]:
    """A real-looking body in which a few places, at any depth, hold something else or are gone."""
    look_alikes = SAMPLES[name][0]
    body: dict[str, Any] = json.loads(json.dumps(look_alikes[draw(st.sampled_from(sorted(look_alikes)))]))
    for _ in range(draw(st.integers(1, 4))):
        place: Any = body
        while True:
            inside: list[Any] = list(range(len(place))) if isinstance(place, list) else sorted(place)
            if not inside:
                break
            at = draw(st.sampled_from(inside))
            if not isinstance(place[at], dict | list) or draw(st.integers(0, 3)) == 0:
                if draw(st.booleans()):
                    place[at] = draw(anything)
                else:
                    del place[at]
                break
            place = place[at]
    return body


def check(name: str, body: dict[str, Any]) -> None:
    speaker, me = platform(name), SAMPLES[name][1]
    events = speaker.parse(body, me)
    assert events
    assert events == speaker.parse(body, me)
    assert len({event.dedupe_key for event in events}) == len(events) <= 1000
    for event in events:
        _storable(event)
    for value in (speaker.shard_key(body), speaker.account(body) or "", speaker.challenge(body) or ""):
        assert len(value) <= 1024
        assert "\x00" not in value
        value.encode()


def _storable(event: InboundEvent) -> None:
    fields = [event.text, event.sender, event.sender_name, event.chat, event.external_id, event.dedupe_key, event.ref,
              event.reply_to, event.account, event.payload, event.status, event.app, *event.targets]  # fmt: skip
    fields += [value for a in event.attachments for value in (a.type, a.id, a.url, a.mime, a.name)]
    for value in fields:
        assert value is None or (value and "\x00" not in value and len(value) <= 16_000 and value.encode())
    assert 0 < len(event.dedupe_key) <= 200
    assert event.reply == (event.reason is None)
    assert not event.reply or (event.sender and event.chat and (event.text or event.attachments))


@pytest.mark.parametrize("name", sorted(SAMPLES))
@settings(max_examples=150, deadline=None)
@given(body=st.dictionaries(names, anything, max_size=6))
def test_any_object_is_at_least_one_storable_event(name: str, body: dict[str, Any]) -> None:
    check(name, body)


@settings(max_examples=200, deadline=None)
@given(mutated("slack"))
def test_any_broken_event_of_slack_is_storable(body: dict[str, Any]) -> None:
    check("slack", body)


@settings(max_examples=150, deadline=None)
@given(mutated("standard"))
def test_any_broken_webhook_of_a_program_is_storable(body: dict[str, Any]) -> None:
    check("standard", body)


def _deep(value: Any, levels: int = 900) -> Any:
    for _ in range(levels):
        value = {"elements": [value]}
    return value


HUGE = 4 * 1024 * 1024
HOSTILE = {
    "brackets": fixtures_slack.message(text="<" * HUGE),
    "links": fixtures_slack.message(text="<http://x|y>" * (HUGE // 12)),
    "blocks": fixtures_slack.message(text="", blocks=[{"type": "section", "text": {"text": "x"}}] * 100_000),
    "leaves": fixtures_slack.message(text="", blocks=fixtures_slack.rich(*[{"type": "text", "text": "x"}] * 100_000)),
    "nobody": fixtures_slack.in_channel(text="", blocks=fixtures_slack.rich(*[{"type": "user"}] * 100_000)),
    "files": fixtures_slack.message(files=[{"id": "F1"}] * 100_000),
    "deep": fixtures_slack.message(text="", blocks=[_deep({"type": "text"})]),
    "deep edit": fixtures_slack.EVENTS["changed"]
    | {"message": {"edited": _deep({})}, "previous_message": {"edited": _deep({})}},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_body_takes_bounded_time(name: str) -> None:
    """A quadratic reader would meet the test's time limit."""
    check("slack", fixtures_slack.callback(HOSTILE[name], event_id="Ev1"))


def test_a_form_full_of_fields_is_refused_at_once() -> None:
    with pytest.raises(ValueError):
        platform("slack").decode(b"&".join([b"a=1"] * 1_000_000))
