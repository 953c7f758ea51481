"""What news look like on their way between processes."""

from __future__ import annotations

import pytest

from shared.live.topics import (
    AnswerId,
    Chat,
    Moved,
    News,
    PartialAnswer,
    Stored,
    Went,
    Withdrawn,
    channel_name,
    decode,
    encode,
)  # fmt: skip

ANSWER = AnswerId(7, 3)


@pytest.mark.parametrize(
    ("news", "raw"),
    [
        (Stored(), b'{"k":"stored"}'),
        (Stored(ANSWER), b'{"k":"stored","t":7,"e":3}'),
        (PartialAnswer(ANSWER, "so far"), b'{"k":"piece","t":7,"e":3,"text":"so far"}'),
        (Withdrawn(ANSWER), b'{"k":"withdrawn","t":7,"e":3}'),
        (Went("-100"), b'{"k":"went","chat":"-100"}'),
        (Moved(5, 7, 3), b'{"k":"moved","c":5,"t":7,"e":3}'),
        (Moved(5), b'{"k":"moved","c":5,"t":null,"e":0}'),
    ],
)
def test_news_read_the_same_as_they_were_written(news: News | Moved, raw: bytes) -> None:
    """The form on the wire is fixed: during an upgrade processes of two versions speak to each other."""
    assert encode(news) == raw
    assert decode(raw) == news


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"no json", b"[]", b"5", b'{"t":7,"e":3}', b'{"k":"other","t":7,"e":3}', b'{"k":"piece","text":"so far"}',
        b'{"k":"piece","t":7,"e":3}', b'{"k":"withdrawn"}', b'{"k":"went"}', b'{"k":"stored","t":7}',
        b'{"k":"moved","t":7,"e":3}',
    ],
)  # fmt: skip
def test_what_this_version_does_not_understand_is_passed_over(raw: bytes) -> None:
    assert decode(raw) is None


def test_a_later_generation_is_greater() -> None:
    assert AnswerId(7, 3) < AnswerId(7, 4) < AnswerId(8, 1)
    assert str(ANSWER) == "7.3"


def test_a_chat_s_topic_names_company_channel_and_chat() -> None:
    assert Chat(1, 2, "visitor").topic == "chat:1:2:visitor"
    assert channel_name(4, "hints") == "sb:live:4:hints"
