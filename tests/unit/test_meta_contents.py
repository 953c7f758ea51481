"""The pages of WhatsApp, Messenger and Instagram say what is shown of each kind of message as the parsers do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared import channels
from shared.model import Attachment, InboundEvent, Me
from shared.store.inbox import messages
from standin.meta_customers import PAGES, WHATSAPP, whatsapp_message

DOCS = Path(__file__).resolve().parents[2] / "docs" / "channels"
ACCOUNT, CUSTOMER = "700900", "88001"


def _of_whatsapp(kind: str) -> dict[str, Any]:
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "4940", "phone_number_id": ACCOUNT},
        "messages": [whatsapp_message(kind, CUSTOMER, "wamid.1", {})],
    }
    return {"entry": [{"id": "900", "changes": [{"field": "messages", "value": value}]}]}


def _of_page(kind: str) -> dict[str, Any]:
    parties = {"sender": {"id": CUSTOMER}, "recipient": {"id": ACCOUNT}}
    item = {**parties, "timestamp": 1_780_000_000_000, "message": {"mid": "m1", **PAGES[kind]}}
    return {"object": "page", "entry": [{"id": ACCOUNT, "messaging": [item]}]}


PLATFORMS = {
    "whatsapp": (_of_whatsapp, WHATSAPP),
    "messenger": (_of_page, PAGES),
    "instagram": (_of_page, PAGES),
}


def _read(name: str, kind: str) -> InboundEvent:
    (event,) = channels.platform(name).parse(PLATFORMS[name][0](kind), Me(ACCOUNT))
    return event


def _shown(one: Attachment) -> str:
    return one.in_words() or messages.preview(None, [one])


def table(name: str) -> str:
    """Markdown: each kind of message, its text, and what is shown of the rest, in words where the model reads it."""
    lines = ["| a customer sends | text | shown beside it |", "|---|---|---|"]
    for kind in PLATFORMS[name][1]:
        event = _read(name, kind)
        text = (event.text or "").replace("\n", "⏎")
        beside = ", ".join(f"`{_shown(one)}`" for one in event.attachments)
        lines.append(f"| {kind.replace('_', ' ')} | {f'`{text}`' if text else ''} | {beside} |")
    return "\n".join(lines)


@pytest.mark.parametrize("name", PLATFORMS)
def test_the_page_says_what_is_shown_how(name: str) -> None:
    assert table(name) in (DOCS / f"{name}.md").read_text(), table(name)


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, (_, kinds) in PLATFORMS.items() for kind in kinds])
def test_no_kind_of_message_is_blank(name: str, kind: str) -> None:
    event = _read(name, kind)
    assert (event.kind, event.chat) == ("message", CUSTOMER)
    assert event.text or event.attachments
