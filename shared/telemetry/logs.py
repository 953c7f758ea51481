"""Structured logs: one JSON object a line, a static event with fields; ids, never message text or keys."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime

import orjson
import structlog


def configure(level: str = "INFO", process: str = "") -> None:
    """Send structlog and the standard library's logs to stderr as JSON. Call once a process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_values,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # httpx: a line a request, with the token in the address. Celery: two lines a wake-up; the flows say what came of
    # it.
    for noisy in ("httpx", "httpcore", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    threading.excepthook = _thread_died
    if process:
        structlog.contextvars.bind_contextvars(process=process)


Fields = dict[str, str | float | None]


class Lines:
    """Lines as the others, for what happens thousands of times a second, without structlog: many by one system call,
    and of one time."""

    def __init__(self, name: str, process: str) -> None:
        self._logger = logging.getLogger(name)
        self._fixed = {"logger": name, "process": process, "level": "info"}

    def write(self, event: str, lines: Iterable[Fields]) -> None:
        """Keep only plain values as fields."""
        if self._logger.isEnabledFor(logging.INFO):
            fixed = {**self._fixed, "event": event, "timestamp": datetime.now(UTC)}
            option = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
            try:
                sys.stderr.buffer.write(b"".join([orjson.dumps({**line, **fixed}, option=option) for line in lines]))
                sys.stderr.buffer.flush()
            except OSError:
                pass  # a full disk: what happened was counted, and goes on without its lines


def _thread_died(died: threading.ExceptHookArgs) -> None:
    """Drop the error's text, which Python would print."""
    if died.exc_value is not None and died.exc_type is not SystemExit:
        name = died.thread.name if died.thread is not None else ""
        structlog.get_logger(__name__).error("thread_died", thread=name, exc_info=died.exc_value)


def _without_values(logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Tracebacks stay, exception texts go: psycopg's DETAIL and httpx' addresses quote content and tokens."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()
    if isinstance(error, BaseException):
        error = (type(error), error, error.__traceback__)
    if isinstance(error, tuple) and error[1] is not None:
        frames = []
        trace = error[2]
        while trace is not None:
            code = trace.tb_frame.f_code
            frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}:{code.co_name}")
            trace = trace.tb_next
        event["error"] = error[0].__name__
        event["trace"] = frames[-12:]
    return event
