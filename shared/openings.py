"""EGRESS_ALLOW: what requests to addresses from others may reach beside the web's ports of the public network.

Each entry names a purpose, a host and a port, `send:10.1.2.3:8500`; several are divided by commas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Literal, get_args

Purpose = Literal["send", "media", "site", "model"]
"""send: posting answers to a company's own program. media: fetching customers' attachments. site: reading the websites
that companies name. model: asking the models of providers that companies added."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
PUBLIC = "public"
"""As a host: every public address, for a port that is not the web's."""
EXAMPLE = "send:10.1.2.3:8500 or media:10.0.0.0/8:443"

_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62}\.)*[a-z0-9_-]{0,62}[a-z0-9]")
_ENTRY = re.compile(r"(?P<purpose>[a-z]+):(?P<host>\[[^\]]*\]|[^:\[\]]+):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Opening:
    """One entry. host: a network, the name of a host as addresses must write it, or PUBLIC."""

    purpose: Purpose
    host: IPv4Network | IPv6Network | str
    port: int

    def opens(self, name: str, address: IPv4Address | IPv6Address) -> bool:
        """Whether it holds for this host. name: as the address wrote it, in lower case; address: what it stands for."""
        if isinstance(self.host, str):
            return self.host == name
        return self.host.version == address.version and address in self.host


def parse(text: str) -> tuple[Opening, ...]:
    """Read EGRESS_ALLOW. Raises ValueError, which names the entry and how to write it."""
    return tuple(_parsed(entry) for entry in map(str.strip, text.split(",")) if entry)


def _parsed(entry: str) -> Opening:
    _refuse_old_form(entry)
    found = _ENTRY.fullmatch(entry.lower())
    if found is None:
        raise ValueError(f"{entry!r} should be purpose:host:port, such as {EXAMPLE}")
    purpose = next((one for one in PURPOSES if one == found["purpose"]), None)
    if purpose is None:
        raise ValueError(f"{entry!r} begins with none of {', '.join(PURPOSES)}: write it as {EXAMPLE}")
    port = int(found["port"])
    if not 0 < port < 65_536:
        raise ValueError(f"{entry!r} names port {port}: ports are 1 to 65535")
    return Opening(purpose, _host(entry, found["host"]), port)


def _refuse_old_form(entry: str) -> None:
    """Up to version 0.1 an entry was a network alone, which opened every port of it for every purpose."""
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        return
    host = f"[{entry}]" if network.version == 6 else entry
    raise ValueError(
        f"{entry!r} names a network alone; say for which purpose ({', '.join(PURPOSES)}) and which port it is open: "
        f"send:{host}:443"
    )


def _host(entry: str, host: str) -> IPv4Network | IPv6Network | str:
    if host.startswith("["):
        try:
            return IPv6Network(host[1:-1], strict=False)
        except ValueError:
            raise ValueError(f"{entry!r}: {host} is no IPv6 address or network") from None
    if host[0].isdigit() and set(host) <= set("0123456789./"):
        try:
            return IPv4Network(host, strict=False)
        except ValueError:
            raise ValueError(f"{entry!r}: {host} is no IPv4 address or network") from None
    if not _HOST_NAME.fullmatch(host):
        raise ValueError(f"{entry!r}: {host} is no address, network or host name")
    return host
