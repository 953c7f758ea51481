"""Every router of /api/v1."""

from __future__ import annotations

from fastapi import APIRouter

from gateway.api import api_keys, assistants, models

ROUTERS: tuple[APIRouter, ...] = (assistants.ROUTER, api_keys.ROUTER, models.ROUTER)
