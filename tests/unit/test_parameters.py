"""What a request may ask: its query and the fields of its JSON body, each of a type, and nothing is ignored."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from gateway.http import parameters
from gateway.http.parameters import (
    ID_MAX,
    NAMES_MAX,
    PARSED_MAX,
    QUERY_MAX_BYTES,
    Field,
    NoSuch,
    Values,
    Wrong,
    body_flag,
    body_id,
    body_number,
    body_text,
    called,
    query_choice,
    query_id,
    query_number,
    query_pairs,
    query_text,
    read_body,
    read_date,
    read_query,
    read_time,
)  # fmt: skip
from gateway.http.refused import Refused

# Functions, so that each test makes its fields itself: `make mutate` changes what makes them.


def limit() -> Field[int]:
    return query_number("limit", 100, 500, 1)


def state() -> Field[str]:
    return query_choice("status", ("open", "closed"), "open")


def channel() -> Field[int | None]:
    return query_id("channel", "channel")


def words() -> Field[str]:
    return query_text("words", 10)


def text() -> Field[str]:
    return body_text("text", 10)


def count() -> Field[int]:
    return body_number("count", 2, 5, 3)


def agent() -> Field[int]:
    return body_id("agent", "member")


def private() -> Field[bool]:
    return body_flag("private")


def _refused(read: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(Refused) as error:
        read()
    return error.value.status, error.value.what


def _query(raw: bytes, *fields: Field[Any]) -> Values:
    return read_query(query_pairs(raw), fields)


def _mistake(field: Field[Any], value: object) -> str:
    with pytest.raises((Wrong, NoSuch)) as error:
        field.read(value)
    return str(error.value)


# ------------------------------------------------------------------ queries


def test_a_query_is_read_by_its_fields_and_defaults_stand_for_what_is_not_given() -> None:
    found = _query(b"limit=7&words=two%20words", limit(), state(), channel(), words())

    assert (found[limit()], found[state()], found[channel()], found[words()]) == (7, "open", None, "two words")
    assert [found.has(field) for field in (limit(), state(), channel(), words())] == [True, False, False, True]


def test_a_value_that_is_empty_is_given() -> None:
    found = _query(b"words=", words())
    assert (found[words()], found.has(words())) == ("", True)


def test_bytes_of_a_query_that_are_not_percent_encoded_are_read_one_by_one() -> None:
    assert query_pairs(b"a=\xe9&b=%C3%A9") == [("a", "\xe9"), ("b", "\xe9")]


def test_what_must_be_given_is_missing_where_it_is_not() -> None:
    assert _refused(lambda: _query(b"", words())) == (422, "words is missing")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"limt=1", "'limt' is not a query parameter that this takes: did you mean 'limit'?"),
        (b"LIMT=1", "'LIMT' is not a query parameter that this takes: did you mean 'limit'?"),
        (b"colour=1", "'colour' is not a query parameter that this takes: there is limit, status"),
        (b"limit=1&limit=1", "limit is given twice"),
        (b"limit=0", "limit should be a number from 1 to 500"),
        (b"limit=501", "limit should be a number from 1 to 500"),
        (b"limit=%D9%A3", "limit should be a number from 1 to 500"),
        (b"limit=-1", "limit should be a number from 1 to 500"),
        (b"limit=" + b"0" * 20 + b"1", "limit should be a number from 1 to 500"),
        (b"status=shut", "status should be one of open, closed"),
        (b"limit=0&status=shut", "limit should be a number from 1 to 500; status should be one of open, closed"),
    ],
)
def test_a_mistake_in_a_query_is_refused_in_words_that_say_what_to_change(raw: bytes, said: str) -> None:
    assert _refused(lambda: _query(raw, limit(), state())) == (422, said)


def test_where_nothing_may_be_asked_that_is_said() -> None:
    said = "'x' is not a query parameter that this takes: it takes none"
    assert _refused(lambda: read_query([("x", "1")], ())) == (422, said)


def test_the_bounds_of_a_number_are_within_it() -> None:
    assert [_query(b"limit=%d" % value, limit())[limit()] for value in (1, 500)] == [1, 500]
    assert _query(b"limit=" + b"0" * 19 + b"7", limit())[limit()] == 7  # twenty digits
    assert _query(b"after=0", query_number("after", 5, 9))[query_number("after", 5, 9)] == 0


def test_five_mistakes_are_told_and_the_others_counted() -> None:
    names = [f"name{number}" for number in range(7)]
    fields = (query_number("name", 1, 2),)

    status, said = _refused(lambda: read_query([(name, "1") for name in names], fields))

    assert status == 422
    told = said.split("; ")
    assert told[-1] == "and 2 more"
    assert [part.split(" ")[0] for part in told[:-1]] == ["'name0'", "'name1'", "'name2'", "'name3'", "'name4'"]
    assert all("did you mean 'name'" in part for part in told[:-1])
    exactly = _refused(lambda: read_query([(name, "1") for name in names[:5]], fields))[1]
    assert exactly.count("; ") == 4
    assert "more" not in exactly


def test_a_long_name_is_told_by_its_beginning() -> None:
    said = _refused(lambda: read_query([("n" * 200, "1")], ()))[1]
    assert said.startswith(f"'{'n' * 80}' is not")


def test_a_query_is_bounded_in_bytes_and_in_parameters() -> None:
    longest = b"words=" + b"w" * (QUERY_MAX_BYTES - 6)
    assert query_pairs(longest) == [("words", "w" * (QUERY_MAX_BYTES - 6))]
    assert _refused(lambda: query_pairs(longest + b"w")) == (414, f"the query may have {QUERY_MAX_BYTES} bytes")

    assert len(query_pairs(b"&".join([b"a=1"] * NAMES_MAX))) == NAMES_MAX
    too_many = _refused(lambda: query_pairs(b"&".join([b"a=1"] * (NAMES_MAX + 1))))
    assert too_many == (422, f"the query may have {NAMES_MAX} parameters")


def test_an_id_that_no_table_can_hold_is_not_found_and_one_that_is_none_is_wrong() -> None:
    assert _query(b"channel=%d" % ID_MAX, channel())[channel()] == ID_MAX
    assert _query(b"channel=1", channel())[channel()] == 1
    for beyond in (b"%d" % (ID_MAX + 1), b"1" * 20, b"9" * 5_000):
        assert _refused(partial(_query, b"channel=" + beyond, channel())) == (404, "there is no such channel")
    for none in (b"0", b"-1", b"one", b""):
        status, said = _refused(partial(_query, b"channel=" + none, channel()))
        assert (status, said) == (422, f"channel should be a number from 1 to {ID_MAX}")


def test_a_mistake_goes_before_what_is_not_found() -> None:
    assert _refused(lambda: _query(b"channel=%d&limit=0" % (ID_MAX + 1), channel(), limit()))[0] == 422


def test_a_text_of_a_query_is_bounded_and_can_be_stored() -> None:
    assert words().read("w" * 10) == "w" * 10
    assert "\x00" not in words().read("a\x00b")
    assert _mistake(words(), "w" * 11) == "should have up to 10 characters"
    assert query_text("words", 10, "none").default == "none"


# ------------------------------------------------------------------ bodies


def test_a_body_is_read_by_its_fields() -> None:
    found = read_body(
        b'\xef\xbb\xbf {"text": "hello", "private": true, "agent": 7}', (text(), count(), agent(), private())
    )
    assert (found[text()], found[count()], found[agent()], found[private()]) == ("hello", 3, 7, True)
    assert not found.has(count())


@pytest.mark.parametrize("raw", [b"", b"  \n"])
def test_an_empty_body_is_called_empty_where_something_must_be_given_and_is_one_without_fields_elsewhere(
    raw: bytes,
) -> None:
    assert _refused(lambda: read_body(raw, (text(),))) == (422, "the body is empty: text is missing")
    assert read_body(raw, (count(),))[count()] == 3
    assert _refused(lambda: read_body(b"{}", (text(),))) == (422, "text is missing")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"text": "a", "text": "b"}', "text is given twice"),
        (b'{"txt": "a", "text": "b"}', "'txt' is not a field that this takes: did you mean 'text'?"),
        (b'{"text": \xff}', "the body is not valid JSON: byte 9 is not UTF-8"),
        (b'{"text": "a"', "the body is not valid JSON: Expecting ',' delimiter at line 1, column 13"),
        (b'{\n"text" "a"}', "the body is not valid JSON: Expecting ':' delimiter at line 2, column 8"),
        (b'{"text": NaN}', "the body is not valid JSON: NaN is not a number"),
        (b'{"text": -Infinity}', "the body is not valid JSON: -Infinity is not a number"),
        (b"[" * 100_000, "the body is nested too deeply to be read"),
        (b'["text"]', "the body should be a JSON object, not a list"),
        (b'"text"', "the body should be a JSON object, not a text"),
        (b"1.5", "the body should be a JSON object, not a fraction"),
        (b"null", "the body should be a JSON object, not null"),
    ],
)
def test_a_mistake_in_a_body_is_refused_in_words_that_say_what_to_change(raw: bytes, said: str) -> None:
    assert _refused(lambda: read_body(raw, (text(),))) == (422, said)


def test_a_body_is_bounded_in_fields_objects_and_numbers() -> None:
    def body(fields: int) -> bytes:
        return json.dumps({f"f{number}": "" for number in range(fields)}).encode()

    assert "is not a field" in _refused(lambda: read_body(body(NAMES_MAX), (text(),)))[1]
    too_many = f"an object in the body may have {NAMES_MAX} fields"
    assert _refused(lambda: read_body(body(NAMES_MAX + 1), (text(),))) == (422, too_many)

    def numbers(count: int) -> bytes:
        return b'{"list": [%s]}' % b",".join([b"1"] * count)

    anything: Field[Any] = Field("list", lambda value: value)
    # the object itself is counted, too
    assert len(read_body(numbers(PARSED_MAX - 1), (anything,))[anything]) == PARSED_MAX - 1
    said = f"the body may hold {PARSED_MAX} objects and numbers"
    assert _refused(lambda: read_body(numbers(PARSED_MAX), (anything,))) == (422, said)
    assert _refused(lambda: read_body(b'{"list": [%s]}' % b",".join([b"{}"] * PARSED_MAX), (anything,))) == (422, said)


def test_a_number_of_very_many_digits_is_beyond_every_bound() -> None:
    assert _refused(lambda: read_body(b'{"count": %s}' % (b"9" * 10_000), (count(),)))[0] == 422
    assert _refused(lambda: read_body(b'{"agent": %s}' % (b"9" * 10_000), (agent(),))) == (
        404, "there is no such member",
    )  # fmt: skip
    anything: Field[Any] = Field("n", lambda value: value)
    assert read_body(b'{"n": -12345678901234567890}', (anything,))[anything] == -12345678901234567890


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (text, 5, "should be a text, not a number"),
        (text, "", "should be a text of 1 to 10 characters"),
        (text, " \n", "should be a text of 1 to 10 characters"),
        (text, "w" * 11, "should be a text of 1 to 10 characters"),
        (count, 1, "should be a number from 2 to 5"),
        (count, 6, "should be a number from 2 to 5"),
        (count, True, "should be a number from 2 to 5"),
        (count, 3.0, "should be a number from 2 to 5"),
        (count, "3", "should be a number from 2 to 5"),
        (agent, 0, "should be the number of a member, not 0"),
        (agent, -4, "should be the number of a member, not -4"),
        (agent, True, "should be the number of a member, not true or false"),
        (agent, "7", "should be the number of a member, not a text"),
        (agent, ID_MAX + 1, "there is no such member"),
        (private, 1, "should be true or false, not a number"),
        (private, None, "should be true or false, not null"),
        (private, "true", "should be true or false, not a text"),
    ],
)
def test_a_value_of_another_type_or_beyond_its_bounds_is_refused(
    field: Callable[[], Field[Any]], value: object, said: str
) -> None:
    assert _mistake(field(), value) == said


def test_the_bounds_of_a_value_are_within_them() -> None:
    assert [count().read(value) for value in (2, 5)] == [2, 5]
    assert [agent().read(value) for value in (1, ID_MAX)] == [1, ID_MAX]
    assert [private().read(value) for value in (True, False)] == [True, False]
    assert text().read("w" * 10) == "w" * 10
    assert "\x00" not in text().read("a\x00b")
    assert (body_text("note", 3, "none").default, body_number("n", 1, 2, 2).default) == ("none", 2)


@pytest.mark.parametrize(
    ("value", "name"),
    [({}, "an object"), ([], "a list"), ("", "a text"), (True, "true or false"), (None, "null"), (1.5, "a fraction"),
     (1, "a number")],
)  # fmt: skip
def test_a_value_is_called_by_a_word(value: object, name: str) -> None:
    assert called(value) == name


# ------------------------------------------------------------------ times


def test_a_time_has_its_offset_and_is_in_utc() -> None:
    found = read_time("2026-01-31T12:00:00+02:00")
    assert (found, found.utcoffset()) == (datetime(2026, 1, 31, 10, tzinfo=UTC), timedelta(0))


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T12:00:00",
        "2026-01-31",
        "noon",
        "",
        5,
        None,
        "0001-06-01T00:00:00+00:00",
        "9999-06-01T00:00:00+00:00",
    ],
)
def test_what_is_no_time_with_an_offset_is_refused(value: object) -> None:
    with pytest.raises(Wrong, match=r"^should be a time such as 2026-01-31T12:00:00\+00:00$"):
        read_time(value)


def test_a_day_without_an_offset_is_in_utc_already() -> None:
    assert read_date("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    assert read_date("2026-01-31T12:00:00-01:00") == datetime(2026, 1, 31, 13, tzinfo=UTC)
    assert read_date("2026-01-31").utcoffset() == timedelta(0)
    with pytest.raises(Wrong, match=r"^should be a time such as 2026-01-31T12:00:00\+00:00$"):
        read_date("today")


@pytest.mark.parametrize("year", [2, 9998])
def test_the_second_and_the_last_but_one_year_are_times(year: int) -> None:
    assert parameters.read_date(f"{year:04}-06-01").year == year
