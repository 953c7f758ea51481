"""Whatever JSON object arrives from Messenger or Instagram, it is at least one event that can be stored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels import platform
from shared.channels.body import decode_object
from shared.model import InboundEvent, Me
from tests.unit.fixtures_meta import LOOK_ALIKES, ME, PAGE, body, message

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks"
RECORDED = [
    json.loads(path.read_bytes())["body"]
    for kind in ("messenger", "instagram")
    for path in sorted((FOLDER / kind).glob("*.json"))
]
BODIES = [*LOOK_ALIKES.values(), *RECORDED]
MESSENGER = platform("messenger")

any_text = st.text(st.characters(codec=None, categories=None), max_size=12)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), any_text,
    st.sampled_from([10**30, -(10**30), 2**63, 0, float("inf"), float("nan"), 1e300, 10**400]),
    st.sampled_from(["\x00", "\ud800", "\udfff x", "x" * 1000, PAGE, "0", "unreact", "true", "2021-09-08T06:34:04Z"]),
)  # fmt: skip
FIELDS = sorted(
    {"entry", "messaging", "standby", "changes", "field", "value", "sender", "recipient", "id", "user_ref", "timestamp"}
    | {"attachments", "payload", "type", "mid", "mids", "watermark", "is_echo", "is_deleted", "reply_to", "story"}
    | {"message", "postback", "reaction", "read", "delivery", "optin", "referral", "quick_reply", "text", "coordinates"}
)
names = st.one_of(st.sampled_from(FIELDS), any_text)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=5)),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A real body in which a few places, at any depth, hold something else or are gone."""
    whole: dict[str, Any] = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    for _ in range(draw(st.integers(1, 4))):
        place: Any = whole
        while True:
            keys: list[Any] = sorted(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], dict | list) and place[key] and draw(st.integers(0, 4)):
                place = place[key]
                continue
            if draw(st.booleans()):
                place[key] = draw(anything)
            else:
                del place[key]
            break
    return whole


def assert_storable(events: list[InboundEvent]) -> None:
    assert 0 < len(events) <= 1001
    for event in events:
        texts = [
            event.text, event.sender, event.sender_name, event.chat, event.external_id, event.dedupe_key,
            event.reply_to, event.payload, event.status, event.ref, event.app, event.account, event.reason,
            *event.targets,
        ]  # fmt: skip
        attached = [value for a in event.attachments for value in (a.type, a.id, a.url, a.mime, a.name)]
        for value in (*texts, *attached):
            assert value is None or (value and "\x00" not in value and value.encode())
        assert 0 < len(event.dedupe_key) <= 200
        assert len(event.chat or "") <= 200
        assert event.reply == (event.reason is None)
        assert not event.reply or (event.sender and event.chat and (event.text or event.attachments))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(names, anything, max_size=6), st.sampled_from([ME, Me()]))
def test_any_object_is_at_least_one_storable_event(whole: dict[str, Any], me: Me) -> None:
    assert_storable(MESSENGER.parse(whole, me))
    assert isinstance(MESSENGER.shard_key(whole), str)


@settings(max_examples=300, deadline=None)
@given(mutated(), st.sampled_from([ME, Me()]))
def test_any_broken_body_is_at_least_one_storable_event(whole: dict[str, Any], me: Me) -> None:
    events = MESSENGER.parse(whole, me)
    assert_storable(events)
    assert MESSENGER.parse(whole, me) == events
    assert isinstance(MESSENGER.shard_key(whole), str)
    account = MESSENGER.account(whole)
    assert account is None or isinstance(account, str)


def test_nesting_as_deep_as_can_be_read_is_an_event() -> None:
    for name in (b"entry", b"message", b"attachments"):
        raw = b'{"%s":' % name * 900 + b"1" + b"}" * 900
        assert_storable(MESSENGER.parse(decode_object(raw), ME))


MEGABYTE = "x" * 1_000_000
HOSTILE = {
    "entries": {"entry": [{}] * 400_000},
    "items": body(*[{}] * 400_000),
    "entry id": {"entry": [{"id": MEGABYTE, "time": MEGABYTE, "changes": [{"field": "feed"}] * 100_000}]},
    "attachments": body(*[message(attachments=[{}] * 1000)] * 1000),
    "kinds": body(
        {"sender": {"id": MEGABYTE}, "timestamp": MEGABYTE, **{name: "x" for item in BODIES for name in item}}
    ),
    "targets": body({"sender": {"id": "1"}, "delivery": {"mids": ["m"] * 400_000}}),
    "texts": body(*[message(text=MEGABYTE)] * 50),
    "unknown": {"entry": [{"id": "1", MEGABYTE: [[]] * 100_000}] * 3},
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_body_takes_bounded_time(name: str) -> None:
    """Where something is quadratic it does not end within a test's time."""
    assert_storable(MESSENGER.parse(HOSTILE[name], ME))
    MESSENGER.shard_key(HOSTILE[name])
    MESSENGER.account(HOSTILE[name])
