"""Reading a file within bounds of memory and time, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

from shared.knowledge.extract.base import BYTES_MAX, Extracted, Turn, Unreadable
from shared.knowledge.extract.formats import FORMATS
from shared.settings import PROJECT_ROOT

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_S, WALL_S = 60, 120


def extract(kind: str, raw: bytes) -> Extracted:
    """The text of a file of one of FORMATS. Raises Unreadable, whose message a person can act on."""
    if len(raw) > BYTES_MAX:
        raise Unreadable(f"more than {BYTES_MAX // 1024 // 1024} MB: divide the document")
    each = FORMATS[kind]
    return _in_process(kind, raw) if each.isolated else each.read(raw)


def _in_process(kind: str, raw: bytes) -> Extracted:
    """In a child that the system holds to its limits: a parser that hangs or grows takes nobody along."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "shared.knowledge.extract.child", kind],
            input=raw, capture_output=True, timeout=WALL_S, cwd=PROJECT_ROOT,
            env={"PYTHONPATH": str(PROJECT_ROOT), "PYTHONIOENCODING": "utf-8"}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Unreadable(f"reading it took longer than {WALL_S} s") from None
    if done.returncode != 0:
        raise Unreadable("reading it took more memory or time than a document may")
    answer = json.loads(done.stdout)
    if "refused" in answer:
        raise Unreadable(answer["refused"])
    return Extracted(answer["text"], answer["title"], tuple(Turn(**turn) for turn in answer["turns"]))


def answer(kind: str, raw: bytes) -> str:
    """What the child writes."""
    try:
        return json.dumps(asdict(FORMATS[kind].read(raw)))
    except Unreadable as e:
        return json.dumps({"refused": str(e)})
