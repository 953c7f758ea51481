"""Customers by the thousand, on several platforms, each of whom writes now and then: one thread, epoll, signed bodies.

Locust does the same with a greenlet a customer; docs/performance.md says what that costs beside this.
"""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.load import request_bytes
from workers.sandbox import places
from workers.sandbox.bots import Bot
from workers.sandbox.traffic import QUESTIONS, Customer

CONNECTIONS = 32
LATE_S = 5.0
"""How long after the end answers of the gateway are still waited for."""


@dataclass(slots=True)
class Posted:
    """One message. due_s, answered_s: on time.perf_counter(); accepted_at: seconds since the epoch, None if refused."""

    customer: Customer
    due_s: float
    answered_s: float = 0.0
    accepted_at: float | None = None
    status: int = 0


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    request: bytes = b""
    buffer: bytes = b""
    posted: Posted | None = None


@dataclass
class Crowd:
    """customers of bots (one entry of bots is one share of them), each writing every think_s on average, the pauses
    drawn from an exponential distribution, so that all together write at customers / think_s a second."""

    bots: Sequence[Bot]
    customers: int
    think_s: float
    first_number: int
    rng: random.Random = field(default_factory=lambda: random.Random(5))
    people: list[Customer] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)

    def __post_init__(self) -> None:
        for place in range(self.customers):
            bot = self.bots[place % len(self.bots)]
            chat = places.KINDS[bot.platform].chat(self.first_number + place)
            self.people.append(Customer(bot, chat))

    def run(self, port: int, seconds: float) -> None:
        """Post on the customers' timetable, whatever the answers do; latency counts from the time that was due."""
        selector = selectors.DefaultSelector()
        idle = [_connect(selector, port) for _ in range(CONNECTIONS)]
        began_s = time.perf_counter()
        ends_s, busy, number = began_s + seconds, 0, self.first_number * 10
        # exponential pauses forget: a customer's first message of this window is as far off as any other
        due = [(began_s + self.rng.expovariate(1 / self.think_s), place) for place in range(self.customers)]
        heapq.heapify(due)
        while True:
            now_s = time.perf_counter()
            while idle and due[0][0] <= min(now_s, ends_s):
                due_s, place = due[0]
                heapq.heapreplace(due, (due_s + self.rng.expovariate(1 / self.think_s), place))
                number += 1
                self._post(idle.pop(), self.people[place], number, due_s)
                busy += 1
            if now_s >= ends_s and (not busy or now_s > ends_s + LATE_S):
                break
            for key, _ in selector.select(max(0.0, min(0.05, due[0][0] - now_s)) if idle else 0.05):
                if self._heard(selector, port, key.data):
                    idle.append(key.data)
                    busy -= 1
        for key in list(selector.get_map().values()):
            key.data.sock.close()
        selector.close()

    def _post(self, connection: _Connection, customer: Customer, number: int, due_s: float) -> None:
        webhook = places.webhook(customer.bot, customer.chat, number, QUESTIONS[number % len(QUESTIONS)])
        connection.posted = Posted(customer, due_s)
        self.posted.append(connection.posted)
        connection.request = request_bytes(webhook.path, webhook.raw, webhook.headers)
        connection.sock.sendall(connection.request)

    def _heard(self, selector: selectors.BaseSelector, port: int, connection: _Connection) -> bool:
        """Whether the answer is whole. A connection that the gateway has closed, being idle, is opened again."""
        try:
            read = connection.sock.recv(65536)
        except ConnectionError:
            read = b""
        if read:
            connection.buffer += read
            return self._answered(connection)
        selector.unregister(connection.sock)
        connection.sock.close()
        connection.sock, connection.buffer = _open(port), b""
        selector.register(connection.sock, selectors.EVENT_READ, connection)
        if connection.posted is not None:  # it was closed as we wrote: as every client does, once more
            connection.sock.sendall(connection.request)
        return False

    def _answered(self, connection: _Connection) -> bool:
        head, separator, rest = connection.buffer.partition(b"\r\n\r\n")
        _, said, length = head.lower().partition(b"content-length:")
        if not separator or (len(rest) < int(length.split(b"\r\n", 1)[0]) if said else not rest.endswith(b"0\r\n\r\n")):
            return False
        posted, connection.posted, connection.buffer = connection.posted, None, b""
        if head[9:12] == b"408":  # to nobody: it was idle for too long, and its end comes next
            connection.posted = posted
            return False
        if posted is None:
            raise AssertionError(f"an answer that nobody waits for: {head + rest!r}")
        posted.status, posted.answered_s = int(head[9:12]), time.perf_counter()
        if posted.status == 200:
            posted.accepted_at = posted.customer.accepted_at = time.time()
            posted.customer.messages += 1
        return True

    @property
    def accepted(self) -> int:
        return sum(posted.accepted_at is not None for posted in self.posted)

    def refused(self) -> Counter[int]:
        """Status (0: none) → how many were not accepted."""
        return Counter(posted.status for posted in self.posted if posted.accepted_at is None)


def _connect(selector: selectors.BaseSelector, port: int) -> _Connection:
    connection = _Connection(_open(port))
    selector.register(connection.sock, selectors.EVENT_READ, connection)
    return connection


def _open(port: int) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
