"""TLS to PostgreSQL for client programs that were built without it, as ours are.

The program connects to a port of this machine that is there for it alone, and what it says goes on over TLS, checked as
sslmode and sslrootcert say. Its password proves itself to the server without being sent (SCRAM), so that who else finds
the port can do nothing with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from shared.errors import Permanent, Transient
from shared.resilience.loop import Loop

log = structlog.get_logger(__name__)

MODES = ("require", "verify-ca", "verify-full")
"""Those that are never without TLS. A program that may do without it connects as it is."""
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
ANSWER_WITHIN_S = 10.0
CHUNK_BYTES = 256 * 1024
AUTHENTICATION, NEGOTIATION, SASL = b"R", b"v", 10
"""Messages of a server before a login, and the kind of authentication that offers a choice of names."""
BOUND_TO_TLS = b"SCRAM-SHA-256-PLUS"
MESSAGE_MAX_BYTES = 8192


class NoTunnel(Permanent):
    """TLS as it is asked for cannot be had."""

    def __init__(self, message: str) -> None:
        super().__init__("tls", message)


@contextmanager
def plain(parts: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A server's connection parameters as a program without TLS is to be given them, for as long as the context lasts.

    Raises NoTunnel, or Transient if the server does not answer, before the program would fail in its own words.
    """
    if parts.get("sslmode") not in MODES:
        yield parts
        return
    tunnel = _Tunnel(_hosts(parts), _context(parts))
    loop = Loop()
    loop.start()
    try:
        port = loop.run(tunnel.open(), timeout_s=ANSWER_WITHIN_S * (len(tunnel.hosts) + 1))
        kept = {name: value for name, value in parts.items() if not name.startswith("ssl") and name != "hostaddr"}
        yield {**kept, "host": "127.0.0.1", "port": str(port), "sslmode": "disable"}
    finally:
        loop.run(tunnel.close(), timeout_s=ANSWER_WITHIN_S)
        loop.stop()


def _hosts(parts: dict[str, Any]) -> list[tuple[str, str, int]]:
    """(name that the certificate is for, address, port) of each."""
    names = str(parts.get("host") or parts.get("hostaddr") or "localhost").split(",")
    addresses = str(parts.get("hostaddr") or ",".join(names)).split(",")
    ports = str(parts.get("port") or "5432").split(",")
    if len(ports) == 1:
        ports *= len(names)
    if any(name.startswith("/") for name in names):
        raise NoTunnel("DATABASE_ADMIN_URL: there is no TLS over a Unix socket; leave sslmode out")
    return [
        (name, address, int(port or 5432)) for name, address, port in zip(names, addresses, ports, strict=True)
    ]  # fmt: skip


def _context(parts: dict[str, Any]) -> ssl.SSLContext:
    """As libpq reads sslmode: `require` checks the authority if one is named, and only verify-full checks the name."""
    mode, root = str(parts["sslmode"]), parts.get("sslrootcert")
    if root is None and mode != "require":
        raise NoTunnel(f"DATABASE_ADMIN_URL: sslmode={mode} needs sslrootcert, the file of the authority, or `system`")
    try:
        context = ssl.create_default_context(cafile=None if root in (None, "system") else str(root))
        if parts.get("sslcert"):
            context.load_cert_chain(str(parts["sslcert"]), parts.get("sslkey"))
    except OSError as e:  # also what ssl raises for a file that holds no certificate
        raise NoTunnel(f"DATABASE_ADMIN_URL: a file of its certificates cannot be used ({type(e).__name__})") from e
    context.check_hostname = mode == "verify-full"
    if root is None:
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(slots=True)
class _Tunnel:
    hosts: list[tuple[str, str, int]]
    context: ssl.SSLContext
    server: asyncio.Server | None = None
    open_ends: set[asyncio.StreamWriter] = field(default_factory=set)
    serving: set[asyncio.Task[Any]] = field(default_factory=set)

    async def open(self) -> int:
        """Try the way once, then listen; returns the port."""
        _, writer = await self._connect()
        writer.close()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    async def close(self) -> None:
        if self.server is not None:
            self.server.close()
        for end in self.open_ends:
            end.close()
        if self.serving:
            await asyncio.wait(self.serving, timeout=ANSWER_WITHIN_S / 2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        try:
            server, back = await self._connect()
        except (NoTunnel, Transient) as e:
            log.warning("database_tunnel_failed", reason=e.reason if isinstance(e, NoTunnel) else "unreachable")
            writer.close()
            return
        self.open_ends |= {writer, back}
        await asyncio.gather(_copy(reader, back), _copy(server, writer, before=_offer))
        self.open_ends -= {writer, back}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        last: Exception = Transient(retry_after_s=60.0)
        for name, address, port in self.hosts:
            try:
                return await asyncio.wait_for(self._encrypted(name, address, port), ANSWER_WITHIN_S)
            except ssl.SSLError as e:
                last = NoTunnel(f"PostgreSQL at {name}: {e.reason or type(e).__name__}")
                last.__cause__ = e
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as e:
                last = Transient(f"PostgreSQL at {name}: {type(e).__name__}", retry_after_s=60.0)
                last.__cause__ = e
        raise last

    async def _encrypted(self, name: str, address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(address, port)
        try:
            writer.write(SSL_REQUEST)
            if await reader.readexactly(1) != b"S":
                raise NoTunnel(f"PostgreSQL at {name} offers no TLS: set ssl = on there, or leave sslmode out")
            await writer.start_tls(self.context, server_hostname=name)
        except BaseException:
            writer.close()
            raise
        return reader, writer


async def _offer(server: asyncio.StreamReader, program: asyncio.StreamWriter) -> None:
    """Hand on the server's first messages, until it asks for the login, without its offer to tie that to the TLS
    connection: a program that sees none takes such an offer for an attack. The server itself logs in who declines."""
    while True:
        head = await server.readexactly(5)
        length = int.from_bytes(head[1:], "big") - 4
        if not 0 <= length <= MESSAGE_MAX_BYTES:
            raise ConnectionError("no PostgreSQL message")
        body = await server.readexactly(length)
        if head[:1] == AUTHENTICATION and body[:4] == SASL.to_bytes(4, "big"):
            names = [name for name in body[4:].split(b"\0") if name not in (b"", BOUND_TO_TLS)]
            body = body[:4] + b"".join(name + b"\0" for name in names) + b"\0"
        program.write(head[:1] + (len(body) + 4).to_bytes(4, "big") + body)
        await program.drain()
        if head[:1] != NEGOTIATION:
            return


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    before: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None,
) -> None:
    """Until either end is closed, and then close the other one."""
    try:
        if before is not None:
            await before(reader, writer)
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass  # one end is gone: so is the program or the server, which says so itself
    finally:
        writer.close()
