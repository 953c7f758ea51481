"""What is done in a child: a file becomes a document in chunks, a sitemap becomes addresses.

A request is a dictionary and the bytes of a file; an answer is a line of JSON and, behind it, the document's text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from shared.knowledge import chunk
from shared.knowledge.extract import html, sitemap
from shared.knowledge.extract.base import Parsed, Unreadable, title_cut
from shared.knowledge.extract.formats import FORMATS
from shared.knowledge.extract.signatures import misnamed

Answer = tuple[dict[str, Any], str]


def done(header: dict[str, Any], raw: bytes) -> bytes:
    """The answer to a request. What a reader stumbles over is an answer, too."""
    try:
        told, text = TASKS[header["task"]](header, raw)
    except Unreadable as e:
        told, text = {"refused": str(e)}, ""
    except MemoryError:
        raise
    except Exception as e:  # noqa: BLE001  a reader met what its author did not think of: so would the next attempt
        told, text = {"refused": f"it cannot be read ({type(e).__name__})"}, ""
    return json.dumps(told).encode() + b"\n" + text.encode()


def document(header: dict[str, Any], raw: bytes) -> Answer:
    """header: kind, title (wins over the file's own), name (where neither is known), charset (that a page was sent
    with)."""
    kind = header["kind"]
    if (wrong := misnamed(kind, raw)) is not None:
        raise Unreadable(wrong)
    extracted = html.read(raw, header.get("charset")) if kind == "html" else FORMATS[kind].read(raw)
    title = title_cut(header["title"] or "") or title_cut(extracted.title or "") or header["name"]
    parsed = chunk.parsed(title, extracted.text, extracted.turns)
    if not any(any(map(str.isalnum, part.text)) for part in parsed.chunks):
        raise Unreadable("no text was found in it: if a picture shows the text, recognise it first")
    return packed(parsed)


def packed(parsed: Parsed) -> Answer:
    """Texts of chunks are slices of the document's text, and their titles repeat: neither is written twice."""
    titles = {name: number for number, name in enumerate(dict.fromkeys(part.title for part in parsed.chunks))}
    parts = [
        (titles[part.title], part.start_char, len(part.text), part.speakers) if part.speakers
        else (titles[part.title], part.start_char, len(part.text)) for part in parsed.chunks
    ]  # fmt: skip
    told = {
        "title": parsed.title, "kind": parsed.kind, "times": parsed.times, "titles": list(titles), "chunks": parts,
    }  # fmt: skip
    return told, parsed.text


def addresses(header: dict[str, Any], raw: bytes) -> Answer:
    """header: robots (its text), agent, host, room (for pages)."""
    return sitemap.read(raw, header["robots"], header["agent"], header["host"], header["room"]), ""


TASKS: dict[str, Callable[[dict[str, Any], bytes], Answer]] = {"document": document, "sitemap": addresses}


def loads_more() -> bool:
    return "pypdf" not in sys.modules


def load_more() -> None:
    """What takes time to load and a first text or page can do without."""
    import selectolax.lexbor  # noqa: F401
