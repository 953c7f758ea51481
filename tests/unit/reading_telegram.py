"""Reading one Telegram update."""

from __future__ import annotations

from typing import Any

from shared.channels import platform
from shared.model import InboundEvent, Me
from tests.unit.fixtures_telegram import ME, in_group, message, update

TELEGRAM = platform("telegram")


def events(body: dict[str, Any], me: Me = ME) -> list[InboundEvent]:
    return TELEGRAM.parse(body, me)


def only(body: dict[str, Any], me: Me = ME) -> InboundEvent:
    (event,) = events(body, me)
    return event


def read(**fields: Any) -> InboundEvent:
    return only(update("message", message(**fields)))


def read_in_group(**fields: Any) -> InboundEvent:
    return only(update("message", in_group(**fields)))
