"""The calls of functions that a model asks for, put together from the pieces in which they are streamed.

OpenAI's API sends each call's name once and its arguments in pieces, by index. Servers that copy it leave the index or
the id out, send the arguments as an object, or use the older `function_call`.
"""

from __future__ import annotations

import json
from typing import Any

from shared.llm.api import CallFailed
from shared.llm.wishes import ToolPiece
from shared.model import ToolCall
from shared.text import storable

CALLS_MAX = 32
ARGUMENTS_CHARS_MAX = 64_000
"""Of all calls of one answer together."""
NAME_CHARS_MAX = 100


class _Piece:
    """One call as far as it has come."""

    def __init__(self, identifier: str) -> None:
        self.id = identifier
        self.name = ""
        self.arguments: list[str] = []
        self.told = False


class ToolCalls:
    """Collects the calls of one answer."""

    def __init__(self) -> None:
        self._by_index: dict[int, _Piece] = {}
        self._chars = 0
        self._fresh: list[ToolPiece] = []

    def __bool__(self) -> bool:
        return bool(self._by_index)

    def hear(self, message: dict[str, Any]) -> str:
        """Take in a delta or a message; returns what the model wrote of them in it. Raises TypeError for what no server
        means, CallFailed for too much."""
        calls = message.get("tool_calls")
        if calls is None and message.get("function_call"):
            calls = [{"index": 0, "function": message["function_call"]}]
        if calls is None:
            return ""
        if not isinstance(calls, list):
            raise TypeError("tool_calls")
        return "".join([self._hear_call(call) for call in calls])

    def _hear_call(self, call: dict[str, Any]) -> str:
        function = call.get("function") or {}
        name, arguments, identifier = function.get("name"), function.get("arguments"), call.get("id")
        piece = self._piece(call.get("index"), identifier, name)
        if isinstance(name, str) and name and not piece.name:
            piece.name = storable(name)[:NAME_CHARS_MAX]
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments)
        if arguments is not None and not isinstance(arguments, str):
            raise TypeError("arguments")
        piece.arguments.append(arguments or "")
        self._chars += len(arguments or "")
        if self._chars > ARGUMENTS_CHARS_MAX:
            raise CallFailed("too_long", retry=False)
        self._tell(piece, arguments or "")
        return (name if isinstance(name, str) else "") + (arguments or "")

    def fresh(self) -> list[ToolPiece]:
        """What came since the last question."""
        found, self._fresh = self._fresh, []
        return found

    def _tell(self, piece: _Piece, arguments: str) -> None:
        """A call is told of once its name is known; servers that send the name late have sent no arguments before."""
        if not piece.name:
            return
        place = list(self._by_index.values()).index(piece)
        if piece.told:
            self._fresh.append(ToolPiece(place, None, None, storable(arguments)))
        else:
            piece.told = True
            self._fresh.append(ToolPiece(place, piece.id, piece.name, storable("".join(piece.arguments))))

    def _piece(self, index: Any, identifier: Any, name: Any) -> _Piece:
        """The call that a piece belongs to: by index; without one by id; without either a name begins a new call."""
        if identifier is not None and not isinstance(identifier, str):
            raise TypeError("id")
        if not isinstance(index, int) or isinstance(index, bool):
            index = self._index_of(identifier, begins=bool(name))
        if index not in self._by_index:
            if len(self._by_index) >= CALLS_MAX:
                raise CallFailed("too_long", retry=False)
            self._by_index[index] = _Piece(storable(identifier or f"call_{len(self._by_index)}")[:NAME_CHARS_MAX])
        return self._by_index[index]

    def _index_of(self, identifier: str | None, *, begins: bool) -> int:
        if identifier:
            found = [index for index, piece in self._by_index.items() if piece.id == identifier]
            if found:
                return found[0]
            begins = True
        last = max(self._by_index, default=-1)
        return last + 1 if begins or last < 0 else last

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls in the order of their indexes. Arguments that are not valid JSON stay as they are: whoever runs the
        call tells the model what is wrong with them."""
        pieces = [self._by_index[index] for index in sorted(self._by_index)]
        return tuple(ToolCall(piece.id, piece.name, storable("".join(piece.arguments))) for piece in pieces)
