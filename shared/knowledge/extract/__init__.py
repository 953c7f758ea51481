"""Files made into documents: each format in a module, every file in a process of its own that has limits."""

from __future__ import annotations

from shared.knowledge.extract.base import BYTES_MAX, TITLE_CHARS, Extracted, Parsed, Turn, Unreadable
from shared.knowledge.extract.formats import FORMATS, SUFFIXES, format_of
from shared.knowledge.extract.sandbox import ReaderLost, read_document

__all__ = [
    "BYTES_MAX", "FORMATS", "SUFFIXES", "TITLE_CHARS", "Extracted", "Parsed", "ReaderLost", "Turn", "Unreadable",
    "format_of", "read_document",
]  # fmt: skip
