"""TLS in front of the embedded servers, whose builds have none: what a client says arrives there decrypted."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from scripts import make_certificates
from shared.resilience.loop import Loop
from tasks.lifecycle.backup.tunnel import SSL_REQUEST

HOSTS = ("localhost",)
"""Not 127.0.0.1, so that a client which connects to that name is to refuse it."""


def certificates(folder: Path) -> Path:
    """A private CA and the certificate of the server `here`; returns the CA's."""
    make_certificates.make(folder, [make_certificates.Server("here", HOSTS)])
    return folder / "trust" / "ca.crt"


@contextmanager
def encrypted(port: int, folder: Path, *, postgres: bool = False) -> Iterator[int]:
    """A port that speaks TLS with the certificate of the folder and hands on to `port`. postgres: TLS begins after
    PostgreSQL's SSLRequest, and nobody is served without one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "here" / "server.crt", folder / "here" / "server.key")

    ends: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        ends.add(writer)
        try:
            if postgres:
                if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                    writer.close()
                    return
                writer.write(b"S")
                await writer.start_tls(context)
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()  # the client has refused us, or the server is away
            return
        ends.add(back)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))
        ends.difference_update((writer, back))

    async def listen() -> tuple[asyncio.Server, int]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=None if postgres else context)
        return server, server.sockets[0].getsockname()[1]

    async def end(server: asyncio.Server) -> None:
        server.close()
        for one in ends:
            one.close()
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    loop = Loop("tls")
    loop.start()
    try:
        server, listening = loop.run(listen(), timeout_s=10)
        try:
            yield listening
        finally:
            loop.run(end(server), timeout_s=10)
    finally:
        loop.stop()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # either end is gone, and the other one is told by the close
    finally:
        writer.close()


@contextmanager
def postgres_over_tls(url: str, folder: Path) -> Iterator[str]:
    """A PostgreSQL URL as compose.yaml writes them: over TLS, with the name and the authority verified."""
    at = urlsplit(url)
    with encrypted(at.port or 0, folder, postgres=True) as port:
        where = f"{at.username}:{at.password}@localhost:{port}{at.path}"
        yield f"postgresql://{where}?sslmode=verify-full&sslrootcert={certificates(folder)}"


@contextmanager
def redis_over_tls(url: str, folder: Path) -> Iterator[str]:
    """The same of a Redis URL."""
    at = urlsplit(url)
    with encrypted(at.port or 0, folder) as port:
        yield f"rediss://:{at.password}@localhost:{port}{at.path}?{REDIS_TLS.format(certificates(folder))}"


REDIS_TLS = "ssl_ca_certs={}&ssl_cert_reqs=required&ssl_check_hostname=true"
