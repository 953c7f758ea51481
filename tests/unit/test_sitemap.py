"""Which addresses a site names, and which of them may be read."""

from __future__ import annotations

from typing import Any

import pytest

from shared.knowledge.extract import sitemap
from shared.knowledge.extract.base import Unreadable
from shared.knowledge.extract.sitemap import ADDRESS_CHARS, DEPTH_MAX, ENTRIES_MAX, LASTMOD_CHARS, SITEMAPS_MAX
from shared.knowledge.extract.sitemap import TEXT_CHARS as TEXT_MAX

HOST = "shop.example"
ALL = "User-agent: *\nAllow: /\n"


def _read(inner: str, robots: str = ALL, *, root: str = "urlset", room: int = 100) -> dict[str, Any]:
    xml = f'<?xml version="1.0"?><{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{inner}</{root}>'
    return sitemap.read(xml.encode(), robots, "Switchboard", HOST, room)


def _url(path: str, more: str = "") -> str:
    return f"<url><loc>https://{HOST}/{path}</loc>{more}</url>"


def _page(path: str) -> str:
    return f"https://{HOST}/{path}"


def test_pages_come_in_their_order_with_the_day_of_their_last_change() -> None:
    found = _read(_url("a", "<lastmod> 2026-01-31 </lastmod>") + _url("b"))
    assert found == {
        "sitemaps": [],
        "pages": [(_page("a"), "2026-01-31"), (_page("b"), "")],
        "named": [_page("a"), _page("b")],
        "left": 0,
    }


def test_an_entry_keeps_nothing_of_the_one_before_it() -> None:
    found = _read(_url("a", "<lastmod>2026-01-31</lastmod>") + "<url><lastmod>2026-02-01</lastmod></url>" + _url("b"))
    assert found["pages"] == [(_page("a"), "2026-01-31"), (_page("b"), "")]


def test_names_with_a_prefix_are_the_same_names_and_what_else_an_entry_holds_is_no_address() -> None:
    xml = (
        '<s:urlset xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="i">'
        f"<s:url><s:loc>{_page('a')}</s:loc><image:image><image:loc>{_page('a.png')}</image:loc></image:image></s:url>"
        "</s:urlset>"
    )
    assert sitemap.read(xml.encode(), ALL, "Switchboard", HOST, 9)["named"] == [_page("a")]


def test_an_address_may_come_in_pieces_and_with_references() -> None:
    found = _read(f"<url><loc>\n https://{HOST}/a?x=1&amp;y=2<!-- the list -->&amp;z=3 </loc></url>")
    assert found["named"] == [_page("a?x=1&y=2&z=3")]


def test_what_robots_txt_forbids_is_named_and_not_read() -> None:
    robots = "User-agent: Switchboard\nDisallow: /private\n\nUser-agent: *\nDisallow: /\n"
    found = _read(_url("a") + _url("private/b") + _url("c"), robots)
    assert found["pages"] == [(_page("a"), ""), (_page("c"), "")]
    assert found["named"] == [_page("a"), _page("private/b"), _page("c")]
    assert found["left"] == 1


def test_another_agents_rules_are_not_ours() -> None:
    assert len(_read(_url("a"), "User-agent: Other\nDisallow: /\n")["pages"]) == 1


def test_what_has_no_room_is_left_and_other_hosts_are_not_named() -> None:
    other = "<url><loc>https://other.example/a</loc></url><url><loc>http://[broken/</loc></url>"
    found = _read(_url("a") + other + _url("b") + _url("c"), room=2)
    assert [address for address, _ in found["pages"]] == [_page("a"), _page("b")]
    assert found["named"] == [_page("a"), _page("b"), _page("c")]
    assert found["left"] == 3


def test_an_index_names_sitemaps_of_the_same_host_one_more_than_are_read() -> None:
    inner = "".join(f"<sitemap><loc>https://{HOST}/{n}.xml</loc></sitemap>" for n in range(SITEMAPS_MAX + 5))
    found = _read("<sitemap><loc>https://other.example/x.xml</loc></sitemap>" + inner, root="sitemapindex")
    assert found == {
        "sitemaps": [_page(f"{n}.xml") for n in range(SITEMAPS_MAX + 1)], "pages": [], "named": [], "left": 0,
    }  # fmt: skip


def test_an_address_named_twice_is_one_with_its_last_day() -> None:
    found = _read(_url("a", "<lastmod>1</lastmod>") + _url("a", "<lastmod>2</lastmod>"))
    assert (found["pages"], found["left"]) == ([(_page("a"), "2")], 0)


def test_an_address_that_is_too_long_is_none_and_a_day_is_cut() -> None:
    longest = "a" * (ADDRESS_CHARS - len(_page("")))
    found = _read(_url(longest, f"<lastmod>{'9' * (LASTMOD_CHARS + 1)}</lastmod>") + _url(longest + "a"))
    assert found["pages"] == [(_page(longest), "9" * LASTMOD_CHARS)]


def test_of_an_element_only_so_much_text_is_kept_as_an_address_can_have() -> None:
    """More than that is a try to fill memory; what comes in one piece beyond the bound is not kept at all."""
    found = _read(f"<url><loc>{_page('a')}</loc><note>{'x' * (3 * TEXT_MAX)}</note></url>")
    assert found["named"] == [_page("a")]
    comment = "<!-- -->"  # divides a text, so that the parser hands it over in pieces
    within, beyond = "9" * 30 + comment + "8" * 5, "x" * TEXT_MAX + comment + "7"
    assert _read(_url("a", f"<lastmod>{within}</lastmod>"))["pages"] == [(_page("a"), "9" * 30 + "8" * 5)]
    assert "7" not in _read(_url("a", f"<lastmod>{' ' * TEXT_MAX}{comment}7</lastmod>"))["pages"][0][1]
    assert _read(_url("a", f"<lastmod>{beyond}</lastmod>"))["pages"][0][1] == "x" * LASTMOD_CHARS


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"<urlset>\n<url></urlset>", "not a valid sitemap: its XML is broken at line 2"),
        (b"<html></html>", "not a valid sitemap: name the address of its sitemap.xml"),
        (b"<x:rss xmlns:x='x'><urlset/></x:rss>", "not a valid sitemap: name the address of its sitemap.xml"),
        (b"<a>" * (DEPTH_MAX + 1), "not a valid sitemap: its elements are nested too deeply"),
    ],
)
def test_what_is_no_sitemap_is_refused_in_words(raw: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as error:
        sitemap.read(raw, ALL, "Switchboard", HOST, 9)
    assert said in str(error.value)


def test_elements_may_be_nested_up_to_the_bound() -> None:
    inner = "<a>" * (DEPTH_MAX - 1) + "</a>" * (DEPTH_MAX - 1)
    assert _read(inner + _url("a"))["named"] == [_page("a")]


def test_a_sitemap_names_as_many_addresses_as_its_protocol_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ENTRIES_MAX == 50_000
    monkeypatch.setattr(sitemap, "ENTRIES_MAX", 2)
    assert _read(_url("a") + _url("b") + _url("a"))["named"] == [_page("a"), _page("b")]
    with pytest.raises(Unreadable, match="more than 2 addresses: divide it"):
        _read(_url("a") + _url("b") + _url("c"))
