"""Files made into text: each format in a module, the dangerous ones in a process of their own that has limits."""

from __future__ import annotations

from shared.knowledge.extract.base import BYTES_MAX, Extracted, Turn, Unreadable
from shared.knowledge.extract.formats import FORMATS, SUFFIXES, format_of
from shared.knowledge.extract.sandbox import extract

__all__ = ["BYTES_MAX", "FORMATS", "SUFFIXES", "Extracted", "Turn", "Unreadable", "extract", "format_of"]
