"""A replica that falls behind and takes over: what was accepted and not replicated goes with the old server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis

from shared.embedded import DataFolder, Valkey
from shared.embedded.ports import choose_port
from shared.store.db.redis import connect
from workers.drill.outages import client_of, intake_stands_still
from workers.drill.stage import Fault, Stage

LAG_S = 2
"""min-replicas-max-lag: a replica tells how far it is once a second."""
IN_SYNC_WITHIN_S = 30.0


class Line:
    """A TCP line to a port of this machine that can go dead without either end noticing, as a network does it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._dead = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="line", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return  # closed, or nobody is there any more
            self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, target), name="line", daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while read := source.recv(65536):
                if self._dead.is_set():
                    return
                target.sendall(read)
        except OSError:
            return  # an end of the line was closed

    def cut(self) -> None:
        """Cut the connection: nothing arrives from now on, and both ends stay open."""
        self._dead.set()

    def close(self) -> None:
        for one in (self._listener, *self._sockets):
            one.close()


@contextmanager
def _replica(stage: Stage) -> Iterator[tuple[Line, Valkey]]:
    """A replica of the copy's Redis, in step with it, over a line that can be cut."""
    primary = stage.system.valkey
    assert primary.port is not None
    line = Line(primary.port)
    path = stage.system.folder / "replica"
    shutil.rmtree(path, ignore_errors=True)
    with client_of(stage) as client:
        password = client.connection_pool.connection_kwargs["password"]
        client.config_set("repl-diskless-sync-delay", "0")
    options = {"replicaof": f"127.0.0.1 {line.port}", "masterauth": str(password)}
    try:
        with DataFolder(path) as folder, Valkey(folder, port=choose_port(None), extra=options) as replica:
            replicated = connect(replica.redis_url, socket_timeout_s=5.0)
            stage.wait(lambda: _in_step(replicated), "the replica is in step", IN_SYNC_WITHIN_S)
            replicated.close()
            yield line, replica
    finally:
        line.close()


def _in_step(client: Redis) -> bool:
    replication, persistence = client.info("replication"), client.info("persistence")
    return bool(replication["master_link_status"] == "up" and not persistence["aof_rewrite_in_progress"])


def _take_over(stage: Stage, replica: Valkey) -> None:
    """The old server is gone with its disk; at its address stands what the replica has."""
    primary = stage.system.valkey
    primary.kill()
    replica.stop()
    ours, theirs = (stage.system.folder / place / "appendonlydir" for place in ("valkey", "replica/valkey"))
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)
    primary.start()


def _unguarded(stage: Stage) -> None:
    with _replica(stage) as (line, replica), intake_stands_still(stage):
        line.cut()
        stage.struck()
        stage.more_accepted(5)
        _take_over(stage, replica)
    stage.note = "what was accepted after the line was cut, five messages or more, was to be lost"


def _refused_in_time(stage: Stage) -> None:
    with _replica(stage) as (line, replica), intake_stands_still(stage):
        with client_of(stage) as client:
            client.config_set("min-replicas-max-lag", str(LAG_S))
            client.config_set("min-replicas-to-write", "1")
        stage.more_accepted(3)
        _cut_until_refused(stage, line)
        _take_over(stage, replica)  # whose settings are its file's: it may write alone
    stage.note = f"writes were refused once the replica was {LAG_S} s behind; what came before that was to be lost"


def _waited_for(stage: Stage) -> None:
    with _replica(stage) as (line, replica), intake_stands_still(stage), _gateway_with(stage, "1"):
        stage.more_accepted(3)
        _cut_until_refused(stage, line)
        _take_over(stage, replica)
    stage.note = "each 200 followed the replica's word; after the cut there was none"


def _cut_until_refused(stage: Stage, line: Line) -> None:
    line.cut()
    stage.struck()
    before = stage.traffic.refused()
    stage.wait(lambda: stage.traffic.refused() > before, "a webhook is refused")
    stage.hold(0.5, 3.0)


@contextmanager
def _gateway_with(stage: Stage, replicas: str) -> Iterator[None]:
    """The gateway waits for so many replicas meanwhile; it is started again for it."""
    gateway = stage.system.child("gateway")
    before = gateway.environment
    gateway.environment = {**before, "JOURNAL_WAIT_REPLICAS": replicas}
    _restart(stage, "gateway")
    try:
        yield
    finally:
        gateway.environment = before  # one server is left, and nobody to wait for
        _restart(stage, "gateway")


def _restart(stage: Stage, name: str) -> None:
    child = stage.system.child(name)
    before, pid = child.restarts, child.process.pid
    assert pid is not None
    os.kill(pid, signal.SIGTERM)
    stage.wait(lambda: child.restarts > before and child.process.alive and child.ready(), f"{name} is started again")


def _fault(name: str, what: str, play: Callable[[Stage], None], *, stated: bool, short: bool = False) -> Fault:
    return Fault(
        f"redis failover{name}", f"a replica that is behind takes over{what}", play, stated=stated, short=short
    )


FAULTS = (
    _fault("", "", _unguarded, stated=True),
    _fault(", min-replicas", ", with min-replicas-to-write 1", _refused_in_time, stated=True),
    _fault(", waited for", ", with JOURNAL_WAIT_REPLICAS=1", _waited_for, stated=False),
)
