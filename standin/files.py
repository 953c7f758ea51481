"""Files that customers attached: what a platform's file servers give."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from standin.wire import Exchange
from standin.world import World


@dataclass(frozen=True, slots=True)
class File:
    """path: where a platform says that it is, without a leading slash."""

    path: str
    mime: str
    content: bytes


def read(values: dict[str, Any]) -> File:
    """From the control API: {file_path, mime, base64}. Raises ValueError."""
    try:
        content = base64.b64decode(values["base64"], validate=True)
    except (binascii.Error, TypeError):
        raise ValueError("base64 is none") from None
    return File(str(values["file_path"]).lstrip("/"), str(values["mime"]), content)


async def telegram(world: World, exchange: Exchange) -> None:
    """`/file/bot<token>/<path>` of a registered bot."""
    token, _, path = exchange.request.path.removeprefix("/file/bot").partition("/")
    found = next((file for file in world.files.values() if file.path == path), None)
    attempt = world.attempts.append(target="telegram", method="file", token=token, outcome="open")
    if token not in world.bots or found is None:
        world.attempts.update(attempt, status=404, outcome="error")
        return await exchange.answer(404, b'{"ok":false,"error_code":404,"description":"Not Found"}')
    world.attempts.update(attempt, status=200, outcome="ok")
    return await exchange.answer(200, found.content, content_type=found.mime)
