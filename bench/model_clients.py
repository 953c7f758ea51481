"""Clients of a chat API, each a process that makes calls one after another: `python bench/model_clients.py NAME URL`.

Reads a number of calls a line and answers each line with one line of JSON: the calls' milliseconds, the CPU used for
them, the process' memory. LiteLLM's is run by an interpreter of its own, so nothing of ours is imported before it is
chosen.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MESSAGES = [
    {"role": "system", "content": "Answer from the passages. " + "A passage says something about shoes. " * 100},
    {"role": "user", "content": "How many days do I have to return shoes?"},
]
MODEL = "m"

Call = Callable[[], str]


def bare(url: str) -> Call:
    """httpx alone, the stream read to its end."""
    import httpx

    return _stream(url, httpx.AsyncClient())


def bare_over_aiohttp(url: str) -> Call:
    """The same on the transport that workers use."""
    import httpx

    from shared.resilience import transport

    return _stream(url, httpx.AsyncClient(mounts=transport.mounts(8, 60.0)))


def _stream(url: str, client: Any) -> Call:
    loop = asyncio.new_event_loop()
    body = {"model": MODEL, "messages": MESSAGES, "stream": True, "max_tokens": 600}

    async def call() -> str:
        said: list[str] = []
        async with client.stream("POST", f"{url}/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    said += [choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"]]
        return "".join(said)

    return lambda: loop.run_until_complete(call())


def litellm_router(url: str) -> Call:
    """LiteLLM's Router with one deployment."""
    import litellm

    litellm.suppress_debug_info = True
    deployment = {
        "model_name": MODEL,
        "litellm_params": {"model": f"openai/{MODEL}", "api_base": url, "api_key": "none"},
    }
    loop, router = asyncio.new_event_loop(), litellm.Router(model_list=[deployment])

    async def call() -> str:
        answer: Any = await router.acompletion(model=MODEL, messages=MESSAGES, stream=True, max_tokens=600)
        return "".join([piece.choices[0].delta.content or "" async for piece in answer if piece.choices])

    return lambda: loop.run_until_complete(call())


def ours(_url: str) -> Call:
    """The router as a worker holds it, with the settings of the environment."""
    from bench import model_gateway

    return model_gateway.caller(MESSAGES)


def ours_changing(url: str) -> Call:
    """The same by a company's own stored routes, whose providers change."""
    from bench import model_gateway

    return model_gateway.changing_caller(url, MESSAGES)


def ours_with_budgets(url: str) -> Call:
    """By a stored route, with budgets and the ledger."""
    from bench import model_gateway

    return model_gateway.budgeted_caller(url, MESSAGES)


CLIENTS: dict[str, Callable[[str], Call]] = {
    "httpx": bare, "httpx over aiohttp": bare_over_aiohttp, "litellm": litellm_router, "switchboard": ours,
    "switchboard, changing providers": ours_changing, "switchboard, with budgets": ours_with_budgets,
}  # fmt: skip


def memory_mb() -> float:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main(name: str, url: str) -> None:
    call = CLIENTS[name](url)
    _tell("ready")
    for line in sys.stdin:
        spent_ms, cpu_s = [], time.process_time()
        for _ in range(int(line)):
            began = time.perf_counter()
            said = call()
            spent_ms.append((time.perf_counter() - began) * 1000)
            if not said.startswith("word0"):
                raise RuntimeError("the answer is not the server's")
        cpu_ms = (time.process_time() - cpu_s) * 1000
        _tell(json.dumps({"ms": spent_ms, "cpu_ms": cpu_ms, "memory_mb": memory_mb()}))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
