"""The parameters of a chat request, and which of them a provider will not take.

The API that everybody copies has changed its names, and its copies know only some of them. A refusal that complains of
one of ours says how to ask next time: under the newer name, or without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

_SPELLINGS: Mapping[str, tuple[str | None, ...]] = MappingProxyType(
    {
        "max_tokens": ("max_tokens", "max_completion_tokens"),  # never none: it bounds what an answer costs
        "temperature": ("temperature", None),
        "stream_options": ("stream_options", None),
        "stream": ("stream", None),
    }
)
"""What a parameter may be called, in the order of trying; None: not sent."""
_CONTEXT = re.compile(r"context.{0,20}(?:length|window|size)|too many tokens|prompt is too long", re.IGNORECASE)
_DISLIKE = re.compile(
    r"support|unrecogni|unknown|unexpected|not (?:allowed|permitted)|invalid|extra|deprecat|only the default"
    r"|additional propert|must be|should be|cannot be",
    re.IGNORECASE,
)
_TOO_MANY = re.compile(r"too (?:large|high|big|many)|at most|maximum|exceed|less than|between|<=", re.IGNORECASE)
_TOO_FEW = re.compile(
    r"too (?:small|low|short|few)|at least|minimum|below|greater than|more than|between|>=", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.])[0-9]{1,9}(?![\w.]*[0-9])")
_WORD = re.compile(r"[a-z_]+")
_READ_CHARS = 4_000
_LIMITS_NAMES = ("max_output_tokens", "max_new_tokens")
"""What servers call the limit of tokens by their own or another API's name, whatever it was sent as."""
LEAST_USUAL, LEAST_BELIEVED = 16, 1_024
"""The fewest tokens that an answer may be limited to: tried where a server names none, and the most it may name."""
CONTEXT_CODES = ("context_length_exceeded", "string_above_max_length")


@dataclass(frozen=True, slots=True)
class Parameters:
    """How to ask one provider for one model. A value: refused() makes the next one."""

    _tried: Mapping[str, int] = field(default_factory=dict)
    _tokens_most: int | None = None
    _tokens_least: int | None = None

    def body(self, max_tokens: int) -> dict[str, Any]:
        """The request's parameters, the model and its messages excepted. max_tokens: how long the answer may get."""
        values = {
            "max_tokens": self._limit(max_tokens),
            "temperature": 0.2,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        named = {self._name(of): value for of, value in values.items()}
        if "stream" not in named:
            named.pop("stream_options", None)  # it is refused without a stream
        return {name: value for name, value in named.items() if name is not None}

    def refused(
        self, status: int, body: bytes, max_tokens: int = 0, messages: Sequence[Mapping[str, Any]] = ()
    ) -> Parameters | None:
        """How to ask after this refusal; None if it complains of nothing that could be asked otherwise.

        max_tokens, messages: as they were sent. A refusal may quote the messages, so a parameter that they name is
        believed only where the refusal says it in a field of its own.
        """
        if status not in (400, 422):
            return None
        of, message = self._complained_of(body, messages)
        if of is None:
            return None
        if of == "max_tokens" and (_TOO_MANY.search(message) or _TOO_FEW.search(message)):
            return self._within(message, self._limit(max_tokens))
        tried = self._tried.get(of, 0) + 1
        return replace(self, _tried={**self._tried, of: tried}) if tried < len(_SPELLINGS[of]) else None

    @property
    def learnt(self) -> tuple[str, ...]:
        """What differs from the usual request, in words; for people."""
        asked = [
            f"no {of}" if self._name(of) is None else f"{self._name(of)} instead of {of}" for of in sorted(self._tried)
        ]
        least = [] if self._tokens_least is None else [f"at least {self._tokens_least} tokens"]
        most = [] if self._tokens_most is None else [f"at most {self._tokens_most} tokens"]
        return (*asked, *least, *most)

    def _limit(self, max_tokens: int) -> int:
        wanted = max(max_tokens, self._tokens_least or 0)
        return wanted if self._tokens_most is None else min(wanted, self._tokens_most)

    def _within(self, message: str, sent: int) -> Parameters | None:
        """How to ask where the limit of tokens was too large or too small; None if no other limit is known."""
        named = [int(number) for number in _NUMBER.findall(message)]
        smaller = [number for number in named if 0 < number < sent]
        if _TOO_MANY.search(message) and smaller:
            return replace(self, _tokens_most=max(smaller))
        if not _TOO_FEW.search(message) or sent >= LEAST_BELIEVED:
            return None
        larger = [number for number in named if sent < number <= LEAST_BELIEVED]
        return replace(self, _tokens_least=min(larger, default=max(LEAST_USUAL, min(2 * sent, LEAST_BELIEVED))))

    def _name(self, of: str) -> str | None:
        return _SPELLINGS[of][self._tried.get(of, 0)]

    def _complained_of(self, body: bytes, messages: Sequence[Mapping[str, Any]]) -> tuple[str | None, str]:
        """(the parameter, the refusal's words)"""
        named, message = _complaint(body)
        if _CONTEXT.search(message):
            return None, message
        names = {name: of for of, tried in _SPELLINGS.items() for name in tried[self._tried.get(of, 0) :] if name}
        many, few = _TOO_MANY.search(message) is not None, _TOO_FEW.search(message) is not None
        if many or few:
            names |= dict.fromkeys(_LIMITS_NAMES, "max_tokens")
        for name, of in names.items():
            if name in named:
                return of, message
        if few and not (many or _DISLIKE.search(message)):
            names = {name: of for name, of in names.items() if of == "max_tokens"}
        elif not (many or _DISLIKE.search(message)):
            names = {}
        if named:
            return None, message
        said = "\n".join(str(one.get("content")) for one in messages)
        # The one that is named first: the others are what to use instead.
        found = (names[word] for word in _WORD.findall(message) if word in names and word not in said)
        return next(found, None), message


def is_about_length(body: bytes) -> bool:
    """Whether a refusal says that the prompt is longer than the model reads."""
    return _CONTEXT.search(_complaint(body)[1]) is not None


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
