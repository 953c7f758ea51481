"""Faults on request: what should go wrong, for which requests, how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from standin.forms import FORMS

BEFORE_EFFECT = ("latency", "status", "timeout_before_effect", "drop_before_effect")
AFTER_EFFECT = (
    "timeout_after_effect", "drop_after_effect", "drop_midway", "stall_midway", "slow_start", "drip", "malformed",
    "empty", "form",
)  # fmt: skip
KINDS = (*BEFORE_EFFECT, *AFTER_EFFECT)

# Without a method a fault means the call that matters: a courtesy such as `typing` must not use it up.
DEFAULT_METHODS = {
    "telegram": "sendMessage", "openai": "chat.completions", "slack": "chat.postMessage", "receiver": "receive",
    "graph": "messages", "whatsapp": "messages",
}  # fmt: skip
ANY_METHOD = "*"


@dataclass(slots=True)
class Fault:
    """One thing to go wrong. It is used up after `count` requests; None lasts until it is cleared.

    kind:
      latency                works, `latency_s` later (any other kind may have `latency_s` too: it comes first)
      status                 refused with `status` (`description`, `code`, `retry_after` as the service words them)
      timeout_before_effect  nothing is done and nothing answered until the client leaves, or the connection is
                             closed after `seconds`;  timeout_after_effect: the same, once it is done
      drop_before_effect     connection closed, nothing done;  drop_after_effect: done, then closed
      drop_midway            done, closed after `cut_after_bytes` of the body
      stall_midway           done, nothing more after `cut_after_bytes` of the body until the client leaves
      slow_start             a stream of comments, one every `interval_s`, instead of its pieces
      drip                   done, the body leaves `bytes_each` bytes every `interval_s`
      malformed              done, the answer is a 200 of `variant` not_json or wrong_shape
      empty                  a completion without text
      form                   a completion in the form `variant`, one of forms.FORMS
    Matching: target, and method (`*` for every), token, chat_id, model where given.
    """

    target: str
    kind: str
    id: int = 0
    count: int | None = 1
    method: str | None = None
    token: str | None = None
    chat_id: str | None = None
    model: str | None = None
    latency_s: float = 0.0
    status: int = 500
    description: str | None = None
    code: str | None = None
    retry_after: int | None = None
    seconds: float | None = None
    interval_s: float = 0.1
    bytes_each: int = 1
    cut_after_bytes: int = 40
    variant: str = "not_json"

    def __post_init__(self) -> None:
        if self.target not in DEFAULT_METHODS:
            raise ValueError(f"target {self.target!r} should be one of {', '.join(DEFAULT_METHODS)}")
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} should be one of {', '.join(KINDS)}")
        variants = FORMS if self.kind == "form" else ("not_json", "wrong_shape")
        if self.variant not in variants:
            raise ValueError(f"variant {self.variant!r} should be one of {', '.join(variants)}")
        if not 400 <= self.status <= 599:
            raise ValueError(f"status {self.status} should be from 400 to 599")
        if self.count is not None and self.count < 1:
            raise ValueError("count should be at least 1, or null for until cleared")
        if min(self.latency_s, self.interval_s, self.seconds or 0, self.cut_after_bytes) < 0 or self.bytes_each < 1:
            raise ValueError("times and sizes should not be negative, bytes_each at least 1")
        self.method = self.method or DEFAULT_METHODS[self.target]
        self.chat_id = None if self.chat_id is None else str(self.chat_id)

    @property
    def after_effect(self) -> bool:
        return self.kind in AFTER_EFFECT

    def matches(self, attempt: Mapping[str, Any]) -> bool:
        if self.target != attempt["target"]:
            return False
        if self.method != ANY_METHOD and str(self.method).lower() != attempt["method"].lower():
            return False
        wanted = {"token": self.token, "chat_id": self.chat_id, "model": self.model}
        return all(value is None or str(attempt.get(name)) == value for name, value in wanted.items())


def from_json(values: Mapping[str, Any]) -> Fault:
    """Raises ValueError on a field that no fault has or a value it cannot have."""
    unknown = set(values) - {field.name for field in fields(Fault)} | set(values) & {"id"}
    if unknown:
        raise ValueError(f"unknown fields: {', '.join(sorted(unknown))}")
    return Fault(**values)


class Faults:
    """Those still to come, first in first out among the ones that match."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._last_id = 0

    def add(self, fault: Fault) -> int:
        self._last_id += 1
        fault.id = self._last_id
        self._waiting.append(fault)
        return fault.id

    def take(self, attempt: Mapping[str, Any]) -> Fault | None:
        for fault in self._waiting:
            if fault.matches(attempt):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count == 0:
                        self._waiting.remove(fault)
                return fault
        return None

    def clear(self, fault_id: int | None = None) -> None:
        self._waiting = [fault for fault in self._waiting if fault_id is not None and fault.id != fault_id]

    def waiting(self) -> list[Fault]:
        return list(self._waiting)
