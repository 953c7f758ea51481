"""PDF: the text that stands in it. A scan has none, and says so."""

from __future__ import annotations

import io
import re

from shared.knowledge.extract.base import CHARS_MAX, PAGES_MAX, Extracted, Unreadable, title_cut

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
        for page in reader.pages:
            text = page.extract_text().strip()
            size += len(text)
            if size > CHARS_MAX:
                raise Unreadable(f"more than {CHARS_MAX} characters: divide the document")
            pages.append(_HYPHEN.sub("", text))
        title = (reader.metadata.title if reader.metadata is not None else None) or None
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        OSError,
        AssertionError,
        RecursionError,
    ) as e:
        # what a broken file makes the library stumble over
        raise Unreadable(f"not a valid PDF ({type(e).__name__}): open it and save it anew") from None
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise Unreadable("the PDF holds no text: it may be a scan; recognise its text first")
    if (bare := pages.count("")) * 2 > len(pages):
        raise Unreadable(f"{bare} of {len(pages)} pages hold no text: they may be scans; recognise their text first")
    return Extracted(text, title_cut(title) if isinstance(title, str) else None)
