"""Conversations that were recorded: WebVTT, SRT, and JSON with speakers and times."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.knowledge.extract.base import Extracted, Turn, Unreadable, bounded, decoded

TURNS_MAX = 100_000
PAUSE_S = 4.0
"""A speaker who is silent so long begins anew."""

_TIMES = re.compile(r"\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\s*-->\s*((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,200})>")
_TAG = re.compile(r"<[^>]{0,200}>")
_NAMED = re.compile(r"\s*(?:>>\s*|-\s*)?([A-ZÀ-ÖØ-ÞА-Я][\w.'’-]*(?: [\w.'’-]+){0,3}|\[[^\]\n]{1,40}\]):\s+(?=\S)")
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
    text = decoded(raw)
    if not text.lstrip("\ufeff").startswith("WEBVTT"):
        raise Unreadable("no WebVTT: its first line should be WEBVTT")
    return _of_cues(text)


def read_srt(raw: bytes) -> Extracted:
    return _of_cues(decoded(raw))


def _of_cues(text: str) -> Extracted:
    bounded(text)
    turns: list[Turn] = []
    ended_s = 0.0
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        place = next((n for n, line in enumerate(lines[:3]) if _TIMES.match(line)), None)
        if place is None:
            continue  # a header, a note, a style
        times = _TIMES.match(lines[place])
        assert times is not None
        starts_s = _seconds(times[1])
        for speaker, said in _voices("\n".join(lines[place + 1 :])):
            _add(turns, Turn(speaker, said, starts_s), pause=starts_s - ended_s > PAUSE_S)
        ended_s = _seconds(times[2])
    if not turns:
        raise Unreadable("no cues with times and text in it")
    return Extracted("", None, tuple(turns))


def _voices(body: str) -> Iterable[tuple[str, str]]:
    """(speaker, text) of a cue. One without a name goes on with whoever spoke."""
    parts = _VOICE.split(body)
    if len(parts) == 1:
        plain = _plain(body)
        named = _NAMED.match(plain)
        yield (named[1].strip("[]"), plain[named.end() :]) if named else ("", plain)
        return
    if parts[0].strip():
        yield "", _plain(parts[0])
    for speaker, said in zip(parts[1::2], parts[2::2], strict=True):
        yield html.unescape(speaker).strip(), _plain(said)


def _plain(text: str) -> str:
    return " ".join(html.unescape(_TAG.sub("", text)).split())


def _add(turns: list[Turn], turn: Turn, *, pause: bool) -> None:
    """Cues of one speaker are one turn, unless there was a pause."""
    if not turn.text:
        return
    last = turns[-1] if turns else None
    if last is not None and not pause and turn.speaker in ("", last.speaker):
        turns[-1] = Turn(last.speaker, f"{last.text} {turn.text}", last.starts_s)
        return
    if last is not None and not turn.speaker:
        turn = Turn(last.speaker, turn.text, turn.starts_s)
    if len(turns) >= TURNS_MAX:
        raise Unreadable(f"more than {TURNS_MAX} turns: divide the recording")
    turns.append(turn)


def _seconds(written: str) -> float:
    found = 0.0
    for part in written.replace(",", ".").split(":"):
        found = found * 60 + float(part)
    return found


def read_json(raw: bytes) -> Extracted:
    """A list of `{"speaker", "text", "start"}`, or an object that holds one under a usual name. Other names that usual
    services give are known, too; times are seconds, or h:mm:ss, or milliseconds under `start_ms`."""
    try:
        content = json.loads(decoded(raw))
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    listed = _listed(content)
    if listed is None:
        raise Unreadable("no transcript: a list of objects with speaker, text and start")
    turns: list[Turn] = []
    for entry in listed:
        said = next((entry[key] for key in _TEXTS if isinstance(entry.get(key), str)), "")
        _add(turns, Turn(_speaker(entry), " ".join(said.split()), _start(entry)), pause=True)
    if not turns:
        raise Unreadable("no transcript: none of its entries has a text")
    title = content.get("title") if isinstance(content, dict) else None
    return Extracted("", title.strip() or None if isinstance(title, str) else None, tuple(turns))


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
            return " ".join(str(value).split())[:200]
    return ""


def _start(entry: Mapping[str, Any]) -> float | None:
    for key in _STARTS:
        value = entry.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value / 1000 if key.endswith("_ms") else float(value)
        if isinstance(value, str) and re.fullmatch(r"(?:\d+:){0,2}\d{1,9}(?:[.,]\d{1,9})?", value):
            return _seconds(value)
    return None
