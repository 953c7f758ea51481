"""Recorded conversations, read in this process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.knowledge.extract import transcripts
from shared.knowledge.extract.base import SPEAKER_CHARS, TITLE_CHARS, Extracted, Turn, Unreadable
from shared.knowledge.extract.transcripts import PAUSE_S, STARTS_MAX_S, read_json, read_srt, read_vtt


def _vtt(*cues: tuple[str, str, str]) -> tuple[Turn, ...]:
    """Turns of (from, to, text)."""
    body = "\n\n".join(f"{begin} --> {end}\n{text}" for begin, end, text in cues)
    return read_vtt(f"WEBVTT\n\n{body}\n".encode()).turns


def _said(text: str) -> list[tuple[str, str]]:
    return [(turn.speaker, turn.text) for turn in _vtt(("00:01.000", "00:02.000", text))]


def _json(content: object) -> Extracted:
    return read_json(json.dumps(content).encode())


# ------------------------------------------------------------------ WebVTT and SRT


def test_a_file_of_cues_has_no_text_and_no_title_of_its_own() -> None:
    found = read_vtt("\ufeff\ufeffWEBVTT - a call\n\n00:01.000 --> 00:02.000\nHello".encode())
    assert found == Extracted("", None, (Turn("", "Hello", 1.0),))


@pytest.mark.parametrize(
    ("read", "raw", "said"),
    [
        (read_vtt, b"hello", "not a valid WebVTT file: its first line should be WEBVTT"),
        (read_vtt, b" WEBVTT", "not a valid WebVTT file: its first line should be WEBVTT"),
        (read_vtt, b"WEBVTT\n\nNOTE nothing", "no cues with times and text in it"),
        (read_srt, b"1\n00:00:01,000 --> 00:00:02,000\n\n", "no cues with times and text in it"),
        (read_json, b"{", "not valid JSON"),
        (read_json, b'{"a": 5}', "not a transcript: send a list of objects with speaker, text and start"),
        (read_json, b"5", "not a transcript: send a list of objects with speaker, text and start"),
        (read_json, b"[]", "not a transcript: send a list of objects with speaker, text and start"),
        (read_json, b'[{"text": "a"}, 5]', "not a transcript: send a list of objects with speaker, text and start"),
        (read_json, b'[{"speaker": "Ann"}]', "not a transcript: none of its entries has a text"),
    ],
)
def test_what_is_no_transcript_is_refused_in_words(read: Any, raw: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as error:
        read(raw)
    assert str(error.value) == str(Unreadable(said))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_every_way_and_blank_ones_may_hold_blanks(end: str) -> None:
    text = end.join(
        ["1", "00:00:01,500 --> 00:00:02,000", "one", "line", " \t", "2", "00:09:00,000 --> 00:09:01,000", "b"]
    )
    assert read_srt(text.encode()).turns == (Turn("", "one line", 1.5), Turn("", "b", 540.0))


def test_a_cue_s_times_stand_in_its_first_three_lines() -> None:
    note = "NOTE\nabout\n  1:00:01.000 --> 1:00:02.000 align:start\nthird"
    text = f"WEBVTT\n\n{note}\n\na\nb\nc\n00:05.000 --> 00:06.000\nno"
    assert read_vtt(text.encode()).turns == (Turn("", "third", 3601.0),)


def test_a_speaker_goes_on_until_somebody_else_speaks_or_a_pause_is_longer_than_four_seconds() -> None:
    assert PAUSE_S == 4
    assert _vtt(
        ("00:04.000", "00:05.000", "Ann: one"),
        ("00:09.000", "00:10.000", "two"),
        ("00:14.001", "00:15.000", "three"),
        ("00:15.000", "00:16.000", "Bob: four"),
    ) == (Turn("Ann", "one two", 4.0), Turn("Ann", "three", 14.001), Turn("Bob", "four", 15.0))


@pytest.mark.parametrize(
    ("cue", "said"),
    [
        ("Ann Lee: Hello: you", [("Ann Lee", "Hello: you")]),
        (">> ANN: Hello", [("ANN", "Hello")]),
        ("- [Speaker 1]: Hello", [("Speaker 1", "Hello")]),
        ("  Ann: Hello ", [("Ann", "Hello")]),
        ("ann: Hello", [("", "ann: Hello")]),
        ("at 9:30", [("", "at 9:30")]),
        (
            "<v Ann>Hello</v>\n<v.loud Bob &amp; Cy> you <i>all</i> &lt;3",
            [("Ann", "Hello"), ("Bob & Cy", "you all <3")],
        ),
        ("aside <v Ann>Hello", [("", "aside"), ("Ann", "Hello")]),
        ("  <v Ann>Hello", [("Ann", "Hello")]),
        ("one\ntwo", [("", "one two")]),
        (f"<v {'n' * 200}>Hello", [("n" * SPEAKER_CHARS, "Hello")]),
    ],
)
def test_a_cue_names_its_speaker_in_one_of_several_ways(cue: str, said: list[tuple[str, str]]) -> None:
    assert _said(cue) == said


# ------------------------------------------------------------------ JSON


@pytest.mark.parametrize("key", transcripts._LISTS)
def test_the_list_stands_under_a_usual_name_up_to_two_objects_deep(key: str) -> None:
    listed = [{"text": "Hello"}]
    assert _json({key: listed}).turns == _json({"results": {key: listed}}).turns == (Turn("", "Hello", None),)
    with pytest.raises(Unreadable):
        _json({"results": {"results": {key: listed}}})


def test_a_name_that_holds_no_list_of_objects_is_passed_over() -> None:
    assert _json({"turns": [], "segments": "no", "entries": [{"text": "Hello"}]}).turns == (Turn("", "Hello", None),)


@pytest.mark.parametrize("key", transcripts._TEXTS)
def test_a_text_has_a_usual_name_and_its_white_space_is_one_blank(key: str) -> None:
    assert _json([{key: " a\n b "}]).turns == (Turn("", "a b", None),)


@pytest.mark.parametrize("key", transcripts._SPEAKERS)
def test_a_speaker_has_a_usual_name(key: str) -> None:
    for value, name in [
        (" Ann\n Lee ", "Ann Lee"), (7, "7"), ({"name": "Ann"}, "Ann"), ({"id": 5}, "5"),
        ("n" * 300, "n" * SPEAKER_CHARS), ("  ", ""), ({}, ""), (["Ann"], ""), (None, ""),
    ]:  # fmt: skip
        assert _json([{key: value, "text": "Hello"}]).turns == (Turn(name, "Hello", None),), value


def test_an_empty_name_does_not_hide_another_and_who_has_none_goes_on() -> None:
    assert _json([{"speaker": " ", "role": "agent", "text": "a"}, {"text": "b"}]).turns == (
        Turn("agent", "a", None), Turn("agent", "b", None),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("start", "starts_s"),
    [
        ({"start": 0}, 0.0), ({"start": 2.5}, 2.5), ({"start_ms": 2500}, 2.5), ({"start": STARTS_MAX_S}, STARTS_MAX_S),
        ({"start": STARTS_MAX_S + 1}, None), ({"start": -0.5}, None), ({"start": "1:02:03.5"}, 3723.5),
        ({"time": "02:03,25"}, 123.25), ({"begin": "7"}, 7.0), ({"start": "soon", "offset": 3}, 3.0),
        ({"start": True, "offset": 0.25}, 0.25), ({"start": "1:2:3:4"}, None), ({}, None),
    ],
)  # fmt: skip
def test_a_time_is_seconds_or_hours_or_milliseconds(start: dict[str, Any], starts_s: float | None) -> None:
    assert _json([{"text": "Hello", **start}]).turns == (Turn("", "Hello", starts_s),)


@pytest.mark.parametrize(
    ("title", "read"), [(" A\ncall ", "A call"), ("t" * 900, "t" * TITLE_CHARS), (5, None), ("", None)]
)
def test_a_title_stands_beside_the_list(title: object, read: str | None) -> None:
    assert _json({"title": title, "turns": [{"text": "Hello"}]}) == Extracted("", read, (Turn("", "Hello", None),))


def test_entries_of_one_speaker_stay_apart_because_each_has_its_time() -> None:
    listed = [
        {"speaker": "Ann", "text": "a", "start": 1},
        {"speaker": "Ann", "text": "b", "start": 2},
        {"speaker": "x"},
    ]
    assert _json(listed).turns == (Turn("Ann", "a", 1.0), Turn("Ann", "b", 2.0))


def test_a_recording_is_bounded_in_turns_and_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "TURNS_MAX", 2)
    two = [{"text": "a"}, {"text": "b"}]
    assert len(_json(two).turns) == 2
    with pytest.raises(Unreadable, match="more than 2 turns: divide the recording"):
        _json([*two, {"text": "c"}])

    monkeypatch.setattr(transcripts, "CHARS_MAX", 12)  # a turn counts its speaker, its text and three more
    assert _json([{"speaker": "Ann", "text": "abcdef"}]).turns == (Turn("Ann", "abcdef", None),)
    for beyond in ([{"speaker": "Ann", "text": "abcdefg"}], [{"text": "abcdef"}, {"text": "g"}]):
        with pytest.raises(Unreadable, match="more than 12 characters: divide the recording"):
            _json(beyond)


def test_a_turn_that_goes_on_counts_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = transcripts._Turns()
    monkeypatch.setattr(transcripts, "CHARS_MAX", 10)
    turns.add("Ann", "ab", 0.0, pause=False)  # 3 + 2 + 3
    turns.add("", "", 1.0, pause=False)
    turns.add("Ann", "c", 1.0, pause=False)  # 1 + 1
    assert turns.all() == (Turn("Ann", "ab c", 0.0),)
    with pytest.raises(Unreadable, match="more than 10 characters"):
        turns.add("", "d", 2.0, pause=False)
