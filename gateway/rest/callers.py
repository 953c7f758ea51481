"""Who calls, and whether their key's scopes are enough."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import Request


class Caller(SecurityBase, ABC):
    """Who calls an operation: `Annotated[Agent, Security(AGENT, scopes=["read"])]`. It is known before anything else of
    the request is looked at but the size of its query. any_scope: one of the scopes is enough."""

    any_scope = False

    def __init__(self, name: str, description: str) -> None:
        self.scheme_name = name
        self.model = HTTPBearer(description=description)

    @abstractmethod
    async def __call__(self, request: Request, scopes: SecurityScopes) -> Any:
        """Raises Refused(401, 403, 429)."""
