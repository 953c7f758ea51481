"""What the stand-in keeps over its own restart: who may call it and where webhooks go. What happened is forgotten.

One JSON file, replaced as a whole, so that a process killed while writing leaves the old one.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import orjson

from standin.graph_wire import Node
from standin.numbers import Number
from standin.slack import Workspace
from standin.world import Bot, World

BYTES_MAX = 8 * 1024 * 1024
_NUMBER = ("id", "token", "display", "account_id", "app_secret", "webhook", "pair_per_s", "revoked")
_EPOCH_S = 1_700_000_000


class Kept:
    """The registrations of a world in a file. path: readable by its owner alone, as it holds tokens."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = b""

    def load(self, world: World) -> None:
        """Give the world what was kept. A file that cannot be read is as none: a line on stderr says so."""
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            return
        try:
            _restore(world, orjson.loads(raw))
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            world.reset(keep_registrations=False)
            sys.stderr.write(f"{self._path} is not readable as registrations ({type(e).__name__}): begins empty\n")
            return
        self._written = raw

    def save(self, world: World) -> None:
        """Write the registrations if they have changed. Raises OSError."""
        raw = orjson.dumps(_registrations(world))
        if raw == self._written:
            return
        if len(raw) > BYTES_MAX:
            sys.stderr.write(f"more than {BYTES_MAX} bytes of registrations: the newest are not kept over a restart\n")
            return
        half = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        fd = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(raw)
        half.replace(self._path)
        self._written = raw


def _registrations(world: World) -> dict[str, Any]:
    return {
        "bots": [
            {"token": bot.token, "username": bot.username, "first_name": bot.first_name, "webhook": bot.webhook}
            for bot in world.bots.values()
        ],
        "keys": sorted(world.keys),
        "workspaces": [asdict(one) for one in world.workspaces.values()],
        "receivers": world.receivers,
        "nodes": [asdict(node) for node in world.graph.nodes.values()],
        "revoked": sorted(world.graph.revoked),
        "numbers": [{name: getattr(one, name) for name in _NUMBER} for one in world.numbers.values()],
    }


def _restore(world: World, kept: dict[str, Any]) -> None:
    # the numbers of messages go on behind any that was given out before, or they would name two messages
    already_sent = max(0, int(time.time()) - _EPOCH_S)
    world.bots = {one["token"]: Bot(**one, last_message_id=already_sent) for one in kept["bots"]}
    world.keys = set(kept["keys"])
    world.workspaces = {one["token"]: Workspace(**one) for one in kept["workspaces"]}
    world.receivers = dict(kept["receivers"])
    world.graph.nodes = {one["id"]: Node(**one) for one in kept["nodes"]}
    world.graph.revoked = set(kept["revoked"])
    world.numbers = {one["id"]: Number(**one) for one in kept["numbers"]}


assert set(_NUMBER) <= {field.name for field in fields(Number)}
