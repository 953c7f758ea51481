"""Companies' own model providers: a kept connection belongs to the name whose certificate was checked, and no other."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from scripts import make_certificates
from shared import openings
from shared.resilience import transport
from shared.resilience.egress import Egress, EgressRefused
from shared.resilience.transport import AiohttpTransport

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context with a certificate for models.test alone, which our clients trust."""
    make_certificates.make(tmp_path, [make_certificates.Server("here", ("models.test",))])
    client = ssl.create_default_context(cafile=str(tmp_path / "trust" / "ca.crt"))
    monkeypatch.setattr(transport, "tls", lambda: client)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "here" / "server.crt", tmp_path / "here" / "server.key")
    return server


def test_a_connection_is_kept_for_its_own_name_and_another_name_is_checked_for_itself(
    trusting: ssl.SSLContext,
) -> None:
    hosts: list[str] = []
    opened: list[object] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                hosts.append(head.lower().partition(b"host: ")[2].partition(b":")[0].decode())
                writer.write(ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has left
        finally:
            writer.close()

    async def talk() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=trusting)
        port = listening.sockets[0].getsockname()[1]
        resolved: list[str] = []

        async def resolver(host: str, port: int) -> Sequence[str]:
            resolved.append(host)
            return ["127.0.0.1"]

        allowed = openings.parse(f"model:models.test:{port}, model:other.test:{port}")
        egress = Egress(allowed, resolver=resolver, transport=AiohttpTransport(4, 30.0))
        client = egress.client("model")
        for _ in range(3):
            assert (await client.get(f"https://models.test:{port}/")).text == "ok"
        assert len(opened) == 1
        with pytest.raises(httpx.ConnectError):
            await client.get(f"https://other.test:{port}/")
        assert hosts == ["models.test"] * 3
        assert resolved == ["models.test"] * 3 + ["other.test"]
        with pytest.raises(EgressRefused):
            await client.get(f"https://third.test:{port}/")
        await egress.aclose()
        listening.close()

    asyncio.run(asyncio.wait_for(talk(), 30))
