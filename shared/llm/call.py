"""A call of a model, as the router, budgets and the ledger know it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.model import Purpose
from shared.store.models.providers import Kind
from shared.store.models.routes import RouteStep

KIND_OF: Mapping[Purpose, Kind] = MappingProxyType({
    "answer": "chat", "cheaper": "chat", "triage": "chat", "summary": "chat", "intent": "chat", "memory": "chat",
    "tools": "chat", "rerank": "rerank", "embedding": "embedding", "transcription": "transcription",
})  # fmt: skip
"""Which kind of model a purpose asks."""
_KIND_OF: Mapping[str, Kind] = {str(purpose): kind for purpose, kind in KIND_OF.items()}


@dataclass(frozen=True, slots=True)
class ModelCall:
    """For whom a model is called, and what for. contact_id: the customer whom it is for, None where it is for no single
    one. turn_id: the turn that it is part of, None outside of turns."""

    company_id: int
    contact_id: int | None
    purpose: Purpose
    turn_id: int | None = None


def why_barred(step: RouteStep) -> str | None:
    """The word for why a stored step cannot be asked; None: it can."""
    if step.state != "active":
        return "disabled"
    return None if step.kind is not None and step.kind == _KIND_OF.get(step.purpose) else "not_listed"
