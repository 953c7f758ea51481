"""The log is one JSON object a line, and no error's words get into it, whoever logs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from shared.settings import PROJECT_ROOT, child_environment

PLANTED = "planted-words"
PROLOGUE = f"""
import logging, httpx, psycopg, structlog
from shared.telemetry import logs
logs.configure("{{level}}", process="reply")
log = structlog.get_logger("tasks.answers.reply")
plain = logging.getLogger("some.library")

class Quoting(psycopg.errors.UniqueViolation):
    def __str__(self):
        return "duplicate key DETAIL: Key (text)=({PLANTED}) already exists."

def fail():
    raise Quoting()
"""


def _logged(script: str, level: str = "INFO") -> list[dict[str, Any]]:
    """What a process that runs this writes to its log, line by line."""
    return [json.loads(line) for line in _raw(script, level).decode().splitlines()]


def _raw(script: str, level: str = "INFO") -> bytes:
    ended = subprocess.run(
        [sys.executable, "-P", "-c", PROLOGUE.format(level=level) + script],
        cwd=PROJECT_ROOT, env=child_environment({}), capture_output=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert PLANTED.encode() not in ended.stderr + ended.stdout
    return ended.stderr


def test_a_line_is_json_with_its_event_fields_time_and_place() -> None:
    [line] = _logged("log.info('turn_answered', turn_id=7, text='a\\nb \"c\" \\u2028 ä')")

    assert (line["event"], line["turn_id"], line["level"]) == ("turn_answered", 7, "info")
    assert (line["logger"], line["process"]) == ("tasks.answers.reply", "reply")
    assert line["timestamp"].endswith("Z")
    assert line["text"] == 'a\nb "c" \u2028 ä'


@pytest.mark.parametrize(
    "call",
    ["log.warning('failed', exc_info=e)", "log.exception('failed')", "log.error('failed', exc_info=True)",
     "log.error('failed', exc_info=(type(e), e, e.__traceback__))", "plain.exception('failed')",
     "plain.error('failed', exc_info=e)", "plain.warning('failed', exc_info=True)"],
)  # fmt: skip
def test_a_failure_is_told_by_its_class_and_its_way(call: str) -> None:
    [line] = _logged(f"try:\n    fail()\nexcept Exception as e:\n    {call}")

    assert (line["event"], line["error"]) == ("failed", "Quoting")
    assert [frame.rpartition(":")[2] for frame in line["trace"]] == ["<module>", "fail"]
    assert "exc_info" not in line
    assert "exception" not in line


def test_causes_and_notes_are_not_told_either() -> None:
    script = f"""
try:
    try:
        fail()
    except Exception as e:
        e.add_note("{PLANTED}")
        raise RuntimeError("{PLANTED}") from e
except Exception:
    log.exception("failed")
    plain.exception("failed")
"""
    assert [line["error"] for line in _logged(script)] == ["RuntimeError", "RuntimeError"]


def test_a_thread_that_dies_is_told_the_same_way() -> None:
    script = "import threading\nt = threading.Thread(target=fail, name='leases')\nt.start()\nt.join()"
    [line] = _logged(script)

    assert (line["event"], line["thread"], line["error"]) == ("thread_died", "leases", "Quoting")


def test_a_long_way_is_cut_to_its_end() -> None:
    script = """
def deep(n):
    fail() if n == 0 else deep(n - 1)
try:
    deep(50)
except Exception:
    log.exception("failed")
"""
    [line] = _logged(script)

    assert len(line["trace"]) == 12
    assert line["trace"][-1].endswith(":fail")


def test_a_request_to_a_platform_does_not_show_the_token_in_its_address() -> None:
    script = f"""
transport = httpx.MockTransport(lambda request: httpx.Response(200))
with httpx.Client(transport=transport) as http:
    http.get("http://127.0.0.1/bot{PLANTED}/sendMessage")
try:
    httpx.get("http://127.0.0.1:1/bot{PLANTED}/sendMessage", trust_env=False)
except httpx.HTTPError as e:
    log.warning("send_failed", exc_info=e)
try:
    httpx.Response(500, request=httpx.Request("GET", "http://h/bot{PLANTED}/x")).raise_for_status()
except httpx.HTTPError as e:
    log.warning("send_refused", exc_info=e)
"""
    assert [line["event"] for line in _logged(script)] == ["send_failed", "send_refused"]


def test_at_the_noisiest_level_libraries_do_not_tell_addresses_either() -> None:
    script = f"""
try:
    httpx.get("http://127.0.0.1:1/bot{PLANTED}/sendMessage", trust_env=False)
except httpx.HTTPError:
    log.debug("tried")
"""
    assert [line["event"] for line in _logged(script, "DEBUG")] == ["tried"]


def test_levels_below_the_setting_are_not_written() -> None:
    assert _logged("log.info('quiet'); plain.info('quiet'); log.warning('loud')", "WARNING")[0]["event"] == "loud"


def test_a_database_that_is_down_does_not_fill_the_log_with_its_address() -> None:
    script = f"""
from shared.errors import DatabaseUnavailable
from shared.store.db.pool import Database
db = Database("postgresql://app:{PLANTED}@127.0.0.1:1/db", max_size=1, timeout_s=0.5)
db.open()
try:
    with db.transaction():
        pass
except DatabaseUnavailable as e:
    log.warning("away", exc_info=e, told=str(e))
db.close()
"""
    assert [(line["event"], line["told"]) for line in _logged(script)] == [("away", "PoolTimeout")]


def test_a_field_that_is_no_json_is_still_a_line() -> None:
    [line] = _logged("import pathlib; log.info('odd', path=pathlib.Path('/x'), when=object)")
    assert line["event"] == "odd"


FULL_DISK = """
import os, sys
kept = os.dup(2)
os.dup2(os.open("/dev/full", os.O_WRONLY), 2)
lines = logs.Lines("gateway", "gateway")
for number in range(1000):
    lines.write("webhook_answered", [{"number": number}])
log.info("in between")
os.dup2(kept, 2)
lines.write("webhook_answered", [{"number": "the disk has room"}])
"""


def test_a_full_disk_stops_nobody_and_later_lines_are_written() -> None:
    lines = _logged(FULL_DISK)
    assert lines[-1]["number"] == "the disk has room"


def test_no_field_breaks_a_line_or_moves_a_terminal_s_cursor() -> None:
    hostile = "a\n{}\r\x1b[2J\x9b31m\u2028\x7f\u202e"
    raw = _raw(f"log.info('odd', field={hostile!a})")

    assert raw.endswith(b"\n")
    assert all(0x20 <= byte < 0x7F for byte in raw[:-1])
    assert json.loads(raw)["field"] == hostile
