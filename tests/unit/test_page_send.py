"""How parts leave for Messenger and Instagram: who may write when, in which pieces, at which rate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
import pytest

from shared.channels.meta.instagram import Instagram
from shared.channels.meta.messenger import Messenger
from shared.channels.meta.page import Page
from shared.channels.text import utf16_units
from shared.clock import FixedClock
from shared.errors import AttachmentGone
from shared.model import Attachment, Destination, Outgoing, SendOutcome, read_ref

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
REF = "sb.1.2"
TAGGED = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
By = Literal["bot", "agent"]
MESSENGER = Messenger("http://graph.invalid", "v23.0", FixedClock(NOW))
INSTAGRAM = Instagram("http://graph.invalid", "v23.0", FixedClock(NOW), page_api_url="http://page.invalid")


class Wire:
    """A network that answers as told, at last always alike, and keeps what was posted."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.posted: list[dict[str, Any]] = []
        self.urls: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.posted.append(json.loads(request.content))
        self.urls.append(str(request.url))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


OK = httpx.Response(200, json={"recipient_id": "5", "message_id": "m_1"})
CLOSED = httpx.Response(400, json={"error": {"code": 10, "error_subcode": 2018278, "message": "no"}})


def place(chat: str = "5", silent: timedelta | None = timedelta(minutes=1), **credentials: str) -> Destination:
    at = None if silent is None else NOW - silent
    return Destination("700", {"token": "EAAtoken", **credentials}, chat, last_customer_at=at)


def run(act: Callable[[httpx.AsyncClient], Coroutine[Any, Any, Any]], wire: Wire) -> Any:
    async def running() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(wire)) as http:
            return await act(http)

    return asyncio.run(running())


def send(wire: Wire, platform: Page = MESSENGER, by: By = "bot", to: Destination | None = None) -> SendOutcome:
    outgoing = Outgoing(to or place(), "Berth 4 is free.", REF, by)
    found: SendOutcome = run(lambda http: platform.send(http, outgoing), wire)
    return found


def test_a_part_of_messenger_carries_our_reference() -> None:
    wire = Wire(OK)
    assert send(wire) == SendOutcome("sent", "sent", platform_message_id="m_1", http_status=200)
    assert wire.urls == ["http://graph.invalid/v23.0/700/messages"]
    assert wire.posted == [
        {
            "recipient": {"id": "5"},
            "messaging_type": "RESPONSE",
            "message": {"text": "Berth 4 is free.", "metadata": REF},
        }
    ]
    assert read_ref(wire.posted[0]["message"]["metadata"]) == (1, 2)


def test_a_part_of_instagram_has_no_reference() -> None:
    wire = Wire(OK)
    send(wire, INSTAGRAM)
    assert wire.posted == [{"recipient": {"id": "5"}, "message": {"text": "Berth 4 is free."}}]


def test_an_account_behind_a_page_is_reached_through_it() -> None:
    wire = Wire(OK)
    send(wire, INSTAGRAM, to=place(page_id="99"))
    send(wire, INSTAGRAM)
    assert wire.urls == ["http://page.invalid/v23.0/99/messages", "http://graph.invalid/v23.0/700/messages"]


def test_a_guest_is_reached_by_reference() -> None:
    wire = Wire(OK)
    send(wire, to=place("user_ref:guest-7"))
    assert wire.posted[0]["recipient"] == {"user_ref": "guest-7"}


@pytest.mark.parametrize("platform", [MESSENGER, INSTAGRAM], ids=["messenger", "instagram"])
@pytest.mark.parametrize(
    ("by", "silent", "goes", "tagged"),
    [
        ("bot", timedelta(hours=23, minutes=59), True, False),
        ("bot", timedelta(hours=24, seconds=1), False, False),
        ("bot", None, True, False),
        ("agent", timedelta(hours=23, minutes=59), True, False),
        ("agent", timedelta(hours=24, seconds=1), True, True),
        ("agent", timedelta(days=6, hours=23), True, True),
        ("agent", timedelta(days=7, seconds=1), False, False),
        ("agent", None, True, False),
    ],
)
def test_a_bot_has_a_day_and_a_person_a_week(
    platform: Page, by: By, silent: timedelta | None, goes: bool, tagged: bool
) -> None:
    wire = Wire(OK)
    outcome = send(wire, platform, by, place(silent=silent))
    assert (outcome.status, len(wire.posted)) == (("sent", 1) if goes else ("failed", 0))
    if not goes:
        assert outcome == SendOutcome("failed", "window_closed")
    assert all((wire.posted[0].get(name) == value) == tagged for name, value in TAGGED.items() if goes)


