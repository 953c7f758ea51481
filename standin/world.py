"""Everything the stand-in knows: who may call, how chats stand, what should fail and what has happened."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from standin.faults import Faults
from standin.graph_wire import Graph
from standin.limits import FloodLimits
from standin.records import Log, Record
from standin.wire import Exchange

ChatCondition = Literal[
    "ok", "blocked", "kicked", "deactivated", "migrated", "not_found", "archived", "not_in_channel", "internal_error",
    "unreachable", "other_app",
]  # fmt: skip
CONDITIONS: tuple[str, ...] = get_args(ChatCondition)

PROMPTS_KEPT = 5_000  # prompts are the bulk of the memory; older requests keep everything else


@dataclass(slots=True)
class Bot:
    """A registered bot. updates: how many its webhook was sent. texts: (chat, message id) → its text now."""

    token: str
    username: str
    first_name: str
    webhook: dict[str, Any] = field(default_factory=dict)
    last_message_id: int = 0
    updates: int = 0
    texts: dict[tuple[str, int], str] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return int(self.token.partition(":")[0])


@dataclass(frozen=True, slots=True)
class Chat:
    """How a chat stands. migrate_to_chat_id: the new id when it is `migrated`. silent_s: how long ago the customer
    wrote, for platforms with a window."""

    condition: str = "ok"
    migrate_to_chat_id: int | None = None
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds until the first byte, and between streamed pieces (a whole answer takes the sum)."""

    first_byte_s: float = 0.0
    chunk_s: float = 0.0


NO_LATENCY = Latency()


@dataclass(slots=True)
class Script:
    """The text of a completion to come; of any model when None."""

    text: str
    model: str | None = None


@dataclass
class World:
    """keep: writes down who is registered, before they are told that they are. control_token: what the control API is
    called with; empty: nobody may call it."""

    control_token: str = field(default="", repr=False)
    bots: dict[str, Bot] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    workspaces: dict[str, Any] = field(default_factory=dict)  # token → standin.slack.Workspace
    receivers: dict[str, str] = field(default_factory=dict)  # name → secret
    answered: set[tuple[str, str]] = field(default_factory=set)  # (receiver, webhook-id) of what they have taken
    graph: Graph = field(default_factory=Graph)
    numbers: dict[str, Any] = field(default_factory=dict)  # id → standin.numbers.Number
    chats: dict[str, Chat] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)  # file id → standin.files.File
    limits: FloodLimits = field(default_factory=FloodLimits)
    context_tokens: int = 128_000
    faults: Faults = field(default_factory=Faults)
    latencies: dict[tuple[str, str | None], Latency] = field(default_factory=dict)
    scripts: list[Script] = field(default_factory=list)
    effects: Log = field(default_factory=Log)
    attempts: Log = field(default_factory=Log)
    open: set[Exchange] = field(default_factory=set)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)  # what is done beside answering
    keep: Callable[[], None] = lambda: None
    _prompts: deque[Record] = field(default_factory=deque)

    def latency(self, target: str, model: str | None = None) -> Latency:
        """What was set for the model, else for the target."""
        return self.latencies.get((target, model)) or self.latencies.get((target, None)) or NO_LATENCY

    def next_script(self, model: str) -> str | None:
        for script in self.scripts:
            if script.model in (None, model):
                self.scripts.remove(script)
                return script.text
        return None

    def keep_prompt(self, attempt: Record) -> None:
        """Let go of the oldest prompt once there are too many."""
        self._prompts.append(attempt)
        if len(self._prompts) > PROMPTS_KEPT:
            self._prompts.popleft()["messages"] = None

    def reset(self, keep_registrations: bool) -> None:
        """Forget what happened and what should fail; cut requests in flight, so that none has an effect later."""
        for exchange in list(self.open):
            exchange.cut()
        for task in list(self.tasks):
            task.cancel()
        self.faults.clear()
        self.limits = FloodLimits()
        self.context_tokens = World.context_tokens
        self.answered.clear()
        for kept in (self.chats, self.files, self.latencies, self.scripts, self.effects, self.attempts, self._prompts):
            kept.clear()
        if not keep_registrations:
            self.bots.clear()
            self.keys.clear()
            self.workspaces.clear()
            self.receivers.clear()
            self.graph = Graph()
            self.numbers.clear()
