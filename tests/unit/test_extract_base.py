"""What all readers share: the XML that they read, titles, and the reason of a refusal."""

from __future__ import annotations

from xml.parsers import expat

import pytest

from shared.knowledge.extract.base import TITLE_CHARS, Unreadable, XmlReader, title_cut


class _Seen(XmlReader):
    def __init__(self) -> None:
        self.seen: list[object] = []

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self.seen.append((name, attributes))

    def _end(self, name: str) -> None:
        self.seen.append(f"/{name}")

    def _data(self, data: str) -> None:
        self.seen.append(data)


def test_elements_and_texts_come_in_their_order_with_names_as_they_are_written() -> None:
    reader = _Seen()
    reader.parse(b'<a:x xmlns:a="urn:a" b="1">c<d/></a:x>')
    assert reader.seen == [("a:x", {"xmlns:a": "urn:a", "b": "1"}), "c", ("d", {}), "/d", "/a:x"]


@pytest.mark.parametrize("head", ["<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY b "c">]>', '<!DOCTYPE a SYSTEM "b.dtd">'])
def test_a_declaration_of_entities_is_refused_before_anything_unfolds(head: str) -> None:
    reader = _Seen()
    with pytest.raises(Unreadable, match=r"^it declares entities of its own$") as error:
        reader.parse(f"{head}<a>&b;</a>".encode())
    assert (error.value.reason, reader.seen) == ("unreadable", [])


def test_xml_that_is_cut_is_none() -> None:
    with pytest.raises(expat.ExpatError):
        _Seen().parse(b"<a><b/>")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (" Our\n\t hours ", "Our hours"),
        ("", None),
        (" \n", None),
        ("a" * (TITLE_CHARS + 1), "a" * TITLE_CHARS),
        ("a" * (TITLE_CHARS - 1) + " b", "a" * (TITLE_CHARS - 1)),
        (" " * (8 * TITLE_CHARS - 1) + "ab", "a"),
        (" " * 8 * TITLE_CHARS + "a", None),
    ],
)
def test_a_title_is_on_one_line_and_bounded(text: str, title: str | None) -> None:
    assert title_cut(text) == title
