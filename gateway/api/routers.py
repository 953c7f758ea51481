"""Every router of /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.api import (
    api_keys,
    assistants,
    automatic_replies,
    budgets,
    inbox,
    knowledge,
    limits,
    models,
    operations,
    search,
    usage,
)

ROUTERS: tuple[APIRouter, ...] = (
    inbox.ROUTER,
    search.FILTERS,
    automatic_replies.ROUTER,
    assistants.ROUTER,
    knowledge.DOCUMENTS,
    knowledge.SITES,
    knowledge.IMPORTS,
    search.SEARCH,
    api_keys.ROUTER,
    limits.ROUTER,
    models.ROUTER,
    usage.ROUTER,
    budgets.ROUTER,
    operations.ROUTER,
)
