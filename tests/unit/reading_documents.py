"""Reading documents in this process; that a child does it is test_extract.py's."""

from __future__ import annotations

from shared.knowledge.extract import Parsed, work
from shared.knowledge.extract.sandbox import unpacked


def document_of(kind: str, raw: bytes) -> Parsed:
    """Raises Unreadable."""
    return unpacked(*work.document({"kind": kind, "title": None, "name": "file"}, raw))
