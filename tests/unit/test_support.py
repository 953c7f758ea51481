"""The table of what is supported is what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import channels
from shared.channels import support
from shared.model import Me
from tests.factories import settings
from tests.unit import fixtures_meta, fixtures_slack, fixtures_standard, fixtures_telegram, fixtures_whatsapp

BUILT = channels.build(settings().channels)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "channels" / "README.md"
LOOK_ALIKES = {
    "telegram": (
        {
            kind: {"update_id": 5, kind: value}
            for kind, value in {**fixtures_telegram.LOOK_ALIKES, "of_ours": None}.items()
            if value
        }
        | {"of_ours": {"update_id": 6, "message": fixtures_telegram.message(**{"from": fixtures_telegram.OURSELVES})}},
        fixtures_telegram.ME,
    ),
    "messenger": (fixtures_meta.LOOK_ALIKES, fixtures_meta.ME),
    "instagram": (fixtures_meta.LOOK_ALIKES, fixtures_meta.ME),
    "whatsapp": (
        fixtures_whatsapp.LOOK_ALIKES
        | {
            "read": fixtures_whatsapp.statuses(fixtures_whatsapp.status("read")),
            "handover": fixtures_whatsapp.body(
                fixtures_whatsapp.change("messaging_handovers", messaging_handovers=[{"sender": {"id": "1"}}])
            ),
            "came from": fixtures_whatsapp.messages(
                {"from": "4915", "id": "wamid.1", "type": "text", "referral": {"source_id": "1"}}
            ),
        },
        fixtures_whatsapp.ME,
    ),
    "slack": (fixtures_slack.LOOK_ALIKES, fixtures_slack.ME),
    "standard": (
        fixtures_standard.LOOK_ALIKES
        | {
            "ours": {
                "type": "message.received",
                "data": {"id": "sb.1.2", "conversation": "c", "sender": {"id": "x"}, "text": "t"},
            }
        },
        Me("shop"),
    ),
    "widget": ({"said": {"visitor": "v", "client_id": "c", "text": "hello"}, "nonsense": {}}, Me("w")),
}


def test_every_platform_is_in_the_table() -> None:
    assert set(support.SUPPORT) == set(channels.NAMES)


@pytest.mark.parametrize("name", channels.NAMES)
def test_the_events_told_apart_are_those_that_the_parser_makes(name: str) -> None:
    bodies, me = LOOK_ALIKES[name]
    made = {event.kind for body in bodies.values() for event in BUILT[name].parse(body, me)}
    assert made == support.SUPPORT[name].events


def test_the_page_holds_the_table() -> None:
    assert support.table(BUILT) in PAGE.read_text(), "make it anew: ./switchboard channel kinds"


def test_the_page_shows_what_becomes_of_markdown() -> None:
    assert support.markup_table() in PAGE.read_text(), support.markup_table()
