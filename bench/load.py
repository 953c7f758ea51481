"""A load generator that costs little: one thread, epoll, prepared bytes; it counts and times complete answers."""

from __future__ import annotations

import selectors
import socket
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Measured:
    """requests answered 200, others, seconds, and each answer's latency in seconds."""

    ok: int = 0
    other: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    @property
    def per_s(self) -> float:
        return self.ok / self.seconds if self.seconds else 0.0

    def percentile_ms(self, share: float) -> float:
        """share: 0.99 for the slowest hundredth."""
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 if ordered else float("nan")


def request_bytes(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: bench", f"content-length: {len(body)}", "content-type: application/json"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    buffer: bytes = b""
    sent_at_s: float = 0.0


def run(port: int, request: bytes, *, connections: int, seconds: float, per_s: float | None = None) -> Measured:
    """Send `request` over keep-alive connections for so long.

    per_s: an open rate, requests sent on a timetable whatever the answers do (latency counts from the time that was
    due); None: as fast as answers come. Raises OSError when nobody listens.
    """
    selector = selectors.DefaultSelector()
    idle: list[_Connection] = []
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port), timeout=5)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(sock)
        selector.register(sock, selectors.EVENT_READ, connection)
        idle.append(connection)
    measured = Measured()
    began_s = time.perf_counter()
    ends_s, due_s = began_s + seconds, began_s
    busy = 0
    while True:
        now_s = time.perf_counter()
        while idle and now_s < ends_s and (per_s is None or due_s <= now_s):
            connection = idle.pop()
            connection.sent_at_s = due_s if per_s is not None else now_s
            connection.sock.sendall(request)
            busy += 1
            if per_s is not None:
                due_s += 1.0 / per_s
        if now_s >= ends_s and (not busy or now_s > ends_s + 5):
            break
        wait_s = 0.1 if per_s is None or not idle else max(0.0, min(0.1, due_s - now_s))
        for key, _ in selector.select(wait_s):
            if _answered(key.data, measured):
                busy -= 1
                idle.append(key.data)
    measured.seconds = min(time.perf_counter(), ends_s + 5) - began_s
    for key in list(selector.get_map().values()):
        key.data.sock.close()
    selector.close()
    return measured


def _answered(connection: _Connection, measured: Measured) -> bool:
    """Read what has come; whether the answer is whole (these answers carry a content-length or are chunked)."""
    connection.buffer += connection.sock.recv(65536)
    head, separator, rest = connection.buffer.partition(b"\r\n\r\n")
    if not separator:
        return False
    lowered = head.lower()
    if b"content-length:" in lowered:
        length = int(lowered.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return False
    elif not rest.endswith(b"0\r\n\r\n"):
        return False
    connection.buffer = b""
    if head[9:12] == b"200":
        measured.ok += 1
    else:
        measured.other += 1
    measured.latencies_s.append(time.perf_counter() - connection.sent_at_s)
    return True
