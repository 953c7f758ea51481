"""When a team is there again: by its own wall clock, whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared import hours as business_hours
from shared.triage import day_words, texts

OFFICE = "Mon-Fri 09:00-12:30 13:30-17:00, Sat 10:00-14:00"


def _opens(hours: str, zone: str, now: str) -> str | None:
    found = business_hours.parse(hours, zone)
    assert found is not None
    opens = found.opens(datetime.fromisoformat(now))
    return None if opens is None else opens.isoformat()


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-11-27T10:00:00+01:00", None),  # a Friday
        ("2026-11-27T12:29:59+01:00", None),
        ("2026-11-27T12:30:00+01:00", "2026-11-27T13:30:00+01:00"),
        ("2026-11-27T08:59:59+01:00", "2026-11-27T09:00:00+01:00"),
        ("2026-11-27T17:00:00+01:00", "2026-11-28T10:00:00+01:00"),
        ("2026-11-28T14:00:00+01:00", "2026-11-30T09:00:00+01:00"),
        ("2026-11-28T23:30:00+00:00", "2026-11-30T09:00:00+01:00"),
        ("2026-11-30T08:30:00+00:00", None),  # half past nine in Berlin
        ("2026-03-28T20:00:00+01:00", "2026-03-30T09:00:00+02:00"),  # the clocks go forward on Sunday
        ("2026-10-24T20:00:00+02:00", "2026-10-26T09:00:00+01:00"),  # and back
    ],
)
def test_the_team_is_there_again_by_its_own_clock(now: str, opens: str | None) -> None:
    assert _opens(OFFICE, "Europe/Berlin", now) == opens


def test_a_time_that_the_clocks_skip_is_the_moment_it_would_have_been() -> None:
    assert _opens("Sun 02:30-05:00", "Europe/Berlin", "2026-03-29T00:00:00+01:00") == "2026-03-29T03:30:00+02:00"


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert _opens("Sun 02:30-05:00", "Europe/Berlin", "2026-10-25T00:00:00+02:00") == "2026-10-25T02:30:00+02:00"


def test_a_team_of_one_day_is_there_again_in_a_week() -> None:
    assert _opens("Mon 09:00-10:00", "UTC", "2026-11-30T10:00:00+00:00") == "2026-12-07T09:00:00+00:00"


@pytest.mark.parametrize("text", [OFFICE, "Mon-Sun 00:00-24:00", "Mon 09:00-10:00, Wed-Thu 09:00-10:00", ""])
def test_hours_are_written_as_they_are_read(text: str) -> None:
    assert business_hours.written(business_hours.parse(text, "UTC")) == text


@pytest.mark.parametrize(
    ("text", "zone", "says"),
    [
        ("Mon", "UTC", "days and times"),
        ("Mo 09:00-17:00", "UTC", "is not a day"),
        ("Fri-Mon 09:00-17:00", "UTC", "backwards"),
        ("Mon 9-17", "UTC", "09:00-17:00"),
        ("Mon 22:00-02:00", "UTC", "two days"),
        ("Mon 09:00-24:01", "UTC", "24:00"),
        ("Mon 09:99-17:00", "UTC", "09:99"),
        ("Mon 09:00-12:00 11:00-17:00", "UTC", "overlap"),
        ("Mon- 09:00-10:00", "UTC", "not a day"),
        (OFFICE, "Berlin", "not a time zone"),
        (OFFICE, "../../etc/passwd", "not a time zone"),
        (OFFICE, "Europe", "not a time zone"),
        ("Mon 09:00-17:00," * 100, "UTC", "500 characters"),
        (OFFICE, "", "not a time zone"),
        (OFFICE, "x" * 99, "not a time zone"),
    ],
)
def test_what_cannot_be_read_says_what_to_change(text: str, zone: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        business_hours.parse(text, zone)


def test_a_day_is_told_in_every_language_that_there_are_texts_in() -> None:
    now = datetime(2026, 11, 28, 20, 0, tzinfo=UTC)
    told = {one: day_words.spoken(datetime(2026, 11, 30, 9, 5, tzinfo=UTC), now, one) for one in texts.LANGUAGES}

    assert all("9:05" in words for words in told.values())
    assert (told["en"], told["de"]) == ("on Monday at 9:05", "am Montag um 9:05 Uhr")
    assert len(set(told.values())) == len(texts.LANGUAGES)
    assert day_words.spoken(datetime(2026, 11, 29, 9, 0, tzinfo=UTC), now, "fr") == "demain à 9:00"


def test_the_same_weekday_a_week_later_is_told_as_next_week_s() -> None:
    now = datetime(2026, 11, 28, 19, 0, tzinfo=UTC)
    told = {one: day_words.spoken(datetime(2026, 12, 5, 10, 0, tzinfo=UTC), now, one) for one in texts.LANGUAGES}

    assert told["en"] == "on Saturday next week at 10:00"
    assert told["de"] == "am Samstag nächster Woche um 10:00 Uhr"
    assert len(set(told.values())) == len(texts.LANGUAGES)
    later_this_week = datetime(2026, 12, 4, 10, 0, tzinfo=UTC)
    assert day_words.spoken(later_this_week, now, "en") == "on Friday at 10:00"
