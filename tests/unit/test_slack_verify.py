"""A request counts as Slack's only if it is signed with one of the app's secrets, a short while ago."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared.channels.signature import slack_signature
from shared.channels.slack.platform import Slack
from shared.clock import FixedClock

NOW = 1_780_000_000
SLACK = Slack(clock=FixedClock(datetime.fromtimestamp(NOW, UTC)))
RAW = b'{"type":"event_callback"}'


def headers(timestamp: str = str(NOW), secret: str = "new", raw: bytes = RAW) -> dict[str, str]:
    return {"x-slack-request-timestamp": timestamp, "x-slack-signature": slack_signature(raw, timestamp, secret)}


@pytest.mark.parametrize("secret", ["new", "old"])
@pytest.mark.parametrize("skew_s", [0, 300, -300])
def test_a_request_under_any_secret_within_five_minutes_counts(secret: str, skew_s: int) -> None:
    assert SLACK.verify(headers(str(NOW + skew_s), secret), RAW, ["", "new", "old"])


@pytest.mark.parametrize("timestamp", [NOW + 301, NOW - 301, 0, "", " 1780000000", "1780000000.0", "١٧٨", "9" * 5000])
def test_a_request_of_another_time_is_forged(timestamp: object) -> None:
    assert not SLACK.verify(headers(str(timestamp)), RAW, ["new"])


@pytest.mark.parametrize(
    "given",
    [headers(secret="other"), headers(raw=RAW + b" "), headers() | {"x-slack-signature": "v0="}, {}]
    + [{name: value for name, value in headers().items() if name != left_out} for left_out in headers()],
)
def test_a_request_that_is_signed_otherwise_is_forged(given: dict[str, str]) -> None:
    assert not SLACK.verify(given, RAW, ["new"])


@pytest.mark.parametrize("secrets", [[], [""]])
def test_an_app_without_a_secret_accepts_nothing(secrets: list[str]) -> None:
    assert not SLACK.verify(headers(secret=""), RAW, secrets)
