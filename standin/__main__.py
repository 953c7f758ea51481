"""`python -m standin`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from functools import partial
from pathlib import Path

import orjson

from standin import control, files, graph, openai, receiver, slack, subscriptions, telegram, whatsapp
from standin.kept import Kept
from standin.wire import Exchange, listen
from standin.world import World


async def route(world: World, exchange: Exchange) -> None:
    path = exchange.request.path
    if path.startswith("/bot"):
        await telegram.handle(world, exchange)
    elif path.startswith("/file/bot"):
        await files.telegram(world, exchange)
    elif subscriptions.PATH.fullmatch(path):
        await subscriptions.handle(world, exchange)
    elif whatsapp.owns(world, exchange.request):
        await whatsapp.handle(world, exchange)
    elif graph.PATH.fullmatch(path):
        await graph.handle(world, exchange)
    elif path.startswith("/v1/"):
        await openai.handle(world, exchange)
    elif path.startswith("/api/"):
        await slack.handle(world, exchange)
    elif path.startswith("/receiver/"):
        await receiver.handle(world, exchange)
    elif path.startswith("/_control/"):
        await control.handle(world, exchange)
    else:
        await exchange.answer(404, orjson.dumps({"ok": False, "error_code": 404, "description": "Not Found"}))


async def serve(host: str, port: int, port_file: Path | None, kept: Kept | None, control_token: str) -> None:
    """Until a signal. port_file: gets the port that was bound, whole or not at all. kept: what outlives the process.
    control_token: what the control API is called with; empty: nobody may."""
    world = World(control_token=control_token)
    if kept is not None:
        kept.load(world)
        world.keep = partial(kept.save, world)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    listener = await listen(lambda exchange: route(world, exchange), host, port)
    if port_file is not None:
        half = port_file.with_name(f"{port_file.name}.{os.getpid()}")
        half.write_text(f"{listener.port}\n")
        half.replace(port_file)
    sys.stdout.write(f"ready http://{host}:{listener.port}\n")
    sys.stdout.flush()
    await stopped.wait()
    listener.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m standin", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one (default)")
    parser.add_argument("--port-file", type=Path, help="where to write the port once it is bound")
    parser.add_argument(
        "--state-file", type=Path, help="where registrations are kept over a restart (default: nowhere)"
    )
    options = parser.parse_args()
    kept = Kept(options.state_file) if options.state_file is not None else None
    try:
        token = os.environ.get(control.TOKEN_VARIABLE, "")  # noqa: TID251  not a setting of the product
        asyncio.run(serve(options.host, options.port, options.port_file, kept, token))
    except OSError as e:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {e.strerror or e}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
