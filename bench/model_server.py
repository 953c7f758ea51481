"""A chat API that does nothing but stream one answer: `python -m bench.model_server [SECONDS]` prints its port.

Written on bare sockets, so that a benchmark of clients does not measure the server.
"""

from __future__ import annotations

import asyncio
import json
import sys

PIECES = 8
USAGE = {"prompt_tokens": 900, "completion_tokens": 40, "total_tokens": 940}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BACKLOG = 2048


def _event(body: object) -> bytes:
    data = body if isinstance(body, str) else json.dumps(body)
    line = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(line), line)


def _piece(text: str | None, end: str | None = None) -> bytes:
    delta = {} if text is None else {"content": text, "role": "assistant"}
    choice = {"index": 0, "delta": delta, "finish_reason": end}
    return _event({**CHUNK, "choices": [choice]})


def answer() -> bytes:
    """Return the whole response as it is sent."""
    pieces = [_piece(f"word{number} ") for number in range(PIECES)]
    usage = _event(
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
    )
    return HEAD + b"".join(pieces) + _piece(None, "stop") + usage + _event("[DONE]") + b"0\r\n\r\n"


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, takes_s: float) -> None:
    response = answer()
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            if takes_s:
                await asyncio.sleep(takes_s)
            writer.write(response)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()  # the client is done


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main(takes_s: float) -> None:
    server = await asyncio.start_server(
        lambda reader, writer: _serve(reader, writer, takes_s), "127.0.0.1", 0, backlog=BACKLOG
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
