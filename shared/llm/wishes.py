"""What a request to a model may ask for beyond what answers to customers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

MAX_ANSWER_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class ToolPiece:
    """A piece of a call that a model asks for, as it comes. place: of the call among the answer's, from 0. id, name: of
    its first piece alone. arguments: what is written of them since the last piece."""

    place: int
    id: str | None
    name: str | None
    arguments: str


OnTool = Callable[[ToolPiece], None]
"""Told each piece of a tool call as it comes, on the event loop's thread; it must not block or raise."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """parameters: sent as they stand, under the API's own names; one that is None is not sent at all. max_tokens: of
    the answer, in place of the step's. may_be_cut: an answer that ends at its limit of tokens is one, and is not asked
    for again with more room. once: nobody else is asked once a piece was told, because it cannot be taken back.
    chars_max: of the answer. on_tool: hears tool calls come. on_step: told which provider and model is asked, before
    each call."""

    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    max_tokens: int | None = None
    may_be_cut: bool = False
    once: bool = False
    chars_max: int = MAX_ANSWER_CHARS
    on_tool: OnTool | None = None
    on_step: Callable[[str, str], None] | None = None


USUAL = Wishes()
