"""What a file is by its first bytes, where its name says something else."""

from __future__ import annotations

_PACKAGES = {
    "docx": (b"word/", "a Word document", ".docx"),
    "xlsx": (b"xl/", "an Excel workbook", ".xlsx"),
    "pptx": (b"ppt/", "a PowerPoint presentation", ".pptx"),
    "odf": (b"mimetypeapplication/vnd.oasis.opendocument", "an OpenDocument file", ".odt, .ods or .odp"),
    "epub": (b"mimetypeapplication/epub", "an e-book", ".epub"),
}
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*")
_PAGES = (b"<!doctype html", b"<html", b"<head", b"<body", b"<table")
_MARKED = ("pdf", *_PACKAGES)
"""Formats whose files begin alike; all others are texts."""
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


def misnamed(kind: str, raw: bytes) -> str | None:
    """Why a file is not of this format, one of formats.FORMATS, and what to do; None where nothing says so."""
    head = raw[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return "the file is empty"
    if raw.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if _ENCRYPTED in raw:
            return "the file is encrypted: save it without a password"
        return "the file is of an older version of Office: save it as .docx, .xlsx or .pptx"
    if head.startswith(_PICTURES):
        return "the file is a picture: recognise the text that it shows first"
    if head.startswith(b"{\\rtf"):
        return "the file is RTF: save it as .docx"
    if head.startswith(b"%PDF-"):
        return None if kind == "pdf" else _renamed("a PDF", ".pdf")
    if raw.startswith(b"PK\x03\x04"):
        return _package(kind, raw)
    if kind in _MARKED and head.lower().startswith(_PAGES):
        return _renamed("a web page", ".html")
    return None


def _package(kind: str, raw: bytes) -> str | None:
    if kind in _PACKAGES and _PACKAGES[kind][0] in raw:
        return None
    for mark, called, suffix in _PACKAGES.values():
        if mark in raw:
            return _renamed(called, suffix)
    return None if kind in _PACKAGES else "the file is an archive: unpack it, and send the files that are in it"


def _renamed(called: str, suffix: str) -> str:
    return f"the file is {called}: give it the ending {suffix}"
