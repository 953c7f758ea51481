"""Chooses the port that a server of this machine listens on: the one that was set, or else a free one."""

from __future__ import annotations

import errno
import random
import socket
from dataclasses import dataclass, field

from shared.errors import SettingsError

# Below the ephemeral range: while a server is down, a client that redials a port of that range can be given the
# same port as its own end, connects to itself and keeps the server from coming back.
FREE_PORTS = range(20_000, 32_000)
LOOPBACK = "127.0.0.1"


def choose_port(preferred: int | None, *, host: str = LOOPBACK, but: frozenset[int] = frozenset()) -> int:
    """Return the preferred port of a host if it is free, else another free one. but: ports not to choose.

    Raises SettingsError when none is free.
    """
    candidates = random.sample(FREE_PORTS, 50)
    for port in [preferred, *candidates] if preferred else candidates:
        if port not in but and problem_of(host, port) is None:
            return port
    raise SettingsError(f"no free port found between {FREE_PORTS.start} and {FREE_PORTS.stop}")


def problem_of(host: str, port: int) -> OSError | None:
    """Return why nobody can listen on this port of this host now; None if it is free."""
    try:
        for family, kind, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:  # as asyncio's servers listen, so that IPv4 is not asked about here
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as e:
        return e
    return None


def check_port(variable: str, port: int, host: str = LOOPBACK, *, host_variable: str = "") -> None:
    """Raises SettingsError that names the variable and what to change when nobody can listen on this port.

    variable: where the port was set. host_variable: where the host was set, if it can be.
    """
    problem = problem_of(host, port)
    if problem is not None:
        raise SettingsError(words_of(problem, variable, port, host, host_variable))


def words_of(problem: OSError, variable: str, port: int, host: str, host_variable: str = "") -> str:
    set_to = f"{variable}={port}"
    if isinstance(problem, socket.gaierror):
        return f"{host_variable or 'the host'}={host} is not a name or address that this machine knows"
    if problem.errno == errno.EADDRINUSE:
        return (
            f"{set_to} is taken: another program listens on port {port} of {host}. "
            f"Stop it, set {variable} to a free port, or leave it unset, and ./switchboard up chooses a free one"
        )
    if problem.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{set_to} may not be used: this user has no right to listen below port 1024. "
            f"Set {variable} to 1024 or more, and put a proxy in front that listens on {port}"
        )
    if problem.errno == errno.EADDRNOTAVAIL:
        return f"{host_variable or 'the host'}={host} is not an address of this machine"
    return f"{set_to} cannot be listened on at {host}: {problem.strerror}"


@dataclass(slots=True)
class Ports:
    """The ports of one system, so that none is given to two of its servers before they listen.

    kept: those that were chosen at an earlier start because the preferred one was taken, by whose they are; each is
    taken again where it is free. told: which are not the preferred ones and why, a line each.
    """

    kept: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    _taken: dict[int, str] = field(default_factory=dict)

    def reserve(self, variable: str, port: int, host: str = LOOPBACK, *, host_variable: str = "") -> None:
        """Keep a port that was asked for. Raises SettingsError when it is taken or another variable names it, too."""
        if port in self._taken:
            raise SettingsError(f"{self._taken[port]} and {variable} are both {port}: each needs a port of its own")
        check_port(variable, port, host, host_variable=host_variable)
        self._taken[port] = variable

    def choose(self, name: str, preferred: int, host: str = LOOPBACK) -> int:
        """The port of an earlier start, else the preferred one, or another one if that is taken. name: whose it will
        be."""
        earlier = self.kept.get(name)
        port = choose_port(earlier or preferred, host=host, but=frozenset(self._taken))
        if port != earlier and earlier is not None:  # another program has it by now: choose again
            port = choose_port(preferred, host=host, but=frozenset(self._taken))
        self._taken[port] = name
        self.kept.pop(name, None)
        if port != preferred:
            self.kept[name] = port
            since = "was taken at an earlier start" if port == earlier else "is taken by another program"
            self.told.append(f"{name}: port {preferred} {since}, so it is {port}, also at later starts")
        return port

    def prefer(self, name: str, preferred: int) -> int:
        """A port for a server that looks for itself whether it is free: the preferred one unless it is ours."""
        if preferred in self._taken:
            return self.choose(name, preferred)
        self._taken[preferred] = name
        return preferred
