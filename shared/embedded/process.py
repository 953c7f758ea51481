"""Runs one server program as a child process: starts, watches and stops it, and never leaves it behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from shared.errors import Permanent

POLL_S = 0.02
LOG_LINES_SHOWN = 15
# A server must not see the variables that its user set for clients (PGPORT, PGOPTIONS …).
SERVER_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "TZ": "UTC"}
# Waits for the end of its standard input, which its parent's death brings about, then stops the server. With a third
# argument it also ends the server's whole group after so many seconds: a worker that is asked to finish in order waits
# for what its threads are at, and that may be a file that takes minutes to read.
GUARD = """
read -r word
[ "$word" = done ] && exit
kill -s "$1" "$2"
[ -n "$3" ] || exit
waited=0
while [ "$waited" -lt "$3" ] && kill -0 "$2"; do
    sleep 1
    waited=$((waited + 1))
done
kill -s KILL -- "-$2"
"""


class ServiceFailed(Permanent):
    """An embedded server did not start or died at once; the message ends with the last lines of its log."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__("embedded_service", f"{message}\n{log}" if log else message)
        self.log = log


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a program runs as instead of ours."""

    uid: int
    gid: int


class ServerProcess:
    """A server in a session of its own, so that a terminal's Ctrl-C reaches the workers and not their database.

    gently: the signal that makes it finish in order. A guard process sends it when we die without a goodbye.
    forced_after_s: from then until the guard kills it and its children; None: it is left to finish.
    """

    def __init__(self, name: str, log: Path, gently: signal.Signals, *, forced_after_s: float | None = None) -> None:
        self.name = name
        self._log = log
        self._gently = gently
        self._forced_after = "" if forced_after_s is None else str(ceil(forced_after_s))
        self._log_from = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Return the exit code; None while it runs."""
        return self._process.poll() if self._process else None

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        account: Account | None = None,
        environment: Mapping[str, str] = SERVER_ENVIRONMENT,
    ) -> None:
        with open(os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            self._log_from = log.tell()
            self._process = spawn(argv, cwd=cwd, account=account, output=log.fileno(), environment=environment)
        self._guard = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                GUARD,
                "guard",
                self._gently.name.removeprefix("SIG"),
                str(self._process.pid),
                self._forced_after,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=SERVER_ENVIRONMENT,
        )

    def wait_ready(self, answers: Callable[[], bool], deadline_s: float) -> None:
        """Wait until `answers()` is true. Raises ServiceFailed if the process ends before that, or after deadline_s."""
        ends_at = time.monotonic() + deadline_s
        while not answers():
            if not self.alive:
                code = self._process.returncode if self._process else None
                self._dismiss_guard()
                raise ServiceFailed(f"{self.name} ended while starting (exit code {code})", self.log_tail())
            if time.monotonic() > ends_at:
                log = self.log_tail()
                self.kill()
                raise ServiceFailed(f"{self.name} was not ready within {deadline_s:.0f} s", log)
            time.sleep(POLL_S)

    def stop(self, within_s: float) -> None:
        """Stop the process, by SIGKILL after within_s. Does nothing if it does not run."""
        if self.alive and self._process is not None:
            self._process.send_signal(self._gently)
            try:
                self._process.wait(within_s)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as a fault does it."""
        if self.alive and self._process is not None:
            self._process.kill()
        self._reap()

    def log_tail(self) -> str:
        """Return the last lines that this start wrote to the log."""
        with open(self._log, "rb") as log:
            log.seek(self._log_from)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-LOG_LINES_SHOWN:])

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        # Only after the server was reaped: until then its process id cannot belong to anybody else.
        if self._guard is not None:
            try:
                self._guard.communicate(b"done\n")
            except BrokenPipeError:
                self._guard.wait()  # somebody ended the guard; the server is gone, so it has no work left
            self._guard = None


def spawn(
    argv: Sequence[str],
    *,
    cwd: Path,
    account: Account | None,
    output: int = subprocess.DEVNULL,
    environment: Mapping[str, str] = SERVER_ENVIRONMENT,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session, without our groups if it runs as another account."""
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # SIGXFSZ stays ignored, as in Python: to a server a file that may not grow is an error and not its end
            restore_signals=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
        )
    except PermissionError as e:
        raise ServiceFailed(f"{argv[0]} may not be run: {e}") from e


def run_to_end(
    process: ServerProcess,
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    within_s: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Run a program to its end; it does not outlive us. meanwhile: called again and again; raising ends the program.

    Raises ServiceFailed with the last lines of its log when it fails or takes longer.
    """
    ends_at = time.monotonic() + within_s
    process.start(argv, cwd=cwd, environment=environment)
    try:
        while process.alive:
            if time.monotonic() > ends_at:
                raise ServiceFailed(f"{process.name} had not ended after {within_s:.0f} s")
            meanwhile()
            time.sleep(POLL_S)
    finally:
        process.kill()
    if process.exit_code != 0:
        raise ServiceFailed(f"{process.name} failed (exit code {process.exit_code})", process.log_tail())


def stop_leftover(pid_file: Path, belongs: str, gently: signal.Signals, within_s: float) -> None:
    """Stop the server that a killed owner of this folder left running, if there is one.

    belongs: text that its command line holds; a process id alone may long be somebody else's.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return  # it ended in order, or died while writing the file
    for step in (gently, signal.SIGKILL):
        if belongs not in command_line(pid):
            return
        try:
            os.kill(pid, step)
        except ProcessLookupError:
            return
        ends_at = time.monotonic() + within_s
        while belongs in command_line(pid) and time.monotonic() < ends_at:
            time.sleep(POLL_S)
    if belongs in command_line(pid):
        raise ServiceFailed(f"process {pid} still works on {pid_file.parent} and does not end")


def command_line(pid: int) -> str:
    """Return the command line of a process; an empty string if there is none."""
    proc = Path("/proc")
    if (proc / "self" / "cmdline").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""  # it has ended, perhaps while we looked
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout
