"""Attacks by address: whatever a tenant writes as an address, no request reaches our own network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from shared import openings
from shared.embedded import DataFolder
from shared.openings import Purpose
from shared.resilience.addresses import is_public, parsed
from shared.resilience.egress import Egress, EgressRefused, Unreachable
from tests.factories import settings
from workers import local

PUBLIC = "93.184.216.34"
MALFORMED = ["", "nonsense", "127.1", "0177.0.0.1", "2130706433", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1%lo",
             "fe80::1%eth0", "2606:4700::1%eth0", "[::1]", ":::1", "8.8.8.8 ", "８.8.8.8"]  # fmt: skip
ALLOWED = [
    PUBLIC, "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.1", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
    "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
    "2606:4700::1111", "2001:200::1", "2001:4860:4860::8888", "2400:cb00::1", "2a00:1450:4001::1", "2620:4f:8001::1",
    "3ffe:ffff::1", "::ffff:8.8.8.8", "::FFFF:808:808", "0:0:0:0:0:ffff:8.8.8.8", "64:ff9b::8.8.8.8",
]  # fmt: skip
FORBIDDEN = [
    # this host, loopback
    "0.0.0.0", "0.0.0.1", "0.255.255.255", "127.0.0.0", "127.0.0.1", "127.0.0.53", "127.9.9.9", "127.255.255.255",
    # private, and carriers' NAT
    "10.0.0.0", "10.1.2.3", "10.255.255.255", "172.16.0.0", "172.17.0.1", "172.31.255.255", "192.168.0.0",
    "192.168.1.1", "192.168.255.255", "100.64.0.0", "100.127.255.255",
    # link-local and clouds' metadata
    "169.254.0.0", "169.254.0.23", "169.254.169.253", "169.254.169.254", "169.254.170.2", "169.254.42.42",
    "169.254.255.255", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
    "fd00:c1::a9fe:a9fe", "fe80::a9fe:a9fe",
    # IETF's own, documentation, benchmarks, relays
    "192.0.0.0", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.0.171", "192.0.0.255", "192.0.2.0",
    "192.0.2.1", "192.0.2.255", "198.51.100.0", "198.51.100.255", "203.0.113.0", "203.0.113.255", "198.18.0.0",
    "198.19.255.255", "192.31.196.1", "192.52.193.1", "192.88.99.0", "192.88.99.1", "192.88.99.255", "192.175.48.1",
    # multicast, reserved, broadcast
    "224.0.0.1", "233.252.0.1", "239.255.255.255", "240.0.0.0", "240.0.0.1", "254.1.1.1", "255.255.255.255",
    # IPv6: unspecified, loopback, local, multicast
    "::", "0:0:0:0:0:0:0:0", "::1", "0:0:0:0:0:0:0:1", "0000:0000:0000:0000:0000:0000:0000:0001", "::0.0.0.1",
    "fc00::", "fc00::1", "fd12:3456:789a::1", "fdff:ffff::1", "fe80::1", "fe80::", "febf::1", "fec0::1", "FEC0::1",
    "feff::1", "ff00::1", "ff02::1", "ff05::1:3", "ff0e::1",
    # not given out: outside 2000::/3, discard-only, segment routing
    "100::1", "100:0:0:1::1", "200::1", "1fff::1", "4000::1", "5f00::1", "8000::1", "e000::1", "::2",
    # IETF protocol assignments: Teredo, benchmarks, ORCHID, AMT, AS112
    "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:0:7f00:1::", "2001:0:0:0:0:0:80ff:fffe", "2001:1::1",
    "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1",
    "2620:4f:8000::1", "2001:db8::1", "2001:db8:ffff::1", "2001:DB8::1", "3fff::1", "3fff:fff:ffff::1",
    # 6to4, whatever stands inside
    "2002:7f00:1::", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2002:a00:1::1", "2002:c0a8:101::1", "2002:808:808::1",
    "2002::1",
    # IPv4-mapped, compatible, translated
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::FFFF:7F00:0001", "0:0:0:0:0:ffff:127.0.0.1", "::ffff:0.0.0.0",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "::ffff:192.168.0.1", "::ffff:168.63.129.16",
    "::ffff:100.100.100.200", "::127.0.0.1", "::7f00:1", "::10.0.0.1", "::169.254.169.254", "::8.8.8.8",
    "::ffff:0:127.0.0.1", "::ffff:0:7f00:1", "::ffff:0:8.8.8.8",
    # NAT64
    "64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a00:1", "64:ff9b::169.254.169.254",
    "64:FF9B::A9FE:A9FE", "64:ff9b::192.168.1.1", "64:ff9b::168.63.129.16", "64:ff9b:1::1", "64:ff9b:1::a00:1",
    "64:ff9b:1:ffff::127.0.0.1", "64:ff9b:1::8.8.8.8", "64:ff9b:0:1::1",
    # ISATAP
    "2606:4700::5efe:127.0.0.1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1", "2606:4700::5efe:c0a8:101",
    "2a00:1450:4001:1:0:5efe:a9fe:a9fe", "fe80::5efe:10.0.0.1", "fe80::200:5efe:8.8.8.8",
]  # fmt: skip
LOOPBACK_URLS = [
    # decimal, octal, hex, short dotted forms
    "http://127.0.0.1/", "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0X7F000001/",
    "http://0x7f.0.0.1/", "http://0x7f.0x0.0x0.0x1/", "http://0x7f.1/", "http://127.1/", "http://127.0.1/",
    "http://127.65530/", "http://0177.0.0.1/", "http://0177.1/", "http://00000177.0.0.1/", "http://127.000.000.001/",
    "http://127.0.0.01/", "http://127.0.0.0x1/", "http://1.0x7f/", "http://0/", "http://0.0/", "http://0.0.0.0/",
    "http://0x0/", "http://00/", "http://4294967295/", "http://4425174337/", "http://383.0.0.1/",
    "http://3232235777/", "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/",
    # trailing dots, upper-case, names for it
    "http://127.0.0.1./", "http://127.0.0.1../", "http://2130706433./", "http://localhost/", "http://LOCALHOST/",
    "http://LocalHost/", "http://localhost./", "http://localhost。/", "HTTP://LOCALHOST/", "http://ip6-localhost/",
    "http://evil.localhost/", "http://cname.example/", "http://rebound.example/",
    # brackets, IPv6 forms, zones
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[::ffff:127.0.0.1]/",
    "http://[::FFFF:7F00:1]/", "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%25lo]/", "http://[::1%lo]/", "http://[127.0.0.1]/",
    "http://[v1.fe]/", "http://[::1]./", "http://[::1].shop.example/", "http://[fd00:ec2::254]/", "http://[fec0::1]/",
    "http://[0000:0000:0000:0000:0000:ffff:7f00:0001]/", "http://[::1/", "http://::1/", "http://[]/",
    # full-width digits and dots, circled and superscript ones
    "http://１２７.０.０.１/", "http://127。0。0。1/", "http://127．0．0．1/", "http://127｡0｡0｡1/", "http://①②⑦.⓪.⓪.①/",
    "http://¹²⁷.⁰.⁰.¹/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://ｌｏｃａｌｈｏｓｔ/", "http://loc\u00adalhost/", "http://٠/",
    # percent-encoding
    "http://127%2e0%2e0%2e1/", "http://%31%32%37.0.0.1/", "http://%6c%6f%63alhost/", "http://127.0.0.1%00.shop.example/",
    "http://127.0.0.1%2f.shop.example/", "http://127.0.0.1%20/", "http://%5b::1%5d/",
    # users, backslashes, fragments and questions where a host ends
    "http://shop.example@127.0.0.1/", "http://shop.example:80@127.0.0.1/", "http://shop.example%2f@127.0.0.1/",
    "http://shop.example\\@127.0.0.1/", "http://127.0.0.1\\@shop.example/", "http://@127.0.0.1/", "http://:@127.0.0.1/",
    "http://user:word@shop.example/", "http://127.0.0.1#@shop.example/", "http://127.0.0.1?@shop.example/",
    "http://127.0.0.1;shop.example/", "http://127.0.0.1:80#shop.example/",
    # whitespace, control characters, odd schemes and slashes
    "http://127.0.0.1\t/", "http://\t127.0.0.1/", "http://127.0.0.1\n/", "http:\\\\127.0.0.1/", "http:///127.0.0.1/",
    "http:127.0.0.1/", "http:/127.0.0.1/", "//127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_INFO", "dict://127.0.0.1:6379/INFO", "unix:///run/docker.sock", "http+unix://%2frun/",
    "ws://127.0.0.1/", "data:text/plain,x", "jar:http://127.0.0.1!/", "",
    # clouds' metadata
    "http://169.254.169.254/latest/meta-data/", "http://168.63.129.16/machine", "http://100.100.100.200/",
    "http://192.0.0.192/", "http://metadata.example/", "http://169.254.170.2/v2/credentials",
    # public and inner addresses mixed, and inner ones of every kind
    "http://mixed.example/", "http://mixed-six.example/", "http://scoped.example/", "http://translated.example/",
    "http://numbers.example/",
]  # fmt: skip
PORT_URLS = [
    f"http://shop.example:{port}/"
    for port in (0, 1, 22, 25, 110, 111, 143, 389, 445, 465, 587, 993, 2375, 3306, 5432, 5555, 6379, 8000, 8080, 8400,
                 8443,                 9200, 11211, 15432, 16379, 27017, 65535, 65536, 99999)
]  # fmt: skip
HARMLESS_URLS = [
    "http://shop.example/", "https://shop.example/", "https://shop.example:443/", "http://shop.example:80/",
    "http://shop.example:443/", "HTTPS://SHOP.EXAMPLE/", "https://shop.example./", "https://shop.example/?@127.0.0.1",
    "https://shop.example#@127.0.0.1", "https://shop.example?@127.0.0.1/", "https://bücher.example/",
    "https://xn--bcher-kva.example/", "https://shop。example/", "https://127.0.0.1.shop.example/",
    "https://localhost.shop.example/", "https://2130706433.shop.example/", f"https://{PUBLIC}/",
    "https://[2606:4700::1111]/", "https://[2606:4700:0:0:0:0:0:1111]/", "https://a_b.example/", "https://6.example/",
]  # fmt: skip
INNER_NAMES: dict[str, Sequence[str]] = {
    "localhost": ["127.0.0.1"], "localhost.": ["::1", "127.0.0.1"], "ip6-localhost": ["::1"],
    "evil.localhost": ["127.0.0.1"], "cname.example": ["127.0.0.1"], "rebound.example": ["0.0.0.0"],
    "metadata.example": ["169.254.169.254"], "mixed.example": [PUBLIC, "10.0.0.1"],
    "mixed-six.example": ["2606:4700::1111", PUBLIC, "::1"], "scoped.example": ["fe80::1%eth0"],
    "translated.example": ["64:ff9b::7f00:1"], "numbers.example": ["2130706433"],
}  # fmt: skip


class Net:
    """Names of a hostile DNS, and whoever listens where a request arrives. asked: what was connected to."""

    def __init__(self, openings_: Sequence[openings.Opening] = (), location: str | None = None) -> None:
        self.asked: list[str] = []
        self.looked_up: list[str] = []
        self.location = location
        self.egress = Egress(openings_, resolver=self._resolve, transport=httpx.MockTransport(self._serve))

    async def _resolve(self, host: str, port: int) -> Sequence[str]:
        self.looked_up.append(host)
        return INNER_NAMES.get(host, [PUBLIC])

    def _serve(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.host)
        if self.location is not None and len(self.asked) == 1:
            return httpx.Response(302, headers=[(b"location", self.location.encode())])
        return httpx.Response(200, content=b"secret")

    def get(self, url: str, purpose: Purpose = "site") -> None:
        asyncio.run(self.egress.get(url, purpose=purpose, deadline_s=10, max_bytes=100))


def test_the_table_is_long_enough() -> None:
    written = [*MALFORMED, *ALLOWED, *FORBIDDEN, *LOOPBACK_URLS, *PORT_URLS, *HARMLESS_URLS]
    assert len(set(written)) >= 300


@pytest.mark.parametrize("address", ALLOWED)
def test_addresses_of_the_public_network(address: str) -> None:
    found = parsed(address)
    assert found is not None
    assert is_public(found)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_addresses_that_are_not(address: str) -> None:
    found = parsed(address)
    assert found is not None
    assert not is_public(found)


@pytest.mark.parametrize("address", MALFORMED)
def test_what_is_not_an_address_in_its_usual_form(address: str) -> None:
    assert parsed(address) is None


@pytest.mark.parametrize("url", [*LOOPBACK_URLS, *PORT_URLS, *(f"http://{a}/" for a in FORBIDDEN if ":" not in a),
                                 *(f"http://[{a}]/" for a in FORBIDDEN if ":" in a)])  # fmt: skip
def test_no_spelling_reaches_our_network(url: str) -> None:
    net = Net()
    with pytest.raises((EgressRefused, Unreachable)):
        net.get(url)
    assert net.asked == []


@pytest.mark.parametrize("url", [*LOOPBACK_URLS, *PORT_URLS])
def test_no_spelling_of_a_redirect_does(url: str) -> None:
    """One that names no host stays where it was."""
    net = Net(location=url)
    try:
        net.get("https://shop.example/")
    except (EgressRefused, Unreachable):
        pass
    assert set(net.asked) == {PUBLIC}


@pytest.mark.parametrize("url", HARMLESS_URLS)
def test_every_spelling_of_a_public_address_goes_there(url: str) -> None:
    net = Net()
    net.get(url)
    assert net.asked in ([PUBLIC], ["2606:4700::1111"], ["2606:4700:0:0:0:0:0:1111"])


def test_an_international_name_is_looked_up_as_it_is_sent() -> None:
    """The resolver of Python would make `fass.example` of it, the certificate's check another host."""
    net = Net()
    net.get("https://faß.example/")
    assert net.looked_up == ["xn--fa-hia.example"]


