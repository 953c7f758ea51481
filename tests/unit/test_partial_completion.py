"""What is taken from servers that err or lie: what can be stored, and no reasoning in the stream."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.llm.api import CallFailed, parsed
from shared.llm.partial_completion import MODEL_CHARS, PartialCompletion, Showing
from shared.llm.provider import Provider
from shared.llm.sse import Event
from shared.model import Completion

MESSAGES = [{"role": "user", "content": "When do you open?"}]


def event(content: str = "", finish: str | None = None, **more: Any) -> Event:
    return Event("message", json.dumps({"choices": [{"delta": {"content": content}, "finish_reason": finish}], **more}))


def heard(*events: Event) -> tuple[PartialCompletion, list[str]]:
    partial = PartialCompletion(MESSAGES, "m", Showing.AS_IT_COMES)
    return partial, [shown for one in events if (shown := partial.hear(one))]


def test_a_character_whose_halves_come_in_two_pieces_is_whole() -> None:
    partial, shown = heard(event("Nine \ud83d"), event("\ude00 [1].", "stop"))
    assert partial.finish()[0] == "".join(shown) == "Nine \U0001f600 [1]."


@pytest.mark.parametrize("text", ["We open\0 at nine.", "We open\ud800 at nine.", "Nine.\ud83d"])
def test_what_cannot_be_stored_is_left_out(text: str) -> None:
    partial, _ = heard(event(text, "stop"))
    found = partial.finish()[0]
    assert found.encode()
    assert "\0" not in found


@pytest.mark.parametrize("tokens", [2**31, 2**63, 10**30, -5, 0])
def test_counts_that_no_call_has_are_estimated(tokens: int) -> None:
    usage = {"prompt_tokens": tokens, "completion_tokens": tokens}
    partial, _ = heard(event("We open at nine.", "stop", usage=usage))
    assert partial.usage.estimated
    assert 0 < partial.usage.tokens_in < 100
    assert 0 < partial.usage.tokens_out < 100


def test_a_models_name_can_be_stored() -> None:
    partial, _ = heard(event("Nine.", "stop", model="m\0\ud800" + "x" * 1_000))
    assert partial.model.encode()
    assert len(partial.model) == MODEL_CHARS


NESTED = "<think>The user wants [1]. <think>hm</think> SECRET [1].</think>We open at nine [1]."


def test_where_reasoning_opens_twice_nothing_shows_before_the_end() -> None:
    partial, shown = heard(*(event(letter) for letter in NESTED), event("", "stop"))
    assert shown == []
    assert partial.finish() == ("We open at nine [1].", "We open at nine [1].")


async def _complete(response: httpx.Response) -> Completion:
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: response)) as http:
        provider = Provider(http, name="p", base_url="http://m.test/v1", api_key="k", model="m", max_tokens=50)
        return await provider.complete(MESSAGES, deadline_s=20)


class Body(httpx.AsyncByteStream):
    """Pieces, and then nothing more: the connection stays open until the client leaves."""

    def __init__(self, *pieces: bytes, ends: bool) -> None:
        self._pieces, self._ends = pieces, ends

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if not self._ends:
            await asyncio.Event().wait()


def test_an_answer_that_has_ended_does_not_wait_for_its_streams_end() -> None:
    answered = f"data: {event('We open at nine [1].', 'stop').data}\n\n".encode()
    completion = asyncio.run(asyncio.wait_for(_complete(httpx.Response(200, stream=Body(answered, ends=False))), 15))
    assert completion.text == "We open at nine [1]."


def test_a_compressed_answer_is_refused_unread() -> None:
    bomb = gzip.compress(gzip.compress(b" " * 1_000_000))
    response = httpx.Response(200, stream=Body(bomb, ends=True), headers={"content-encoding": "gzip, gzip"})
    with pytest.raises(CallFailed) as caught:
        asyncio.run(_complete(response))
    assert caught.value.outcome == "malformed"


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": "\\ud83d"}', '{"a": 1e400}', '{"a": [1, 2.5, null, "é"]}', ' {"a": {"b": true}}\n']
)
def test_what_one_parser_of_json_refuses_another_reads(text: str) -> None:
    assert repr(parsed(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", ["[1]", "1", "", "{", '{"a": 1} x', "[" * 100_000])
def test_what_is_no_object_in_json_is_malformed(text: str) -> None:
    with pytest.raises(CallFailed, match="malformed"):
        parsed(text)
