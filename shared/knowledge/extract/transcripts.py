"""Conversations that were recorded: WebVTT, SRT, and JSON with speakers and times."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.knowledge.extract import charsets
from shared.knowledge.extract.base import (
    CHARS_MAX,
    SPEAKER_CHARS,
    Extracted,
    Turn,
    Unreadable,
    bounded,
    title_cut,
)

TURNS_MAX = 100_000
STARTS_MAX_S = 10_000_000
PAUSE_S = 4.0
"""A speaker who is silent so long begins anew."""

_TIMES = re.compile(r"((?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3})[ \t]*-->[ \t]*((?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3})")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^\s<>][^<>]{0,199})>")
_TAG = re.compile(r"<[^<>]{0,200}>")
_NAMED = re.compile(r"(?:>>|-)?\s*([A-ZÀ-ÖØ-ÞА-Я][\w.'’-]{0,49}(?: [\w.'’-]{1,50}){0,3}|\[[^\]\n]{1,40}\]):\s+(?=\S)")
"""`Ann Lee: …` at the beginning of a cue."""

_LISTS = ("turns", "segments", "utterances", "transcript", "transcription", "results", "messages", "entries", "cues")
_SPEAKERS = ("speaker", "speaker_name", "speaker_label", "name", "role", "participant", "channel", "from", "user")
_TEXTS = ("text", "transcript", "content", "utterance", "words", "body", "message")
_STARTS = (
    "start",
    "start_s",
    "starts_s",
    "start_time",
    "startTime",
    "begin",
    "offset",
    "timestamp",
    "time",
    "start_ms",
)


def read_vtt(raw: bytes) -> Extracted:
    text = charsets.of_text(raw)
    if not text.lstrip("\ufeff").startswith("WEBVTT"):
        raise Unreadable("not a valid WebVTT file: its first line should be WEBVTT")
    return _of_cues(text)


def read_srt(raw: bytes) -> Extracted:
    return _of_cues(charsets.of_text(raw))


def _of_cues(text: str) -> Extracted:
    bounded(text)
    turns = _Turns()
    ended_s = 0.0
    for lines in _cues(text):
        times = next(((n, found) for n, line in enumerate(lines[:3]) if (found := _TIMES.match(line.strip()))), None)
        if times is None:
            continue  # a header, a note, a style
        place, found = times
        starts_s = _seconds(found[1])
        for speaker, said in _voices("\n".join(lines[place + 1 :])):
            turns.add(speaker, said, starts_s, pause=starts_s - ended_s > PAUSE_S)
        ended_s = _seconds(found[2])
    if not turns.found:
        raise Unreadable("no cues with times and text in it")
    return Extracted("", None, turns.all())


def _cues(text: str) -> Iterator[list[str]]:
    """The lines of each block between blank lines."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.strip(" \t"):
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _voices(body: str) -> Iterable[tuple[str, str]]:
    """(speaker, text) of a cue. One without a name goes on with whoever spoke."""
    parts = _VOICE.split(body)
    if len(parts) == 1:
        plain = _plain(body)
        named = _NAMED.match(plain.lstrip())
        yield (named[1].strip("[]"), plain.lstrip()[named.end() :]) if named else ("", plain)
        return
    if parts[0].strip():
        yield "", _plain(parts[0])
    for speaker, said in zip(parts[1::2], parts[2::2], strict=True):
        yield html.unescape(speaker).strip(), _plain(said)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


class _Turns:
    """Turns as they come, counted. What one speaker says cue by cue is one turn, unless there was a pause."""

    def __init__(self) -> None:
        self.found: list[tuple[str, list[str], float | None]] = []
        self._size = 0

    def add(self, speaker: str, text: str, starts_s: float | None, *, pause: bool) -> None:
        if not text:
            return
        speaker = speaker[:SPEAKER_CHARS]
        last = self.found[-1] if self.found else None
        if last is not None and not pause and speaker in ("", last[0]):
            last[1].append(text)
            self._count(len(text) + 1)
            return
        if last is not None and not speaker:
            speaker = last[0]
        if len(self.found) >= TURNS_MAX:
            raise Unreadable(f"more than {TURNS_MAX} turns: divide the recording")
        self.found.append((speaker, [text], starts_s))
        self._count(len(speaker) + len(text) + 3)

    def _count(self, chars: int) -> None:
        self._size += chars
        if self._size > CHARS_MAX:
            raise Unreadable(f"more than {CHARS_MAX} characters: divide the recording")

    def all(self) -> tuple[Turn, ...]:
        return tuple(Turn(speaker, " ".join(said), starts_s) for speaker, said, starts_s in self.found)


def _seconds(written: str) -> float:
    found = 0.0
    for part in written.replace(",", ".").split(":"):
        found = found * 60 + float(part)
    return found


def read_json(raw: bytes) -> Extracted:
    """A list of `{"speaker", "text", "start"}`, or an object that holds one under a usual name. Other names that usual
    services give are known, too; times are seconds, or h:mm:ss, or milliseconds under `start_ms`."""
    try:
        content = json.loads(charsets.of_text(raw))
    except (ValueError, RecursionError):
        raise Unreadable("not valid JSON") from None
    listed = _listed(content)
    if listed is None:
        raise Unreadable("not a transcript: send a list of objects with speaker, text and start")
    turns = _Turns()
    for entry in listed:
        said = next((entry[key] for key in _TEXTS if isinstance(entry.get(key), str)), "")
        turns.add(_speaker(entry), " ".join(said.split()), _start(entry), pause=True)
    if not turns.found:
        raise Unreadable("not a transcript: none of its entries has a text")
    title = content.get("title") if isinstance(content, dict) else None
    return Extracted("", title_cut(title) if isinstance(title, str) else None, turns.all())


def _listed(content: Any, depth: int = 0) -> list[dict[str, Any]] | None:
    if isinstance(content, list):
        found = [entry for entry in content if isinstance(entry, dict)]
        return found if found and len(found) == len(content) else None
    if isinstance(content, dict) and depth < 2:
        for key in _LISTS:
            if key in content and (inside := _listed(content[key], depth + 1)):
                return inside
    return None


def _speaker(entry: Mapping[str, Any]) -> str:
    for key in _SPEAKERS:
        value = entry.get(key)
        if isinstance(value, dict):
            value = value.get("name") or value.get("id")
        if isinstance(value, str | int) and str(value).strip():
            return " ".join(str(value).split())[:SPEAKER_CHARS]
    return ""


def _start(entry: Mapping[str, Any]) -> float | None:
    for key in _STARTS:
        value = entry.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            starts_s = value / 1000 if key.endswith("_ms") else float(value)
            return starts_s if 0 <= starts_s <= STARTS_MAX_S else None
        if isinstance(value, str) and re.fullmatch(r"(?:\d{1,4}:){0,2}\d{1,9}(?:[.,]\d{1,9})?", value):
            return _seconds(value)
    return None