def test_an_opening_holds_for_its_host_port_and_purpose_alone() -> None:
    net = Net(openings.parse("send:127.0.0.1:8500, media:10.0.0.0/8:443, site:public:8443, site:wiki:8080"))
    refused: list[tuple[str, Purpose]] = [
        ("http://127.0.0.1:8500/", "site"), ("http://127.0.0.1:8500/", "media"), ("http://127.0.0.1:8501/", "send"),
        ("http://127.0.0.1/", "send"), ("http://127.0.0.2:8500/", "send"), ("http://[::1]:8500/", "send"),
        ("http://shop.example:8500/", "send"), ("https://10.0.0.1/", "send"), ("http://10.0.0.1/", "media"),
        ("http://cname.example:8443/", "site"), ("http://127.0.0.1:8443/", "site"),
        ("http://cname.example:8080/", "site"),
    ]  # fmt: skip
    for url, purpose in refused:
        with pytest.raises(EgressRefused):
            net.get(url, purpose)
    assert net.asked == []
    INNER_NAMES["wiki"] = ["172.18.0.9"]
    opened: list[tuple[str, Purpose]] = [
        ("http://127.0.0.1:8500/", "send"), ("http://cname.example:8500/", "send"), ("https://10.0.0.1/", "media"),
        ("http://shop.example:8443/", "site"), ("http://wiki:8080/", "site"),
    ]  # fmt: skip
    for url, purpose in opened:
        net.get(url, purpose)
    assert net.asked == ["127.0.0.1", "127.0.0.1", "10.0.0.1", PUBLIC, "172.18.0.9"]


