"""A webhook counts as Telegram's only if it carries one of the app's secrets."""

from __future__ import annotations

import pytest

from shared.channels import NAMES, UnknownPlatform, build, platform
from shared.errors import Permanent

TELEGRAM = platform("telegram")
HEADER = "x-telegram-bot-api-secret-token"


@pytest.mark.parametrize("given", ["new-secret", "old-secret"])
def test_while_a_secret_is_rotated_both_are_good(given: str) -> None:
    assert TELEGRAM.verify({HEADER: given}, b"{}", ["new-secret", "old-secret"])


@pytest.mark.parametrize("given", ["wrong", "secre", "secrets", "Secret", "", "s\xe9cret", "\ud800", "\u2603" * 10_000])
def test_a_forged_request_is_refused(given: str) -> None:
    assert not TELEGRAM.verify({HEADER: given}, b"{}", ["secret"])


def test_a_request_without_the_header_is_refused() -> None:
    assert not TELEGRAM.verify({"x-other": "secret"}, b"{}", ["secret"])


@pytest.mark.parametrize("secrets", [[], [""]])
@pytest.mark.parametrize("given", ["", "secret"])
def test_an_app_without_a_secret_accepts_nothing(secrets: list[str], given: str) -> None:
    assert not TELEGRAM.verify({HEADER: given}, b"{}", secrets)


def test_an_empty_secret_does_not_spoil_the_others() -> None:
    assert TELEGRAM.verify({HEADER: "secret"}, b"{}", ["", "secret", ""])


def test_an_unknown_platform_is_refused_with_the_known_names() -> None:
    with pytest.raises(UnknownPlatform, match="telegram") as refused:
        platform("telegraph\ud800")
    assert isinstance(refused.value, Permanent)
    assert refused.value.reason == "unknown_platform"


def test_the_built_platforms_are_the_named_ones() -> None:
    class Given:
        telegram_api_url = slack_api_url = graph_api_url = instagram_api_url = "http://127.0.0.1:1"
        graph_api_version = "v23.0"

    assert {name: p.name for name, p in build(Given()).items()} == {name: name for name in NAMES}


def test_a_private_chat_counts_against_the_bot_and_the_chat() -> None:
    found = [(r.key, r.count, r.per_s, r.burst) for r in TELEGRAM.rates("3", "4401")]
    assert found == [("telegram:3", 30, 1.0, 30), ("telegram:3:4401", 1, 1.0, 1)]


def test_a_group_has_a_limit_a_minute_besides() -> None:
    limits = TELEGRAM.rates("3", "-100")
    assert [(r.count, r.per_s) for r in limits] == [(30, 1.0), (1, 1.0), (20, 60.0)]
    assert len({r.key for r in limits}) == 3
