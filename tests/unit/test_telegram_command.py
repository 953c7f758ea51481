"""`./switchboard parse` shows what a body means, or says why it means nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.channels.body import decode_object
from tests.unit.fixtures_telegram import CUSTOMER, in_group, message, spanning, update
from workers.commands.parse import parse


def run(raw: bytes, *arguments: str) -> Result:
    return CliRunner().invoke(
        parse, ["telegram", *arguments] if arguments[:1] != ("as",) else list(arguments[1:]), input=raw
    )


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout_bytes.decode().splitlines()]


def raw_of(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_an_event_is_one_line_with_exactly_the_promised_keys() -> None:
    text = None
    body = update(
        "message",
        message(text=text, voice={"file_id": "v", "mime_type": "audio/ogg"}, reply_to_message={"message_id": 3}),
    )
    assert lines(run(raw_of(body))) == [
        {
            "kind": "message",
            "reply": True,
            "reason": None,
            "sender": "4401",
            "external_id": "17",
            "dedupe_key": "message:4401:17",
            "text": None,
            "attachments": [
                {
                    "type": "voice",
                    "id": "v",
                    "url": None,
                    "mime": "audio/ogg",
                    "name": None,
                    "size_bytes": None,
                    "latitude": None,
                    "longitude": None,
                }
            ],
            "reply_to": "3",
            "account": None,
            "chat": "4401",
            "payload": None,
            "targets": [],
            "until": None,
            "status": None,
            "meaning": None,
            "ref": None,
            "app": None,
            "sender_name": "Ada Byron",
            "sent_at": "2025-10-09T08:53:20+00:00",
            "migrated_to": None,
        }
    ]


def test_several_events_are_several_lines() -> None:
    body = update("deleted_business_messages", {"chat": {"id": 5, "type": "private"}, "message_ids": [1, 2, 3]})
    assert [line["external_id"] for line in lines(run(raw_of(body)))] == ["1", "2", "3"]


@pytest.mark.parametrize("handle", ["harbour_bot", "@harbour_bot"])
def test_mentions_of_us_are_seen_when_we_say_who_we_are(handle: str) -> None:
    text = "😀 @Harbour_bot?"
    body = raw_of(update("message", in_group(text=text, entities=[spanning(text, "@Harbour_bot", "mention")])))
    assert [line["reply"] for line in lines(run(body, "--me", handle)) + lines(run(body))] == [True, False]


def test_our_own_id_makes_an_echo() -> None:
    assert lines(run(raw_of(update("message", message())), "--me-id", str(CUSTOMER["id"])))[0]["kind"] == "echo"


@pytest.mark.parametrize(
    "text", ["line\u2028line\u0085line\x0bline\x1b[2J\x9b2J", "half \ud800", "nul\x00", "日本語 😀"]
)
def test_any_text_is_one_line_of_utf8(text: str) -> None:
    (line,) = lines(run(raw_of(update("message", message(text=text)))))
    assert line["text"] == text.replace("\ud800", "\ufffd").replace("\x00", "\ufffd")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no json",
        b"[]",
        b"null",
        b'"text"',
        b"7",
        b"NaN",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1',
        b'{"a": "\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 1_000_000,
        b"{}{}",
        b'{"a": 1}\x00',
    ],
)
def test_a_body_that_is_no_json_object_exits_2_and_says_so(raw: bytes) -> None:
    result = run(raw)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "JSON" in result.stderr


@pytest.mark.parametrize("name", ["telegraph", "", "\udcff"])
def test_an_unknown_platform_exits_2_with_the_known_names(name: str) -> None:
    result = run(b"{}", "as", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "telegram" in result.stderr


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": 1e999}', {"a": float("inf")}),
        (b'{"a": ' + b"9" * 10_000 + b"}", {"a": float("inf")}),
        (b'{"a": "\\ud800", "b": 123456789012345678901}', {"a": "\ud800", "b": 123456789012345678901.0}),
        (b' {"a": 18446744073709551615} ', {"a": 18446744073709551615}),
    ],
)
def test_json_that_one_reader_refuses_is_still_read(raw: bytes, expected: dict[str, Any]) -> None:
    assert decode_object(raw) == expected


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=60).map(str.encode))
def test_bytes_are_an_object_or_refused_with_a_reason(raw: bytes) -> None:
    result = run(raw)
    assert (result.exit_code, bool(result.stdout), "JSON" in result.stderr) in [(0, True, False), (2, False, True)]


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | st.booleans(), max_size=5))
def test_every_object_is_read_as_it_was_written(value: dict[str, Any]) -> None:
    assert decode_object(raw_of(value)) == json.loads(raw_of(value), parse_int=_as_read)


def _as_read(digits: str) -> float:
    """Numbers beyond 64 bits lose their last digits; no platform has such ids."""
    return int(digits) if -(2**63) <= int(digits) < 2**64 else float(digits)
