"""Which network addresses belong to the public network.

An own list, because `ipaddress.is_global` answers differently from one version of Python to the next. It was made from
IANA's registries of special-purpose addresses (https://www.iana.org/assignments/iana-ipv4-special-registry,
https://www.iana.org/assignments/iana-ipv6-special-registry, as of 2025). Every block of theirs is refused, also the few
that are called globally reachable, because they are the network's own services and nobody's web server.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address

FORBIDDEN_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this host; Linux connects 0.0.0.0 to itself
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carriers' NAT; Alibaba's metadata at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata and wire server, inside a public block
        "169.254.0.0/16",  # link-local; the metadata of most clouds at 169.254.169.254
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # IETF protocol assignments; Oracle's metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # automatic multicast tunneling
        "192.88.99.0/24",  # relays of 6to4, retired
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and the broadcast address
    )
)
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""The only part of IPv6 that is given out. Outside lie loopback, unique local (fc00::/7, with metadata at fd00:ec2::254
and fd20:ce::254), link-local, site-local (fec0::/10), multicast, and the blocks that stand for IPv4 addresses."""
FORBIDDEN_IPV6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarks, ORCHID, AMT, AS112, DRIP …
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, retired: stands for any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
"""How a network that has IPv6 alone reaches IPv4 (DNS64 makes such addresses for every name)."""
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def parsed(address: str) -> Address | None:
    """The address that a text writes in its usual form; an IPv4 address inside an IPv6 one is what it is. None for
    everything else, also for an address with a zone (`fe80::1%eth0`), which is always one of a local link."""
    if "%" in address:
        return None
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and (found in _MAPPED or found in _NAT64):
        return IPv4Address(int(found) & 0xFFFF_FFFF)
    return found


def is_public(address: Address) -> bool:
    """Return whether an address belongs to the public network, where somebody may run a server.

    IPv6 addresses that stand for an IPv4 address are refused, whichever that is (6to4, Teredo, IPv4-compatible,
    IPv4-translated, the local NAT64 prefix 64:ff9b:1::/48), but for the two that `parsed` resolves.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in FORBIDDEN_IPV4)
    if address not in GLOBAL_UNICAST or any(address in network for network in FORBIDDEN_IPV6):
        return False
    # Whoever has an ISATAP router would be led to the IPv4 address in the last 32 bits.
    return (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP


def is_written_as_number(host: str) -> bool:
    """Return whether a resolver may read this as an IPv4 address: its last label is a number, decimal, octal or hex."""
    last = host.rstrip(".").rpartition(".")[2].lower()
    return last.isdigit() or (last.startswith("0x") and set(last[2:]) <= set("0123456789abcdef"))


def is_local(host: str) -> bool:
    """Return whether a host is one of our own by its name: a loopback or private address, or a name of one label."""
    host = host.rstrip(".").lower()
    address = parsed(host)
    if address is not None:
        return not is_public(address)
    return not is_written_as_number(host) and ("." not in host or host.endswith(".localhost"))


UNKNOWN = "unknown"
"""Of what is no address."""


def normal_address(said: str) -> str:
    """Return one name for all addresses that count as one."""
    try:
        address = ip_address(said)
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))  # one household has that many addresses
    return str(address)
