"""`./switchboard …` inside the test's process."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from shared.settings import VARIABLES
from tests.factories import Bot, Inbox, update
from workers.commands.__main__ import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ended]
SENT = "words of a customer"


def command_line(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], environment: Mapping[str, str]
) -> Run:
    """Runs commands with these settings and no others."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*words: object, given: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["switchboard", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        capsysbinary.readouterr()
        try:
            main()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else int(e.code is not None)
        out, err = capsysbinary.readouterr()
        return Ended(code, out.decode(), err.decode())

    return run


def one_line(ended: Ended, *words: str, code: int = 2) -> None:
    """An error for people: one line that names what is wrong. code: 1 where nothing was done or found."""
    assert (ended.code, ended.out) == (code, ""), ended
    assert len(ended.err.splitlines()) == 1, ended.err
    assert ended.err.startswith("error: ")
    for word in words:
        assert word in ended.err


def nothing_done(ended: Ended, *words: str) -> None:
    one_line(ended, *words, code=1)


def misused(ended: Ended, *words: str) -> None:
    """A usage error: click's lines, exit code 2, nothing on standard output."""
    assert (ended.code, ended.out) == (2, ""), ended
    for word in words:
        assert word in ended.err, ended.err


def make_dead_letter(inbox: Inbox, bot: Bot) -> str:
    """Make a dead letter; returns its place."""
    with psycopg.connect(inbox.server.admin_url, autocommit=True) as conn:
        conn.execute("ALTER TABLE messages ADD CONSTRAINT no_poison CHECK (text <> 'words of a customer')")
        inbox.journal(bot, update(SENT, chat=5))
        inbox.drain_all()
        conn.execute("ALTER TABLE messages DROP CONSTRAINT no_poison")
    [(place,)] = inbox.rows("SELECT day || '/' || stream || '/' || entry_id || '/' || ordinal FROM webhook_events")
    return str(place)
