"""Proof that a request comes from the platform."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from shared.channels.signature import equals_any, is_fresh, slack_signature, standard_key, standard_signature

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def test_one_of_several_secrets_matches_and_nothing_else() -> None:
    assert equals_any("b", ["a", "b"])
    assert equals_any("a", ["a", "b"])
    assert equals_any("ä\ud800", ["ä\ud800"])
    for given, secrets in [("c", ["a", "b"]), ("a", []), ("", [""]), (None, ["a"]), ("A", ["a"]), ("a", ["aa"])]:
        assert not equals_any(given, secrets)


@pytest.mark.parametrize(("off_s", "fresh"), [(300, True), (-300, True), (301, False), (-301, False), (0, True)])
def test_a_time_may_be_off_by_the_tolerance_either_way(off_s: int, fresh: bool) -> None:
    assert is_fresh(str(SECONDS + off_s), NOW, 300) is fresh


@pytest.mark.parametrize("timestamp", ["", "-5", f"{SECONDS}.0", "٣", f" {SECONDS}", "²"])
def test_what_is_no_whole_number_of_seconds_is_not_fresh(timestamp: str) -> None:
    assert not is_fresh(timestamp, NOW, 1e12)


def test_a_time_has_twelve_digits_at_most() -> None:
    assert is_fresh(f"{SECONDS:012}", NOW, 1)
    assert not is_fresh(f"{SECONDS:013}", NOW, 1)


def test_slack_s_signature_is_as_its_documentation_shows_it() -> None:
    """https://api.slack.com/authentication/verifying-requests-from-slack"""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert slack_signature(body, "1531420618", "8f742231b10e8888abcd99yyyzzz85a5") == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )
    assert slack_signature(b"", "5", "ä\ud800").startswith("v0=")


def test_a_standard_key_is_what_its_base64_holds() -> None:
    assert standard_key("whsec_" + base64.b64encode(b"key").decode()) == b"key"
    assert standard_key(base64.b64encode(b"key").decode()) == b"key"
    assert standard_key("whsec_a2V5*") is None  # what is no base64 is not passed over
    assert standard_key("whsec_") is standard_key("whsec_***") is standard_key("whsec_abc") is standard_key("ä") is None


def test_a_standard_signature_covers_id_time_and_body() -> None:
    signed = hmac.new(b"key", b"msg_1.1700000000.{}", hashlib.sha256).digest()
    assert standard_signature(b"{}", "msg_1", "1700000000", b"key") == "v1," + base64.b64encode(signed).decode()
