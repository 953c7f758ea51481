"""Reading a file within bounds of time, memory and output, whatever is in it: each in a child of its own.

This process keeps one server (server.py) that forks the children. A child that is killed harms nobody else; a server
that is gone is started anew with the next file; both end when this process does.
"""

from __future__ import annotations

import atexit
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from shared.errors import Transient
from shared.knowledge.extract.base import BYTES_MAX, Parsed, Unreadable
from shared.knowledge.extract.formats import FORMATS
from shared.model import NewChunk

MEMORY_BYTES = 768 * 1024 * 1024
"""Address space of a child, the interpreter's own included."""
WALL_S = 120
GRACE_S = 15.0
"""Beyond WALL_S, when the kernel ends a child: then it is the server that does not answer."""
OUTPUT_BYTES = 64 * 1024 * 1024
OUT_OF_MEMORY = 3
"""How a child ends that was refused memory."""
PROJECT_ROOT = Path(__file__).resolve().parents[3]


class ReaderLost(Transient):
    """The child was ended from outside, or its server was: the file may be as good as any. killed: by SIGKILL, as the
    system does where memory runs out."""

    def __init__(self, message: str, *, killed: bool = False) -> None:
        super().__init__(message)
        self.killed = killed


def read_document(kind: str, raw: bytes, *, title: str | None, name: str, charset: str | None = None) -> Parsed:
    """A file of one of FORMATS as a document. title: wins over the file's own; name: its title where neither is known.
    Raises Unreadable, whose message a person can act on, and ReaderLost. Call outside a transaction."""
    if len(raw) > BYTES_MAX:
        raise Unreadable(f"more than {BYTES_MAX // 1024 // 1024} MB: divide the document")
    request = {"task": "document", "kind": kind, "title": title, "name": name, "charset": charset}
    return unpacked(*run(request, raw, cpu_s=FORMATS[kind].cpu_s))


def unpacked(told: dict[str, Any], text: str) -> Parsed:
    """The document that work.packed() made into an answer."""
    titles = told["titles"]
    chunks = tuple(
        NewChunk(titles[number], text[start : start + length], start, tuple(speakers[0]) if speakers else ())
        for number, start, length, *speakers in told["chunks"]
    )
    return Parsed(told["title"], text, chunks, told["kind"], told["times"])


def run(request: dict[str, Any], raw: bytes, *, cpu_s: int) -> tuple[dict[str, Any], str]:
    """What the child answered. Raises Unreadable, ReaderLost."""
    wall_s = WALL_S
    limits = {"cpu_s": cpu_s, "wall_s": wall_s, "memory_bytes": MEMORY_BYTES}
    written = json.dumps({**request, **limits}).encode() + b"\n"
    answer, status = _server.do(written, raw, within_s=wall_s + GRACE_S)
    _judge(status, cpu_s, wall_s)
    head, _, text = answer.partition(b"\n")
    told = json.loads(head)
    if "refused" in told:
        raise Unreadable(told["refused"])
    return told, text.decode()


def _judge(status: int, cpu_s: int, wall_s: int) -> None:
    """Raise what a child's end means; nothing where it ended well."""
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return
    if code == OUT_OF_MEMORY:
        raise Unreadable(f"reading it takes more than {MEMORY_BYTES // 1024 // 1024} MB of memory: divide the document")
    if code in (-signal.SIGXCPU, -signal.SIGALRM):
        raise Unreadable(f"reading it takes longer than {cpu_s} s of a core or {wall_s} s in all: divide the document")
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP):
        raise ReaderLost("the process that read it was ended from outside", killed=code == -signal.SIGKILL)
    raise Unreadable(f"its reader crashed over it ({code}): save it in another format")


class _Server:
    """The process that forks, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._of = 0  # the process that started it: a fork of that one starts its own

    def do(self, header: bytes, raw: bytes, *, within_s: float) -> tuple[bytes, int]:
        """(answer, wait status of the child). Raises ReaderLost, Unreadable for an answer that is too long."""
        until = time.monotonic() + within_s
        ours, theirs = socket.socketpair()
        status, theirs_status = os.pipe()
        with ours, open(status, "rb", buffering=0) as told:
            with theirs, open(theirs_status, "wb", buffering=0) as pipe:
                self._hand_over(theirs.fileno(), pipe.fileno())
            try:
                answer = _exchange(ours, header, raw, until)
                return answer, _status(told.fileno(), until)
            except TimeoutError:
                self.stop()
                raise ReaderLost(f"the process that reads files did not answer within {within_s:.0f} s") from None

    def _hand_over(self, task: int, status: int) -> None:
        with self._lock:
            for attempt in (1, 2):
                control = self._started()
                try:
                    socket.send_fds(control, [b"."], [task, status])
                    return
                except OSError as e:
                    self._end()  # it was killed; the next one is not
                    if attempt == 2:
                        raise ReaderLost(f"the process that reads files does not run ({type(e).__name__})") from e

    def _started(self) -> socket.socket:
        if self._of != os.getpid():
            self._process = self._control = None  # the parent's, if any
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                # Without our environment: it holds secrets, and files are somebody else's.
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "shared.knowledge.extract.server"],
                    stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=PROJECT_ROOT,
                    env={"PYTHONPATH": str(PROJECT_ROOT), "PYTHONIOENCODING": "utf-8"}, start_new_session=True,
                )  # fmt: skip
            self._control, self._of = ours, os.getpid()
        return self._control

    def _end(self) -> None:
        process, control = self._process, self._control
        self._process = self._control = None
        if control is not None:
            control.close()
        if process is not None and self._of == os.getpid():
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End it, and with it whatever is being read."""
        with self._lock:
            self._end()


def _exchange(ours: socket.socket, header: bytes, raw: bytes, until: float) -> bytes:
    answer = bytearray()
    try:
        ours.settimeout(max(0.01, until - time.monotonic()))
        ours.sendall(header)
        ours.sendall(raw)
        ours.shutdown(socket.SHUT_WR)
        while piece := ours.recv(1 << 20):
            answer += piece
            if len(answer) > OUTPUT_BYTES:
                raise Unreadable(f"more than {OUTPUT_BYTES // 1024 // 1024} MB of text: divide the document")
            ours.settimeout(max(0.01, until - time.monotonic()))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the child ended; its status says why
    return bytes(answer)


def _status(pipe: int, until: float) -> int:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        if not selector.select(max(0.01, until - time.monotonic())):
            raise TimeoutError
    told = os.read(pipe, 32)
    if not told:
        raise ReaderLost("the process that reads files ended")
    return int(told)


_server = _Server()
atexit.register(_server.stop)
