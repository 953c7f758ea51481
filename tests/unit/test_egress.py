"""Requests to addresses that others gave us: never into our own network, never without a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import httpx
import pytest

from shared import openings
from shared.resilience.egress import Egress, EgressRefused, Fetched, TooLarge, Unreachable

PUBLIC = "93.184.216.34"


class Net:
    """Names, and a server behind each address. asked: (address, Host, name for the certificate, path)."""

    def __init__(self, names: dict[str, Sequence[str]], answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.names = names
        self.answer = answer
        self.looked_up: list[str] = []
        self.asked: list[tuple[str, str, str, str]] = []
        self.egress = Egress(resolver=self._resolve, transport=httpx.MockTransport(self._serve))

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        if host not in self.names:
            raise OSError("planted")
        return self.names[host]

    def _serve(self, request: httpx.Request) -> httpx.Response:
        sni = str(request.extensions["sni_hostname"])
        self.asked.append((request.url.host, request.headers["host"], sni, request.url.path))
        return self.answer(request)


def run(work: Coroutine[Any, Any, Fetched]) -> Fetched:
    return asyncio.run(work)


def page(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=b"words", headers={"content-type": "text/plain"})


def test_a_request_goes_to_the_address_that_was_judged_under_the_name_that_was_given() -> None:
    net = Net({"shop.example": [PUBLIC]}, page)

    fetched = run(net.egress.get("https://shop.example/a?b=1", purpose="site", deadline_s=5, max_bytes=100))

    assert (fetched.status, fetched.body, fetched.headers["content-type"]) == (200, b"words", "text/plain")
    assert fetched.url == "https://shop.example/a?b=1"
    assert net.asked == [(PUBLIC, "shop.example", "shop.example", "/a")]
    assert net.looked_up == ["shop.example"]  # once: a second answer could be another


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["::1"], ["169.254.169.254"]])
def test_a_name_of_an_inner_address_is_refused_before_anything_is_sent(addresses: list[str]) -> None:
    net = Net({"inner.example": addresses}, page)
    with pytest.raises(EgressRefused):
        run(net.egress.post("https://inner.example/", b"{}", {}, deadline_s=5))
    assert net.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://shop.example/", "file:///etc/passwd", "//shop.example/", "shop.example", "", "https://", "http://[::1",
        "https://user:word@shop.example/", "https://shop.example:25/", "https://shop.example:99999/", "https://sh op/",
    ],
)  # fmt: skip
def test_what_is_no_web_address_is_refused(url: str) -> None:
    net = Net({"shop.example": [PUBLIC], "sh op": [PUBLIC]}, page)
    with pytest.raises((EgressRefused, Unreachable)):
        run(net.egress.get(url, purpose="site", deadline_s=5, max_bytes=100))
    assert net.asked == []


def test_a_name_nobody_knows_is_unreachable_and_nothing_was_sent() -> None:
    with pytest.raises(Unreachable) as caught:
        run(Net({}, page).egress.get("https://nowhere.example/", purpose="site", deadline_s=5, max_bytes=100))
    assert not caught.value.sent


def test_redirects_are_judged_one_by_one_and_get_none_of_the_first_ones_headers() -> None:
    seen: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("authorization"))
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"location": "https://cdn.example/file"})
        return page(request)

    net = Net({"shop.example": [PUBLIC], "cdn.example": ["8.8.8.8"]}, answer)
    headers = {"authorization": "Bearer planted"}
    fetched = run(
        net.egress.get("https://shop.example/moved", purpose="site", deadline_s=5, max_bytes=100, headers=headers)
    )

    assert (fetched.body, fetched.url) == (b"words", "https://cdn.example/file")
    assert seen == ["Bearer planted", None]


def test_a_redirect_into_our_network_is_refused() -> None:
    net = Net(
        {"shop.example": [PUBLIC], "inner.example": ["127.0.0.1"]},
        lambda request: httpx.Response(302, headers={"location": "http://inner.example/"}),
    )
    with pytest.raises(EgressRefused):
        run(net.egress.get("https://shop.example/", purpose="site", deadline_s=5, max_bytes=100))
    assert [host for _, host, _, _ in net.asked] == ["shop.example"]


def test_redirects_without_end_are_refused() -> None:
    net = Net({"shop.example": [PUBLIC]}, lambda request: httpx.Response(302, headers={"location": "/again"}))
    with pytest.raises(EgressRefused):
        run(net.egress.get("https://shop.example/", purpose="site", deadline_s=5, max_bytes=100))
    assert len(net.asked) == 4


def test_a_post_follows_no_redirect() -> None:
    net = Net({"shop.example": [PUBLIC]}, lambda request: httpx.Response(307, headers={"location": "/again"}))
    assert run(net.egress.post("https://shop.example/", b"{}", {}, deadline_s=5)).status == 307
    assert len(net.asked) == 1


@pytest.mark.parametrize("said", [True, False])
def test_an_answer_larger_than_allowed_is_an_error_for_a_file_and_cut_for_a_post(said: bool) -> None:
    async def pieces() -> Any:
        for _ in range(50):
            yield b"x" * 10

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"x" * 500 if said else pieces())

    net = Net({"shop.example": [PUBLIC]}, answer)
    with pytest.raises(TooLarge):
        run(net.egress.get("https://shop.example/", purpose="site", deadline_s=5, max_bytes=100))
    again = Net({"shop.example": [PUBLIC]}, answer)
    assert run(again.egress.post("https://shop.example/", b"", {}, deadline_s=5, max_bytes=100)).body == b"x" * 100


def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    async def for_ever() -> Any:
        while True:
            yield b"x"
            await asyncio.Event().wait()

    net = Net({"shop.example": [PUBLIC]}, lambda request: httpx.Response(200, content=for_ever()))
    with pytest.raises(Unreachable) as caught:
        run(net.egress.get("https://shop.example/", purpose="site", deadline_s=0.05, max_bytes=100))
    assert caught.value.sent


@pytest.mark.parametrize(("error", "sent"), [(httpx.ConnectError, False), (httpx.ReadError, True)])
def test_an_error_of_the_network_says_whether_the_request_may_have_arrived(
    error: type[httpx.TransportError], sent: bool
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("planted")

    with pytest.raises(Unreachable) as caught:
        run(Net({"shop.example": [PUBLIC]}, answer).egress.post("https://shop.example/", b"", {}, deadline_s=5))
    assert caught.value.sent is sent


def test_over_real_sockets_the_loopback_is_refused_unless_it_is_allowed() -> None:
    async def both() -> tuple[str, Fetched]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            host = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(host), host))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        address = f"http://127.0.0.1:{port}/"
        strict, open_ = Egress(), Egress(openings.parse(f"site:127.0.0.1:{port}"))
        try:
            with pytest.raises(EgressRefused) as caught:
                await strict.get(address, purpose="site", deadline_s=5, max_bytes=1000)
            return str(caught.value), await open_.get(
                f"http://127.0.0.1:{port}/", purpose="site", deadline_s=5, max_bytes=1000
            )
        finally:
            await strict.aclose()
            await open_.aclose()
            server.close()

    refused, fetched = asyncio.run(both())
    assert "EGRESS_ALLOW" in refused
    assert fetched.body.lower().startswith(b"host: 127.0.0.1:")


def test_an_answer_that_would_unfold_is_not_read() -> None:
    net = Net(
        {"shop.example": [PUBLIC]}, lambda _: httpx.Response(200, headers={"content-encoding": "br"}, content=b"x")
    )
    with pytest.raises(Unreachable):
        run(net.egress.get("https://shop.example/", purpose="site", deadline_s=5, max_bytes=100))
