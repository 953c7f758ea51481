"""E-books (EPUB): their chapters, which are pages, in the order in which they are read."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from shared.knowledge.extract import html
from shared.knowledge.extract.base import Extracted, Unreadable, joined, title_cut
from shared.knowledge.extract.package import Package, opened

_PAGES = ("application/xhtml+xml", "text/html")


def read(raw: bytes) -> Extracted:
    with opened(raw, "EPUB", ".epub") as package:
        if "META-INF/encryption.xml" in package.names and _is_locked(package):
            raise Unreadable("the e-book is encrypted: save it without protection")
        container = package.tree("META-INF/container.xml")
        name = next((file.get("full-path") for file in container.every("rootfile")), "")
        root = package.tree(name)
        items = {item.get("id"): item for item in root.every("item")}
        chapters = []
        for reference in root.every("itemref"):
            item = items.get(reference.get("idref"))
            if item is None or item.get("media-type") not in _PAGES or "nav" in item.get("properties").split():
                continue
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(item.get("href"))))
            if path in package.names:
                chapters.append(html.read(package.bytes(path)).text)
        title = next((node.text() for node in root.every("title")), "")
    return Extracted(joined(chapter for chapter in chapters if chapter), title_cut(title))


def _is_locked(package: Package) -> bool:
    """Whether pages are encrypted; fonts often are, and nobody reads those."""
    root = package.tree("META-INF/encryption.xml")
    return any(node.get("URI").lower().endswith((".html", ".xhtml", ".htm")) for node in root.every("CipherReference"))
