"""Which network addresses belong to the public network."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest

from shared.resilience.addresses import FORBIDDEN_IPV4, FORBIDDEN_IPV6, is_public, is_written_as_number, parsed


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.1", "192.0.2.1"), ("2600::1", "2600::1"), ("::ffff:10.1.2.3", "10.1.2.3"),
        ("64:ff9b::a01:203", "10.1.2.3"), ("::fffe:10.1.2.3", "::fffe:a01:203"),
        ("64:ff9b:1::a01:203", "64:ff9b:1::a01:203"),
    ],
)  # fmt: skip
def test_an_address_is_read_and_an_ipv4_address_inside_an_ipv6_one_is_what_it_is(written: str, address: str) -> None:
    assert parsed(written) == ip_address(address)


@pytest.mark.parametrize("text", ["", "shop.example", "127.1", "0x7f000001", "fe80::1%eth0", "10.0.0.256", " 10.0.0.1"])
def test_what_is_no_address_in_its_usual_form_is_none(text: str) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize("network", [*FORBIDDEN_IPV4, *FORBIDDEN_IPV6], ids=str)
def test_a_block_that_is_nobodys_web_server_is_refused_from_its_first_address_to_its_last(network: object) -> None:
    assert not is_public(network[0])  # type: ignore[index]
    assert not is_public(network[-1])  # type: ignore[index]


@pytest.mark.parametrize(
    "address",
    ["1.0.0.1", "9.255.255.255", "11.0.0.0", "100.128.0.0", "168.63.129.17", "172.32.0.0", "223.255.255.255",
     "2000::1", "2001:200::1", "2600::1", "3ffe::1", "2600::5efd:a01:203", "2600::5efe:0"],
)  # fmt: skip
def test_what_lies_beside_those_blocks_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", ["::1", "fe80::1", "fd00:ec2::254", "ff02::1", "4000::1", "::10.1.2.3"])
def test_nothing_outside_what_is_given_out_of_ipv6_is_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["2600::5efe:a01:203", "2600::200:5efe:a01:203"])
def test_an_address_that_an_isatap_router_would_follow_to_an_ipv4_address_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


def test_an_ipv4_address_is_judged_by_ipv4_s_blocks() -> None:
    assert not is_public(IPv4Address("10.1.2.3"))
    assert is_public(IPv4Address("8.8.8.8"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "127.0.0.0x1", "0x", "0x0123456789abcdef", "1.2.3.4.", "a.0XaF"]
)
def test_a_host_whose_last_label_is_a_number_is_written_as_one(host: str) -> None:
    assert is_written_as_number(host)


@pytest.mark.parametrize(
    "host", ["shop.example", "1.example", "0xg", "0xfg", "4.2X", "x0f", "4.2.b1", "", "127.0.0.1.example."]
)
def test_a_name_is_none(host: str) -> None:
    assert not is_written_as_number(host)
