"""What a caller of /api/v1 may still ask: counted once a request, as soon as the caller is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.requests import Request


class Allowance(Protocol):
    async def take(self, request: Request, caller: Any) -> Mapping[str, str]:
        """Count a request; the headers that tell what is left go with its answer. Raises Refused(429) with them."""


class Unlimited:
    async def take(self, request: Request, caller: Any) -> Mapping[str, str]:
        return {}
