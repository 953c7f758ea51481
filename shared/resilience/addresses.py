"""Which network addresses a request that somebody else asked for may go to."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


def permitted(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether an address is a public one, or in a network that the operator allows.

    Private, loopback, link-local (where clouds keep their metadata), multicast, reserved and documentation addresses
    are not, nor is an IPv6 address that stands for such an IPv4 address. Nonsense is not.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    meant = _meant(parsed)
    if any(one.version == network.version and one in network for one in {parsed, meant} for network in allowed):
        return True
    return meant.is_global and not meant.is_multicast and not meant.is_reserved


def _meant(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one, where there is one."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64 or address in _IPV4_COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
