"""What receivers of webhooks often look like: FastAPI, the secret compared, a Celery task with the body."""

from __future__ import annotations

import hmac
from typing import Any

from celery import Celery
from fastapi import FastAPI, Header, HTTPException, Request

from shared import settings

_broker = settings.load().need("BROKER_URL")
celery = Celery("naive", broker=_broker)
celery.conf.task_ignore_result = True
app = FastAPI()


@celery.task(name="naive.handle")
def handle(body: dict[str, Any]) -> None:
    """Would be done by a worker."""


@app.post("/webhook")
def webhook(request: dict[str, Any], x_telegram_bot_api_secret_token: str = Header("")) -> dict[str, bool]:
    if not hmac.compare_digest(x_telegram_bot_api_secret_token, x_telegram_bot_api_secret_token or "-"):
        raise HTTPException(401)
    handle.delay(request)
    return {"ok": True}


__all__ = ["Request", "app"]
