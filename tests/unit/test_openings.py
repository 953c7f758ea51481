"""EGRESS_ALLOW: what an entry opens, and what is said about one that cannot be read."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from shared.openings import parse
from tests.factories import settings


@pytest.mark.parametrize(
    ("entry", "name", "address"),
    [
        ("send:127.0.0.1:8500", "127.0.0.1", "127.0.0.1"),
        ("media:10.0.0.0/8:443", "files.example", "10.9.8.7"),
        ("site:[fd00::1]:8443", "wiki.example", "fd00::1"),
        ("site:[fd00::]/8:8443", "", ""),
        ("site:[fd00::/8]:8443", "wiki.example", "fd00::77"),
        ("send:receiver:8080", "receiver", "172.18.0.9"),
        ("SEND:Receiver.Internal:8080", "receiver.internal", "172.18.0.9"),
    ],
)
def test_an_entry_opens_its_host(entry: str, name: str, address: str) -> None:
    if not name:
        with pytest.raises(ValueError):
            parse(entry)
        return
    [opening] = parse(entry)
    assert opening.opens(name, ip_address(address))
    assert not opening.opens("other.example", ip_address("192.168.7.7"))


def test_several_entries_are_divided_by_commas() -> None:
    found = parse("send:127.0.0.1:8500, media:10.0.0.0/8:443,")
    assert [(one.purpose, str(one.host), one.port) for one in found] == [
        ("send", "127.0.0.1/32", 8500), ("media", "10.0.0.0/8", 443),
    ]  # fmt: skip
    assert parse("") == ()


@pytest.mark.parametrize("old", ["127.0.0.0/8", "10.1.2.3", "fd00::/8", "::1"])
def test_the_old_form_is_refused_with_the_new_one(old: str) -> None:
    with pytest.raises(ValueError, match=r"EGRESS_ALLOW: .*say for which purpose.*send:.*:443"):
        settings(EGRESS_ALLOW=old)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("10.0.0.0/99", "purpose:host:port"),
        ("send:10.0.0.0/99:443", "no IPv4 address or network"),
        ("send:[fd00::/200]:443", "no IPv6 address or network"),
        ("send:10.0.0.1", "purpose:host:port"),
        ("send:10.0.0.1:0", "ports are 1 to 65535"),
        ("send:10.0.0.1:70000", "ports are 1 to 65535"),
        ("send:10.0.0.1:*", "purpose:host:port"),
        ("mail:10.0.0.1:25", "begins with none of send, media, site"),
        ("send:https://shop.example:443", "purpose:host:port"),
        ("send:fd00::1:443", "purpose:host:port"),
        ("send:*:443", "no address, network or host name"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named(entry: str, said: str) -> None:
    with pytest.raises(ValueError, match="EGRESS_ALLOW") as caught:
        settings(EGRESS_ALLOW=f"send:127.0.0.1:8500, {entry}")
    assert entry in str(caught.value)
    assert said in str(caught.value)


EXAMPLE = "send:10.1.2.3:8500 or media:10.0.0.0/8:443"
ALONE = "names a network alone; say for which purpose (send, media, site, model) and which port it is open"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("send:10.0.0.1", f"'send:10.0.0.1' should be purpose:host:port, such as {EXAMPLE}"),
        ("Mail:10.0.0.1:25", f"'Mail:10.0.0.1:25' begins with none of send, media, site, model: write it as {EXAMPLE}"),
        ("send:a:0", "'send:a:0' names port 0: ports are 1 to 65535"),
        ("send:a:65536", "'send:a:65536' names port 65536: ports are 1 to 65535"),
        ("send:10.0.0.0/99:443", "'send:10.0.0.0/99:443': 10.0.0.0/99 is no IPv4 address or network"),
        ("send:[fd00::/200]:443", "'send:[fd00::/200]:443': [fd00::/200] is no IPv6 address or network"),
        ("send:-a:443", "'send:-a:443': -a is no address, network or host name"),
        ("10.1.2.3/8", f"'10.1.2.3/8' {ALONE}: send:10.1.2.3/8:443"),
        ("fd00::1/8", f"'fd00::1/8' {ALONE}: send:[fd00::1/8]:443"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_says_how_to_write_it(entry: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        parse(f"send:127.0.0.1:1, {entry}")
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("entry", "purpose", "host", "port"),
    [
        ("SEND:Shop.Example:1", "send", "shop.example", 1), ("media:10.1.2.3/8:65535", "media", "10.0.0.0/8", 65_535),
        ("site:[FD00::1/8]:443", "site", "fd00::/8", 443), ("site:1.example:80", "site", "1.example", 80),
        ("site:public:8443", "site", "public", 8443), ("send:10.0.0.0/255.0.0.0:80", "send", "10.0.0.0/8", 80),
    ],
)  # fmt: skip
def test_an_entry_is_read_in_lower_case_with_its_whole_network(entry: str, purpose: str, host: str, port: int) -> None:
    [found] = parse(entry)
    assert (found.purpose, str(found.host), found.port) == (purpose, host, port)


def test_a_network_opens_addresses_of_its_own_version_alone() -> None:
    [four], [six] = parse("send:0.0.0.0/0:80"), parse("send:[::/0]:80")
    assert four.opens("any", ip_address("10.1.2.3"))
    assert not four.opens("any", ip_address("fd00::1"))
    assert six.opens("any", ip_address("fd00::1"))
    assert not six.opens("any", ip_address("10.1.2.3"))
