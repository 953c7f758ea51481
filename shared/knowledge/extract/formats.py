"""Which reader a file gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.knowledge.extract import docx, epub, html, odf, pdf, plain, pptx, transcripts, xlsx
from shared.knowledge.extract.base import Extracted


@dataclass(frozen=True, slots=True)
class Format:
    """read: runs in a process that has limits, never elsewhere. cpu_s: what reading a file and cutting it into chunks
    may take of a core; a few seconds are usual for the largest."""

    read: Callable[[bytes], Extracted]
    suffixes: tuple[str, ...]
    media: tuple[str, ...]
    cpu_s: int = 20


FORMATS = {
    "text": Format(plain.read_text, (".txt", ".text"), ("text/plain",)),
    "markdown": Format(plain.read_markdown, (".md", ".markdown"), ("text/markdown",)),
    "csv": Format(plain.read_csv, (".csv", ".tsv"), ("text/csv", "text/tab-separated-values")),
    "html": Format(html.read, (".html", ".htm", ".xhtml"), ("text/html", "application/xhtml+xml")),
    "pdf": Format(pdf.read, (".pdf",), ("application/pdf",), cpu_s=60),
    "docx": Format(
        docx.read,
        (".docx",),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",),
        cpu_s=60,
    ),
    "xlsx": Format(
        xlsx.read,
        (".xlsx", ".xlsm"),
        (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "application/vnd.ms-excel.sheet.macroenabled.12",
        ),
        cpu_s=60,
    ),
    "pptx": Format(
        pptx.read,
        (".pptx",),
        ("application/vnd.openxmlformats-officedocument.presentationml.presentation",),
        cpu_s=60,
    ),
    "odf": Format(
        odf.read,
        (".odt", ".ods", ".odp"),
        tuple(f"application/vnd.oasis.opendocument.{kind}" for kind in ("text", "spreadsheet", "presentation")),
        cpu_s=60,
    ),
    "epub": Format(epub.read, (".epub",), ("application/epub+zip",), cpu_s=60),
    "vtt": Format(transcripts.read_vtt, (".vtt",), ("text/vtt",)),
    "srt": Format(transcripts.read_srt, (".srt",), ("application/x-subrip",)),
    "transcript": Format(transcripts.read_json, (".json",), ("application/json",)),
}
SUFFIXES = tuple(suffix for each in FORMATS.values() for suffix in each.suffixes)


def format_of(name: str, media_type: str | None = None) -> str | None:
    """A file's format by what it is called, else by what it was sent as; None if it is none of ours."""
    lowered = name.lower()
    for kind, each in FORMATS.items():
        if lowered.endswith(each.suffixes):
            return kind
    sent_as = (media_type or "").partition(";")[0].strip().lower()
    return next((kind for kind, each in FORMATS.items() if sent_as in each.media), None)
