"""Server-sent events, however the bytes are cut and whichever line end a server uses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm.sse import Event, EventDecoder

STREAM = (
    "\ufeff: a comment\n"
    "event: first\ndata: one\ndata: two\n\n"
    "data:without a blank\nid: 7\nretry: 10\n\n"
    "\n\n"
    "event: named only\n\n"
    'data: {"text": "größer"}\n\n'
    "data: [DONE]"
)
EVENTS = [
    Event("first", "one\ntwo"),
    Event("message", "without a blank"),
    Event("named only", ""),
    Event("message", '{"text": "größer"}'),
    Event("message", "[DONE]"),
]


def decoded(pieces: list[bytes]) -> list[Event]:
    decoder = EventDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.end()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@given(data=st.data())
def test_a_stream_means_the_same_however_it_is_cut(line_end: str, data: st.DataObject) -> None:
    stream = STREAM.replace("\n", line_end).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert decoded(pieces) == EVENTS


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_an_event_is_told_with_its_blank_line_and_not_only_with_the_next_event(line_end: bytes) -> None:
    decoder = EventDecoder()
    assert decoder.feed(b"data: one" + line_end + line_end) == [Event("message", "one")]
    assert decoder.feed(b"\ndata: two" + line_end + line_end) == [Event("message", "two")]


def test_bytes_that_are_no_text_end_nothing() -> None:
    assert decoded([b"data: \xff\n\n"]) == [Event("message", "\ufffd")]
