"""The process that starts a child for each file: readers and chunker are loaded once, a fork costs milliseconds.

Standard input is a stream socket. Each byte on it brings two descriptors: the socket of one piece of work, and a pipe
on which this process writes the wait status of the child that did it. At the end of the stream all children are killed
and this process ends. It reads no file itself and has no thread, so nothing that is in a file can harm it.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

from shared.knowledge.extract import work
from shared.knowledge.extract.sandbox import OUT_OF_MEMORY

REQUEST_S = 30
"""Within so long a child has its request, or ends."""
FILES_MAX = 64


def main() -> None:
    control = socket.socket(fileno=0)
    wakes, wake = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    gc.collect()
    gc.freeze()  # children do not copy what is never freed
    serve(control, wakes)


def serve(control: socket.socket, wakes: int) -> None:
    children: dict[int, int] = {}  # pid → the pipe for its status
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wakes, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if wakes in ready:
                os.read(wakes, 4096)
                _tell(children)
            if control.fileno() in ready and not _begin(control, children):
                break
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def _begin(control: socket.socket, children: dict[int, int]) -> bool:
    """Fork a child for the next piece of work; False when no more will come."""
    told, received, _, _ = socket.recv_fds(control, 1, 2)
    if not told:
        return False
    if len(received) == 2:
        task, status = received
        try:
            pid = os.fork()
        except OSError:
            pass  # the other side sees that both are closed without a word
        else:
            if pid == 0:
                _child(task)
            children[pid] = os.dup(status)
            if work.loads_more():
                work.load_more()
    for descriptor in received:
        os.close(descriptor)
    return True


def _tell(children: dict[int, int]) -> None:
    """Say how the children ended that did."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        pipe = children.pop(pid)
        try:
            os.write(pipe, str(status).encode())
        except OSError:
            pass  # nobody waits for it any more
        os.close(pipe)


def _child(task: int) -> None:
    """Do one piece of work and end; never returns."""
    code = 1
    try:
        # before anything else: the kernel ends this process on time, whatever it is at
        for name in (signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM, signal.SIGXCPU):
            signal.signal(name, signal.SIG_DFL)
        signal.alarm(REQUEST_S)
        signal.set_wakeup_fd(-1)
        os.dup2(task, 0)
        os.closerange(3, max(256, task + 64))  # the others' sockets and pipes
        with socket.socket(fileno=0) as mine:
            header, raw = _received(mine)
            _limit(header)
            try:
                mine.sendall(work.done(header, raw))
                code = 0
            except MemoryError:
                code = OUT_OF_MEMORY
    except MemoryError:
        code = OUT_OF_MEMORY
    except BaseException:  # noqa: BLE001  a child has nobody to tell but by its code
        traceback.print_exc(file=sys.stderr)
    finally:
        os._exit(code)


def _received(mine: socket.socket) -> tuple[dict[str, Any], bytes]:
    """A line of JSON and the bytes behind it, to the end of the stream."""
    found = bytearray()
    while piece := mine.recv(1 << 20):
        found += piece
    head, _, raw = bytes(found).partition(b"\n")
    return json.loads(head), raw


def _limit(header: dict[str, Any]) -> None:
    """From here on the kernel holds this process to its limits."""
    signal.alarm(header["wall_s"])
    cpu_s, memory = header["cpu_s"], header["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_MAX, FILES_MAX))
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    except (ValueError, OSError):
        pass  # macOS has no such limit; what readers count while they build bounds it there
    try:
        with open("/proc/self/oom_score_adj", "w") as chosen_first:
            chosen_first.write("1000")  # where memory runs out all the same, this process goes and no other
    except OSError:
        pass  # not Linux, or /proc is hidden or read-only: the limits above still hold this process


if __name__ == "__main__":
    main()
