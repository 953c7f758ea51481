"""Reading of queries and bodies into models: what is taken, and in which words the rest is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from gateway.http.parameters import ID_MAX, query_pairs
from gateway.http.refused import Refused
from gateway.rest import cursors
from gateway.rest.given import Given, Page, Time, id_of, text
from gateway.rest.reading import Reader
from gateway.rest.representation import Match, as_bytes, encoding_of, named_tags, tag_of


class Part(Given):
    words: list[Annotated[str, Field(min_length=1, max_length=5)]] = Field(default=[], max_length=3)
    since: Time | None = None


class Thing(Given):
    name: text(10)  # type: ignore[valid-type]
    count: int = Field(1, ge=1, le=9)
    share: float = Field(0.0, ge=0)
    on: bool = False
    kind: Literal["this", "that"] = "this"
    part: Part | None = None
    parts: list[Part] = Field(default=[])
    more: dict[str, dict[str, str | None]] = Field(default={})
    channel: id_of("channel") | None = None  # type: ignore[valid-type]


class Asked(Page):
    since: Time | None = None
    on: bool = False
    share: float | None = None


def refused(work: Any) -> tuple[int, str]:
    with pytest.raises(Refused) as e:
        work()
    return e.value.status, e.value.what


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "the body is empty: name is missing"),
        (b"{}", "name is missing"),
        (b'{"name": 5}', "name should be a text, not a number"),
        (b'{"name": " "}', "name should be a text of 1 to 10 characters"),
        (b'{"name": "12345678901"}', "name should be a text of 1 to 10 characters"),
        (b'{"name": "a", "count": "5"}', "count should be a number from 1 to 9"),
        (b'{"name": "a", "count": true}', "count should be a number from 1 to 9"),
        (b'{"name": "a", "count": 1.5}', "count should be a number from 1 to 9"),
        (b'{"name": "a", "count": 10}', "count should be a number from 1 to 9"),
        (b'{"name": "a", "share": -1}', "share should be a number of at least 0"),
        (b'{"name": "a", "share": 1e999}', "share should be a number"),
        (b'{"name": "a", "on": "true"}', "on should be true or false, not a text"),
        (b'{"name": "a", "kind": "other"}', "kind should be one of 'this', 'that'"),
        (b'{"name": "a", "part": 5}', "part should be an object, not a number"),
        (b'{"name": "a", "part": {"wrds": []}}', "part has a mistake: 'wrds' is not a part of it that this takes: did"),
        (b'{"name": "a", "part": {"words": ["a", ""]}}', "part.words[1] should be a text of 1 to 5 characters"),
        (b'{"name": "a", "part": {"words": ["a", "b", "c", "d"]}}', "part.words should have up to 3 entries"),
        (b'{"name": "a", "part": {"since": "2026-01-31"}}', "part.since should be a time such as"),
        (b'{"name": "a", "parts": [{}, {"x": 1}]}', "parts[1] has a mistake: 'x' is not a part of it"),
        (b'{"name": "a", "more": {"b": {"c": 5}}}', "more.b.c should be a text, not a number"),
        (b'{"name": "a", "part": {"words": [], "words": []}}', "words is given twice"),
        (b'{"name": "a", "name": "b"}', "name is given twice"),
        (b'{"name": "a", "nmae": "b"}', "'nmae' is not a field that this takes: did you mean 'name'?"),
        (b'{"x": 1, "count": 0}', "; name is missing; count should be"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_body_is_told_with_what_is_right(raw: bytes, said: str) -> None:
    status, what = refused(lambda: Reader(Thing).body(raw))
    assert (status, said in what) == (422, True), what


def test_an_id_that_no_table_holds_is_not_found_unless_something_is_wrong() -> None:
    raw = b'{"name": "a", "channel": %d}' % (ID_MAX + 1)
    assert refused(lambda: Reader(Thing).body(raw)) == (404, "there is no such channel")
    assert refused(lambda: Reader(Thing).body(raw.replace(b'"a"', b'""')))[0] == 422


def test_a_body_is_read_with_its_types() -> None:
    raw = b'{"name": "a\\u0000b", "share": 1, "part": {"since": "2026-01-31T13:00:00+01:00", "words": ["\\ud800"]}}'
    found = Reader(Thing).body(raw)
    assert (found.name, found.share, found.count) == ("a\ufffdb", 1.0, 1)
    assert found.part is not None
    assert (found.part.since, found.part.words) == (datetime(2026, 1, 31, 12, tzinfo=UTC), ["\ufffd"])
    assert found.given() == {"name": found.name, "share": 1.0, "part": found.part}
    assert (found.has("share"), found.has("count")) == (True, False)
    assert found.given("count", "share") == {"share": 1.0}


def test_bodies_that_say_the_same_have_one_fingerprint() -> None:
    read = Reader(Thing).body
    same = read(b'{"name": "a", "count": 2}').fingerprint()
    assert read(b'{ "count":2,"name":"\\u0061" }').fingerprint() == same
    assert read(b'{"name": "a"}').fingerprint() != read(b'{"name": "a", "count": 1}').fingerprint()


def test_a_query_is_read_with_its_types() -> None:
    found = Reader(Asked).query(query_pairs(b"limit=5&since=2026-01-31T12:00:00%2B00:00&on=true&share=0.5&cursor=a%00"))
    assert (found.limit, found.on, found.share, found.cursor) == (5, True, 0.5, "a\ufffd")
    assert found.since == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [b"limit=", b"limit=0", b"limit=201", b"limit=+5", b"limit=5.0", b"limit=%C2%B2", b"limit=1_0",
     b"limit=" + b"9" * 9_000,
     b"limit=-1", b"on=1", b"on=True", b"share=", b"share=nan", b"share=1e999", b"since=now", b"limit=5&limit=5"],
)  # fmt: skip
def test_a_query_s_value_that_is_none_is_refused(raw: bytes) -> None:
    status, what = refused(lambda: Reader(Asked).query(query_pairs(raw)))
    assert status == 422
    assert what.startswith(raw.partition(b"=")[0].decode())


def test_of_many_mistakes_five_are_told_and_the_rest_counted() -> None:
    raw = b'{"name": "a", "parts": [%s]}' % b",".join([b'{"x": 1}'] * 40)
    what = refused(lambda: Reader(Thing).body(raw))[1]
    assert what.endswith("; and 35 more")
    assert what.count(";") == 5


def test_a_cursor_leads_back_to_its_key() -> None:
    at = datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=UTC)
    assert cursors.after_id(cursors.cursor_of(7)) == 7
    assert cursors.after_time(cursors.cursor_of(at, 7)) == (at, 7)
    assert (cursors.after_id(None), cursors.after_time(None)) == (0, None)


@pytest.mark.parametrize(
    "cursor",
    ["", "a", "=", "é", "W10", "WzEsMl0", "WyJhIl0", "W3RydWVd", cursors.cursor_of(-1),
     cursors.cursor_of(ID_MAX + 1), "eyJhIjoxfQ", "W1tdXQ", "WzEuMF0", "/w"],
)  # fmt: skip
def test_what_is_no_cursor_of_ours_is_refused(cursor: str) -> None:
    assert refused(lambda: cursors.after_id(cursor))[0] == 422


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("", None), ("identity", None), ("gzip", "gzip"), ("gzip, deflate, br", "br"), ("br;q=0, gzip", "gzip"),
     ("br ; q=0,gzip;q=0", None), ("gzip;q=0.5", "gzip"), ("*", None)],
)  # fmt: skip
def test_the_best_encoding_that_the_client_takes_is_chosen(accepted: str, encoding: str | None) -> None:
    assert encoding_of(accepted) == encoding


def test_a_tag_stands_for_a_state_whatever_its_encoding() -> None:
    tag = tag_of(as_bytes({"a": 1}))
    assert named_tags(f'W/"{tag}-br", "x-gzip"') == {tag, "x"}
    for header in (None, f'"{tag}"', f'"x", "{tag}-br"', "*"):
        Match(header).check(lambda: {"a": 1})
    assert refused(lambda: Match('"x"').check(lambda: {"a": 1}))[0] == 412
