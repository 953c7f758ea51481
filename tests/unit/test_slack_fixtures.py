"""Events recorded by others, where the collection is at hand: each against what it should mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.channels.slack.platform import Slack
from shared.clock import FixedClock
from shared.model import Me

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "webhooks" / "slack"

# name → kind, reply, reason, sender, chat, external_id, text, reply_to, targets
EXPECTED: dict[str, tuple[Any, ...]] = {
    "app-mention": (
        "message", True, None, "W222", "C111:1595926230.009600", "1595926230.009600", "Hi there!", None, (),
    ),
    "app-rate-limited": ("account", False, "rate_limited", None, None, None, None, None, ()),
    "classic-bot-message": (
        "echo", False, "from_bot", "B888", "C111", "1610262363.001600", "Hi there! Thanks for sharing the info!",
        None, (),
    ),
    "file-share": (
        "message", False, "group_without_mention", "U111", "C111", "1652227646.593159", "Hi there!", None, (),
    ),
    "im-thread-message": (
        "message", True, None, "W222", "D111:1726133698.626339", "1726133700.887259", "When Slack was released?",
        "1726133698.626339", (),
    ),
    "message-changed": (
        "edited", False, "edited", "U111", "C111", "1665102338.901939", "updated message", None,
        ("1665102338.901939",),
    ),
    "message-channel": (
        "message", False, "group_without_mention", "W111", "C111", "1596183880.004200", "Hello World!", None, (),
    ),
    "message-deleted": (
        "deleted", False, "deleted", "U111", "C111", "1665368619.804829", None, None, ("1665368619.804829",),
    ),
    "other-app-bot-message-no-subtype": (
        "echo", False, "from_bot", "UB111", "C111", "1610261539.000900", "Hi there! Thanks for sharing the info!",
        None, (),
    ),
    "own-bot-message": (
        "echo", False, "from_bot", "BZYBOTHED", "C111", "1658282075.825129",
        "Hi there! This is a reply using response_url.", None, (),
    ),
    "thread-broadcast": (
        "message", False, "group_without_mention", "U111", "C111:1633663824.000500", "1633670813.007500", "Hi there!",
        "1633663824.000500", (),
    ),
}  # fmt: skip
VECTORS = ["signature-vector"]

PRESENT = sorted(path.stem for path in FOLDER.glob("*.json"))

pytestmark = pytest.mark.skipif(not PRESENT, reason="the collection of recorded events is not at hand")


def body_of(name: str) -> dict[str, Any]:
    path = FOLDER / f"{name}.json"
    if not path.exists():
        pytest.skip("not in the collection at hand")
    body: dict[str, Any] = json.loads(path.read_bytes())["body"]
    return body


@pytest.mark.parametrize("name", PRESENT)
def test_every_recorded_body_has_an_expectation(name: str) -> None:
    assert name in EXPECTED or name in VECTORS


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_event_means(name: str) -> None:
    [e] = Slack().parse(body_of(name), Me())
    found = (e.kind, e.reply, e.reason, e.sender, e.chat, e.external_id, e.text, e.reply_to, e.targets)
    assert found == EXPECTED[name]
    assert e.account == body_of(name)["team_id"]


def test_a_recorded_message_of_our_own_bot_is_our_echo_once_we_know_it() -> None:
    [event] = Slack().parse(body_of("own-bot-message"), Me("T111", "BZYBOTHED"))
    assert (event.kind, event.reason) == ("echo", "echo")


def test_a_recorded_file_can_be_fetched() -> None:
    [event] = Slack().parse(body_of("file-share"), Me())
    [file] = event.attachments
    assert (file.type, file.id, file.mime, file.name, file.size_bytes) == (
        "image", "F111", "image/png", "file.png", 92582,
    )  # fmt: skip
    assert file.url == "https://files.slack.com/files-pri/T111-F111/download/file.png"


def test_a_recorded_signature_fits() -> None:
    vector = body_of("signature-vector")
    headers = {name.lower(): value for name, value in vector["headers"].items()}
    raw = vector["raw_body"].encode()
    clock = FixedClock(datetime.fromtimestamp(int(headers["x-slack-request-timestamp"]), UTC))

    assert Slack(clock=clock).verify(headers, raw, [vector["signing_secret"]])
    assert not Slack(clock=clock).verify(headers, raw + b"&", [vector["signing_secret"]])
    clock.advance(301)
    assert not Slack(clock=clock).verify(headers, raw, [vector["signing_secret"]])


def test_a_recorded_slash_command_asks_what_stands_after_it() -> None:
    slack = Slack()
    [event] = slack.parse(slack.decode(body_of("signature-vector")["raw_body"].encode()), Me())
    assert (event.kind, event.reply, event.sender, event.chat, event.text, event.account) == (
        "message", True, "U2CERLKJA", "G8PSS9T3V", "/webhook-collect", "T1DC2JH3J",
    )  # fmt: skip