def test_where_only_the_platform_knows_that_the_day_is_over_a_person_is_let_through() -> None:
    wire = Wire(CLOSED, OK)
    assert send(wire, by="agent", to=place(silent=None)).status == "sent"
    assert [posted.get("tag") for posted in wire.posted] == [None, "HUMAN_AGENT"]


def test_a_bot_never_uses_the_tag_of_persons() -> None:
    wire = Wire(CLOSED)
    assert send(wire, to=place(silent=None)).meaning == "window_closed"
    assert [posted.get("tag") for posted in wire.posted] == [None]


def test_a_refusal_of_the_tag_is_the_outcome() -> None:
    wire = Wire(CLOSED)
    assert send(wire, by="agent").meaning == "window_closed"
    assert len(wire.posted) == 2


@pytest.mark.parametrize("answer", [OK, CLOSED, httpx.ConnectError("no"), httpx.ReadTimeout("late")])
def test_what_was_seen_and_that_we_type_is_shown_and_never_fails(answer: Any) -> None:
    wire = Wire(answer)
    run(lambda http: MESSENGER.typing(http, place()), wire)
    assert wire.posted == [{"recipient": {"id": "5"}, "sender_action": action} for action in ("mark_seen", "typing_on")]


def test_an_attachment_is_where_its_message_says() -> None:
    found = run(
        lambda http: MESSENGER.locate(http, place(), Attachment("image", url="https://cdn.example/1")), Wire(OK)
    )
    assert (found.url, found.ours, found.headers) == ("https://cdn.example/1", False, {})
    with pytest.raises(AttachmentGone):
        run(lambda http: MESSENGER.locate(http, place(), Attachment("image", id="1")), Wire(OK))


FAMILY = "👨\u200d👩\u200d👧\u200d👦"  # 7 code points, 11 units, 25 bytes


@pytest.mark.parametrize(
    "text", [FAMILY * 400, "ä" * 3000, "word " * 900, "é\u0301" * 1200, "x" * 4001, "漢字。" * 500]
)
def test_parts_are_within_the_limits_and_cut_no_cluster(text: str) -> None:
    def utf8(part: str) -> int:
        return len(part.encode())

    for parts, length, most in ((MESSENGER.split(text), utf16_units, 2000), (INSTAGRAM.split(text), utf8, 1000)):
        assert all(0 < length(part) <= most for part in parts)
        assert "".join(parts) == text or "".join("".join(parts).split()) == "".join(text.split())
        if FAMILY in text:
            assert all(part == FAMILY * (len(part) // len(FAMILY)) for part in parts)
        # no part is wasted: a text is cut only where it must be
        assert len(parts) <= 2 + 2 * length(text) // most


def test_a_text_just_within_the_limit_is_one_part() -> None:
    assert (len(MESSENGER.split("x" * 2000)), len(MESSENGER.split("x" * 2001))) == (1, 2)
    assert (len(INSTAGRAM.split("ä" * 500)), len(INSTAGRAM.split("ä" * 500 + "x"))) == (1, 2)


def test_a_page_takes_three_hundred_a_second_and_an_account_a_hundred() -> None:
    assert [(r.key, r.count, r.per_s) for r in MESSENGER.rates("3", "5")] == [
        ("messenger:3", 300, 1.0), ("messenger:3:5", 5, 1.0),
    ]  # fmt: skip
    assert [(r.key, r.count, r.per_s) for r in INSTAGRAM.rates("3", "5")] == [
        ("instagram:3", 100, 1.0), ("instagram:3:5", 5, 1.0),
    ]  # fmt: skip
