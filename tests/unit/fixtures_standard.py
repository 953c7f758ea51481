"""Webhooks of other programs for tests, in the shape that shared/channels/standard/event.py promises to take."""

from __future__ import annotations

from typing import Any

LOOK_ALIKES: dict[str, dict[str, Any]] = {
    "message": {
        "type": "message.received",
        "timestamp": "2026-03-01T09:30:00+01:00",
        "data": {
            "id": "m-17",
            "conversation": "order-4711",
            "sender": {"id": "ada", "name": "Ada  Byron"},
            "text": "When do you open?",
            "reply_to": "m-12",
            "attachments": [
                {"type": "image", "id": "f1", "url": "https://h.example/a.png", "name": "a.png", "mime": "image/png",
                 "size": 4711}
            ],
        },
    },
    "short": {"type": "message.received", "data": {"sender": "ada", "text": "When do you open?"}},
    "edited": {"type": "message.edited", "data": {"id": "m-17", "conversation": "order-4711", "text": "At nine?"}},
    "deleted": {"type": "message.deleted", "data": {"id": "m-17", "conversation": "order-4711"}},
    "thin": {"type": "message.received", "timestamp": 1_780_000_000, "data": {"id": "m-17"}},
    "foreign": {"type": "invoice.paid", "timestamp": "2026-03-01T09:30:00Z", "data": {"id": "i-1", "amount": 45}},
}  # fmt: skip
