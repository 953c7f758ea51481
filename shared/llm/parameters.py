"""The parameters of a chat request, and which of them a provider will not take.

The API that everybody copies has changed its names, and its copies know only some of them. A refusal that complains of
one of ours says how to ask next time: under the newer name, or without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_SPELLINGS: Mapping[str, tuple[str | None, ...]] = MappingProxyType(
    {
        "max_tokens": ("max_tokens", "max_completion_tokens", None),
        "temperature": ("temperature", None),
        "stream_options": ("stream_options", None),
        "stream": ("stream", None),
    }
)
"""What a parameter may be called, in the order of trying; None: not sent."""
_CONTEXT = re.compile(r"context.{0,20}(?:length|window|size)|too many tokens|prompt is too long", re.IGNORECASE)
_DISLIKE = re.compile(
    r"support|unrecogni|unknown|unexpected|not (?:allowed|permitted)|invalid|extra|deprecat|only the default"
    r"|additional propert|too large|must be|should be|cannot be",
    re.IGNORECASE,
)
_WORD = re.compile(r"[a-z_]+")
_READ_CHARS = 4_000
CONTEXT_CODES = ("context_length_exceeded", "string_above_max_length")


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to ask one provider for one model. A value: refused() makes the next one."""

    _tried: Mapping[str, int] = field(default_factory=dict)

    def body(self, max_tokens: int) -> dict[str, Any]:
        """The request's parameters, the model and its messages excepted. max_tokens: how long the answer may get."""
        values = {
            "max_tokens": max_tokens,
            "temperature": 0.2,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        named = {self._name(of): value for of, value in values.items()}
        if "stream" not in named:
            named.pop("stream_options", None)  # it is refused without a stream
        return {name: value for name, value in named.items() if name is not None}

    def refused(self, status: int, body: bytes) -> Parameters | None:
        """How to ask after this refusal; None if it complains of nothing that could be left out."""
        if status not in (400, 422):
            return None
        of = self._complained_of(body)
        return None if of is None else Parameters({**self._tried, of: self._tried.get(of, 0) + 1})

    @property
    def learnt(self) -> tuple[str, ...]:
        """What differs from the usual request, in words; for people."""
        return tuple(
            f"no {of}" if self._name(of) is None else f"{self._name(of)} instead of {of}" for of in sorted(self._tried)
        )

    def _name(self, of: str) -> str | None:
        return _SPELLINGS[of][self._tried.get(of, 0)]

    def _complained_of(self, body: bytes) -> str | None:
        named, message = _complaint(body)
        if _CONTEXT.search(message):
            return None
        names = {name: of for of, tried in _SPELLINGS.items() for name in tried[self._tried.get(of, 0) :] if name}
        for name, of in names.items():
            if name in named:
                return of
        if named or not _DISLIKE.search(message):
            return None
        # The one that is named first: the others are what to use instead.
        return next((names[word] for word in _WORD.findall(message) if word in names), None)


def _complaint(body: bytes) -> tuple[set[str], str]:
    """(fields that the refusal names, its words), from the forms of OpenAI and of FastAPI."""
    text = body[:_READ_CHARS].decode("utf-8", "replace")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return set(), text
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return set(), error if isinstance(error, str) else text
    if error.get("code") in CONTEXT_CODES:
        return set(), "context length"
    named = {error["param"].rpartition(".")[2]} if isinstance(error.get("param"), str) else set()
    details = error.get("detail") or error.get("details")
    for detail in details[:20] if isinstance(details, list) else ():
        place = detail.get("loc") if isinstance(detail, dict) else None
        named.update(str(part) for part in (place if isinstance(place, list) else [])[:5])
    words = error.get("message") or details
    return named - {"body"}, words[:_READ_CHARS] if isinstance(words, str) else text
