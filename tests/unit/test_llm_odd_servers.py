"""Servers that answer in combinations of odd forms nobody thought of, cut at any byte, over real HTTP.

What has to hold whatever comes: only an answer with a known ending passes, and it is the whole answer; nothing of the
reasoning is heard or given, also not in pieces; every failure is one of the two known kinds; and it ends.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx
import pytest

from shared.errors import ModelUnavailable, Permanent
from shared.llm.provider import Provider
from shared.llm.router import NoModelAnswered, Router
from shared.resilience.breaker import Breakers

ANSWER = "We open at nine [1] – always \U0001f600, also on Sundays."
SECRET = "SECRET"
MESSAGES = [{"role": "user", "content": "When do you open?"}]
TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<reasoning>", "</reasoning>"),
        ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"))  # fmt: skip
ENDINGS = ("stop", "STOP", "eos", "length", "error", "abort", "content_filter", "tool_calls", None, "", 7)
LABELS = ("text/event-stream", "application/json", "text/plain", "")


@dataclass
class Script:
    """One answer. complete: whether it ends well, so that it may pass. opened: whether its reasoning, if there is any,
    has its opening tag."""

    body: bytes
    complete: bool
    label: str
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    opened: bool = True


def script_of(random: Random) -> Script:
    reasoning = random.choice(("none", "tags", "unopened", "field", "twice"))
    script = _script(random, reasoning)
    script.opened = reasoning != "unopened"
    return script


def _script(random: Random, reasoning: str) -> Script:
    ending = random.choice((*ENDINGS, *["stop"] * 10))
    opening, closing = random.choice(TAGS)
    thought = f"{SECRET} the passage {SECRET} says so [1]. "
    twice = f"{opening}{thought}{opening}{SECRET}{closing}{thought}{closing}"
    written = {"tags": f"{opening}{thought}{closing}", "unopened": f"{thought}{closing}", "twice": twice}
    before = written.get(reasoning, "")
    words = before + ANSWER
    fault = random.choice(
        (None, None, None, "error_object", "error_event", "error_choice", "refusal", "cut", "garbage")
    )
    usages: list[Any] = [None, {"prompt_tokens": 0}, {"prompt_tokens": 10**30, "completion_tokens": 5}]
    extras = [{}, {"model": "m\0\ud83d"}, *({"usage": usage} for usage in usages)]
    extra: dict[str, Any] = random.choice(extras)
    thinks = [{random.choice(("reasoning", "reasoning_content")): thought}] if reasoning == "field" else []
    if random.random() < 0.2:
        message: dict[str, Any] = {"content": _content(random, words), **(thinks[0] if thinks else {})}
        if fault == "refusal":
            message["refusal"] = "no"
        body = _dumped({"choices": [{"message": message, "finish_reason": ending}], **extra})
        if fault in ("error_object", "error_choice"):
            body = _dumped({"error": {"message": SECRET, "code": random.choice((500, "500", "x", None))}})
        bad = fault in ("error_object", "error_choice", "refusal", "cut", "garbage")
        body = body[: len(body) // 2] if fault == "cut" else body + b"}{" if fault == "garbage" else body
        return _labelled(random, body, ending, bad)
    deltas = [*thinks, *({"content": _content(random, piece)} for piece in _pieces(random, words))]
    events = [_dumped({"choices": [{"delta": delta, "finish_reason": None}], **extra}) for delta in deltas]
    last: dict[str, Any] = {"delta": {"refusal": "no"} if fault == "refusal" else {}, "finish_reason": ending}
    if fault == "error_choice":
        last["error"] = {"message": SECRET}
    events.append(_dumped({"choices": [last]}))
    if fault == "error_object":
        events.insert(random.randrange(len(events)), b'{"object": "error", "message": "down"}')
    if fault == "garbage":
        events.insert(random.randrange(len(events)), random.choice((b"{", b"[1]", b"null", b'"x"', b"{}}")))
    stream = b"".join(_event(random, event) for event in events)
    if fault == "error_event":
        stream = b"event: error\ndata: broke\n\n" + stream
    if fault == "cut":
        stream = stream[: stream.rfind(b'"finish_reason"')]
    elif random.random() < 0.7:
        stream += b"data: [DONE]\n\n"
    end = random.choice((b"\n", b"\r\n", b"\r"))
    stream = stream.replace(b"\n", end)
    return _labelled(random, stream, ending, fault is not None)


def _labelled(random: Random, body: bytes, ending: Any, bad: bool) -> Script:
    complete = not bad and isinstance(ending, str) and ending.lower() in ("stop", "eos")
    cuts = sorted(random.sample(range(1, len(body)), min(len(body) - 1, random.choice((0, 1, 3, 20)))))
    return Script(body, complete, random.choice(LABELS), cuts=cuts)


def _dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii="model" in value).encode()


def _content(random: Random, text: str) -> Any:
    return [{"type": "text", "text": text}, {"type": "image"}] if random.random() < 0.2 else text


def _pieces(random: Random, text: str) -> list[str]:
    size = random.choice((1, 2, 3, 7, 1000))
    return [text[at : at + size] for at in range(0, len(text), size)]


def _event(random: Random, data: bytes) -> bytes:
    kind = random.randrange(5)
    if kind == 0:
        return b": ping\n\ndata:" + data + b"\n\n"
    if kind == 1:
        return b"data: " + data.replace(b', "finish_reason"', b',\ndata: "finish_reason"') + b"\n\n"
    return b"id: 1\nevent: message\ndata: " + data + b"\n\n" if kind == 2 else b"data: " + data + b"\n\n"


@asynccontextmanager
async def serving(next_script: Callable[[], Script]) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(size)
            script = next_script()
            label = f"Content-Type: {script.label}\r\n" if script.label else ""
            writer.write(f"HTTP/1.1 {script.status} X\r\n{label}Connection: close\r\n\r\n".encode())
            for begin, end in zip([0, *script.cuts], [*script.cuts, len(script.body)], strict=True):
                writer.write(script.body[begin:end])
                await writer.drain()
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left, as it may
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    finally:
        listening.close()


class Heard:
    def __init__(self) -> None:
        self.text = ""
        self.all = ""

    def piece(self, text: str) -> None:
        self.text += text
        self.all += text

    def restart(self) -> None:
        self.text = ""


def provider(http: httpx.AsyncClient, url: str) -> Provider:
    return Provider(http, name="p", base_url=url, api_key="k", model="m", max_tokens=50)


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_server_sends_only_whole_answers_pass_and_no_reasoning(seed: int) -> None:
    random = Random(seed)
    scripts: list[Script] = []

    def next_script() -> Script:
        scripts.append(script_of(random))
        return scripts[-1]

    async def talk() -> int:
        passed = 0
        async with serving(next_script) as url, httpx.AsyncClient() as http:
            for _ in range(8):
                asked = provider(http, url)
                for _ in range(4):
                    heard = Heard()
                    failed = ""
                    try:
                        completion = await asked.complete(MESSAGES, 20, heard.piece)
                    except (ModelUnavailable, Permanent) as failure:
                        failed = str(failure)
                    if failed:
                        assert not scripts[-1].complete or "reasoning_shown" in failed, scripts[-1]
                        assert SECRET not in failed
                        # Of a model that has answered before, what comes before a closing tag alone is shown and
                        # called back: nobody can know.
                        assert SECRET not in heard.all or not scripts[-1].opened
                    else:
                        assert scripts[-1].complete, scripts[-1]
                        assert completion.text == ANSWER
                        assert heard.text.strip() in ("", ANSWER)
                        assert completion.model.encode()
                        assert completion.tokens_in > 0
                        assert completion.tokens_out > 0
                        passed += 1
        return passed

    assert asyncio.run(asyncio.wait_for(talk(), 120)) > 0


@pytest.mark.parametrize("form", range(4))
def test_an_answer_is_the_same_wherever_its_bytes_are_cut(form: int) -> None:
    """Each place in turn, and then all of them. The provider has answered before, so that it shows what comes."""
    opening, closing = TAGS[form]
    first = f"{opening}{SECRET}{closing}"
    events: list[dict[str, Any]] = [
        {"delta": {"content": part}} for part in (first[:5], first[5:] + ANSWER[:9], ANSWER[9:])
    ]
    events.append({"delta": {}, "finish_reason": "stop"})
    end = (b"\n", b"\r\n", b"\r", b"\n")[form]
    body = b"".join(b"data: " + json.dumps({"choices": [one]}, ensure_ascii=False).encode() + end * 2 for one in events)

    class Pieces(httpx.AsyncByteStream):
        def __init__(self, cuts: list[int]) -> None:
            self._cuts = cuts

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for begin, stop in zip([0, *self._cuts], [*self._cuts, len(body)], strict=True):
                yield body[begin:stop]

    cuts = [[place] for place in range(1, len(body))] + [list(range(1, len(body)))]
    left = [[], *cuts]

    async def talk() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Pieces(left.pop(0))))
        async with httpx.AsyncClient(transport=transport) as http:
            asked = provider(http, "http://model.test/v1")
            while left:
                heard = Heard()
                assert (await asked.complete(MESSAGES, 20, heard.piece)).text == ANSWER
                assert heard.text == ANSWER

    asyncio.run(asyncio.wait_for(talk(), 120))


@pytest.mark.parametrize("seed", range(6))
def test_through_the_router_every_question_ends_with_few_calls(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.llm.router.BACKOFF_BASE_S", 0.0)
    random, calls = Random(1_000 + seed), [0]

    def next_script() -> Script:
        calls[0] += 1
        return script_of(random)

    async def talk() -> None:
        async with serving(next_script) as url, httpx.AsyncClient() as http:
            for _ in range(8):
                calls[0], heard = 0, Heard()
                router = Router([provider(http, url), provider(http, url)], Breakers())
                given, outcomes = ANSWER, list[str]()
                try:
                    given = (await router.complete(MESSAGES, 20, heard)).text
                except NoModelAnswered as failure:
                    outcomes = [attempt.outcome for attempt in failure.attempts]
                assert given == ANSWER
                assert outcomes.count("truncated") <= 2
                assert SECRET not in heard.all
                assert calls[0] <= 6

    asyncio.run(asyncio.wait_for(talk(), 120))
