"""PDF: the text that stands in it, its tables where they are clear. A scan has none, and says so."""

from __future__ import annotations

import io
import re

from shared.knowledge.extract import pdf_tables
from shared.knowledge.extract.base import CHARS_MAX, PAGES_MAX, Extracted, Unreadable, title_cut
from shared.knowledge.extract.pdf_drawn import Rules

_STUMBLES = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, AssertionError, RecursionError, ArithmeticError,
)  # fmt: skip
"""What a broken file makes the library raise."""
_NO_TITLES = ("untitled", "(anonymous)", "(unspecified)")
"""What programs call a document that nobody named."""
_HYPHEN = re.compile(r"(?<=[a-zäöüéèàß])-\n(?=[a-zäöüéèàß])")


def read(raw: bytes) -> Extracted:
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(raw), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("the PDF is encrypted: save it without a password")
        if len(reader.pages) > PAGES_MAX:
            raise Unreadable(f"more than {PAGES_MAX} pages: divide the document")
        pages, size = [], 0
        for number, page in enumerate(reader.pages):
            rules = Rules()
            text = page.extract_text(visitor_operand_before=rules.visit).strip()
            size += len(text)
            if size > CHARS_MAX:
                raise Unreadable(f"more than {CHARS_MAX} characters: divide the document")
            if text and number < pdf_tables.PAGES_MAX:
                try:
                    text = pdf_tables.with_tables(page, text, rules.found)
                except _STUMBLES:
                    pass  # its drawing is more than the library understands: the lines are there all the same
            pages.append(_HYPHEN.sub("", text))
        title = (reader.metadata.title if reader.metadata is not None else None) or None
    except (PyPdfError, OSError, *_STUMBLES) as e:
        raise Unreadable(f"not a valid PDF ({type(e).__name__}): open it and save it anew") from None
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise Unreadable("the PDF holds no text: it may be a scan; recognise its text first")
    if (bare := pages.count("")) * 2 > len(pages):
        raise Unreadable(f"{bare} of {len(pages)} pages hold no text: they may be scans; recognise their text first")
    named = title if isinstance(title, str) and title.strip().lower() not in _NO_TITLES else ""
    return Extracted(text, title_cut(named))
