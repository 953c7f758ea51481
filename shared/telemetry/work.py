"""Each piece of work as operators watch it: its name, the ids it is about, and how it ended.

A station surrounds a piece with `piece()` and says how it ended where it knows; `report_to` hands both on, in a worker
to Flower (workers/work_events.py). Only ids and words of ours are told, never what people wrote.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Literal

Ending = Literal["succeeded", "failed", "retried"]
Id = int | str


@dataclass(slots=True)
class Piece:
    """A piece of work.

    name: the operation, `answers.answer_turn`. ids: what it is about, by kind. key: the same for each attempt at the
    same work. cause: the id of the Celery task that led to it. began_at: Unix time, s. ending: None while it is under
    way. code: how it ended, `full` or `handover:nothing_relevant`. runtime_s: once it has ended.
    """

    name: str
    ids: dict[str, Id]
    key: str
    cause: str | None = None
    began_at: float = field(default_factory=time.time)
    ending: Ending | None = None
    code: str = ""
    runtime_s: float = 0.0
    untold: bool = False


_report: Callable[[Piece], None] | None = None
_cause: ContextVar[str | None] = ContextVar("cause", default=None)
_piece: ContextVar[Piece | None] = ContextVar("piece", default=None)
_wakeup: ContextVar[Piece | None] = ContextVar("wakeup", default=None)


def report_to(report: Callable[[Piece], None] | None) -> None:
    """Set who is told of each piece when it begins and once more when it has ended, on the thread that does it: it must
    return at once and raise nothing. None: nobody."""
    global _report
    _report = report


@contextmanager
def piece(name: str, key: str | None = None, /, **ids: Id | None) -> Iterator[None]:
    """Tell of a piece of work: that it begins, and how it ended.

    key: the same for each attempt at the same work, so that a retry is seen as one; None: of this piece alone. ids
    that are None are left out. Without ended(), failed() or retried() it has succeeded, or failed if the block raises.
    """
    _tell_wakeup()
    known = {kind: value for kind, value in ids.items() if value is not None}
    with _told(Piece(name, known, key or uuid.uuid4().hex, cause=_cause.get())):
        yield


@contextmanager
def wakeup(name: str, task_id: str) -> Iterator[None]:
    """Tell of a Celery task that looks for work, and have the pieces of this block told as caused by it.

    It is told of when the first piece begins, and at its end if it failed or ended with a code. One that found nothing
    to do is told to nobody: every few seconds there is such a one.
    """
    told = Piece(name, {}, task_id, untold=True)
    outer = _wakeup.set(told)
    try:
        with caused_by(task_id), _told(told):
            yield
            if not told.untold:
                _end(told, "succeeded", "done")
    finally:
        _wakeup.reset(outer)


def _tell_wakeup() -> None:
    report, waking = _report, _wakeup.get()
    if report is not None and waking is not None and waking.untold:
        waking.untold = False
        report(waking)


@contextmanager
def _told(told: Piece) -> Iterator[None]:
    report = _report  # the same at its end, also where the process has begun to close meanwhile
    if report is None:
        yield
        return
    if not told.untold:
        report(told)
    started = time.perf_counter()
    outer = _piece.set(told)
    try:
        yield
    except BaseException as e:
        _end(told, "failed", type(e).__name__)
        raise
    finally:
        _piece.reset(outer)
        if told.untold and (told.code or told.ending == "failed"):
            told.untold = False
            report(replace(told, ending=None, code=""))
        told.ending = told.ending or "succeeded"
        told.runtime_s = time.perf_counter() - started
        if not told.untold:
            report(told)


def tell(name: str, ending: Ending, code: str, took_s: float, /, **ids: Id) -> None:
    """Tell of a piece that has ended already: one of which nobody knew before that there was anything to do."""
    report = _report
    if report is None:
        return
    _tell_wakeup()
    told = Piece(name, ids, uuid.uuid4().hex, cause=_cause.get(), began_at=time.time() - took_s)
    report(told)
    told.ending, told.code, told.runtime_s = ending, code, took_s
    report(told)


@contextmanager
def caused_by(task_id: str | None) -> Iterator[None]:
    """Have the pieces of this block told as caused by a Celery task; None: by nobody known."""
    before = _cause.set(task_id)
    try:
        yield
    finally:
        _cause.reset(before)


def cause() -> str | None:
    """Return the id of the Celery task that leads to what is done here. Whoever asks is about to do something."""
    _tell_wakeup()
    return _cause.get()


def about(**ids: Id | None) -> None:
    """Add ids that became known on the way."""
    if (told := _piece.get()) is not None:
        told.ids.update({kind: value for kind, value in ids.items() if value is not None})


def ended(code: str, reason: str | None = None) -> None:
    """The piece under way has done what it was for. reason: follows the code behind a colon."""
    _end(_piece.get(), "succeeded", code, reason)


def failed(code: str, reason: str | None = None) -> None:
    """The piece under way has failed for good."""
    _end(_piece.get(), "failed", code, reason)


def retried(code: str, reason: str | None = None) -> None:
    """The piece under way has not been done and will be tried again."""
    _end(_piece.get(), "retried", code, reason)


def _end(told: Piece | None, ending: Ending, code: str, reason: str | None = None) -> None:
    """The first ending counts: it is told where most is known."""
    if told is not None and told.ending is None:
        told.ending, told.code = ending, f"{code}:{reason}" if reason else code