def test_a_trusted_origin_is_not_judged_and_where_it_leads_is() -> None:
    async def resolver(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(302, headers={"location": "http://127.0.0.1:6379/"})

    egress = Egress(trusted=["http://127.0.0.1:8500/api"], resolver=resolver, transport=httpx.MockTransport(serve))
    with pytest.raises(EgressRefused):
        asyncio.run(egress.get("http://127.0.0.1:8500/file", purpose="media", deadline_s=5, max_bytes=10))


# ------------------------------------------------------------------ over real sockets


@asynccontextmanager
async def listening(address: str, reached: list[str], port: int = 0) -> AsyncIterator[int]:
    """A server that notes its address when it is connected to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(address)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, address, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def test_the_address_that_was_judged_is_the_one_that_is_connected_to() -> None:
    """DNS rebinding: the name leads to an open address when it is judged, and to a closed one from then on."""
    reached: list[str] = []
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]]

    async def resolver(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    async def attack() -> None:
        async with listening("127.0.0.1", reached) as port, listening("127.0.0.2", reached, port):
            egress = Egress(openings.parse(f"site:127.0.0.1:{port}"), resolver=resolver)
            try:
                await egress.get(f"http://rebinding.example:{port}/", purpose="site", deadline_s=5, max_bytes=10)
                with pytest.raises(EgressRefused):
                    await egress.get(f"http://rebinding.example:{port}/", purpose="site", deadline_s=5, max_bytes=10)
            finally:
                await egress.aclose()

    asyncio.run(attack())
    assert reached == ["127.0.0.1"]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[str] = []

    async def attack() -> None:
        async with listening("127.0.0.1", reached) as port, listening("127.0.0.2", reached) as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, f"http://127.0.0.2:{proxy}")
            egress = Egress(openings.parse(f"site:127.0.0.1:{port}"))
            try:
                await egress.get(f"http://127.0.0.1:{port}/", purpose="site", deadline_s=5, max_bytes=10)
            finally:
                await egress.aclose()

    asyncio.run(attack())
    assert reached == ["127.0.0.1"]


# ------------------------------------------------------------------ the system with the stand-in


def test_with_the_stand_in_tenants_reach_the_stand_in_alone(tmp_path: Path) -> None:
    """Its address and port, for what it serves: no PostgreSQL, Valkey, Flower or /metrics, and no site."""
    with DataFolder(tmp_path / "data") as folder:
        environment = local._standin_environment(settings(), folder, "http://127.0.0.1:8500")
    net = Net(settings(EGRESS_ALLOW=environment["EGRESS_ALLOW"]).egress.openings)
    for port in (80, 443, 5432, 15432, 6379, 16379, 5555, 8400, 8501):
        for purpose in openings.PURPOSES:
            with pytest.raises(EgressRefused):
                net.get(f"http://127.0.0.1:{port}/metrics", purpose)
    with pytest.raises(EgressRefused):
        net.get("http://127.0.0.1:8500/sitemap.xml", "site")
    assert net.asked == []
    net.get("http://127.0.0.1:8500/receiver/shop", "send")
    net.get("http://127.0.0.1:8500/file", "media")
