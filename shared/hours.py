"""When a team is there, by the week, and when it is there again. Pure: the time is an argument."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
CHARS_MAX = 500
EXAMPLE = "Mon-Fri 09:00-12:30 13:30-17:00, Sat 10:00-14:00"
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_DAY_MINUTES = 24 * 60

Span = tuple[int, int]
"""Begin and end in minutes since midnight, the end excluded."""


@dataclass(frozen=True, slots=True)
class BusinessHours:
    """days: of Monday to Sunday the spans in which the team is there, in order."""

    days: tuple[tuple[Span, ...], ...]
    zone: ZoneInfo

    def opens(self, now: datetime) -> datetime | None:
        """When the team is there again, in its time zone; None: it is there now. now: with an offset.

        A wall time that a change of the clocks skips is the moment that it would have been; one that comes twice is the
        first of the two.
        """
        local = now.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        if any(begin <= minute < end for begin, end in self.days[local.weekday()]):
            return None
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        for ahead in range(8):
            day = midnight + timedelta(days=ahead)  # of the wall clock: the same time of another day
            for begin, _ in self.days[day.weekday()]:
                at = day.replace(hour=begin // 60, minute=begin % 60).astimezone(UTC)
                if at > now:
                    return at.astimezone(self.zone)
        return None


def parse(text: str, zone: str) -> BusinessHours | None:
    """Read hours as EXAMPLE; None where the text is empty, which means at all times.

    zone: a name of the time zone database, such as Europe/Berlin. Raises ValueError, which says what to change.
    """
    found = zone_of(zone)
    if len(text) > CHARS_MAX:
        raise ValueError(f"the hours may have {CHARS_MAX} characters, and these have {len(text)}")
    if not text.strip():
        return None
    days: list[list[Span]] = [[] for _ in DAYS]
    for group in text.split(","):
        words = group.split()
        if len(words) < 2:
            raise ValueError(f"{group.strip()!r} should be days and times, as in {EXAMPLE}")
        spans = [_span(word) for word in words[1:]]
        for day in _days(words[0]):
            days[day] += spans
    for name, of_day in zip(DAYS, days, strict=True):
        of_day.sort()
        if any(one[1] > other[0] for one, other in itertools.pairwise(of_day)):
            raise ValueError(f"the hours of {name} overlap: say each time once")
    return BusinessHours(tuple(map(tuple, days)), found)


def zone_of(name: str) -> ZoneInfo:
    """Raises ValueError for a name that the time zone database does not have."""
    try:
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", name):
            return ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # not there; a folder of the database; no file of it
        pass
    raise ValueError(f"{name[:64]!r} is not a time zone: write it as Europe/Berlin, America/New_York or UTC")


def written(hours: BusinessHours | None) -> str:
    """As parse() reads them, neighbouring days with the same times together."""
    if hours is None:
        return ""
    groups: list[tuple[int, int]] = []
    for day, spans in enumerate(hours.days):
        if groups and hours.days[groups[-1][1]] == spans and groups[-1][1] == day - 1:
            groups[-1] = (groups[-1][0], day)
        elif spans:
            groups.append((day, day))
    return ", ".join(
        f"{DAYS[first]}{'' if first == last else '-' + DAYS[last]} {' '.join(map(_written, hours.days[first]))}"
        for first, last in groups
        if hours.days[first]
    )


def _written(span: Span) -> str:
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in span)


def _days(word: str) -> range:
    first, dash, last = word.partition("-")
    names = [name.lower() for name in DAYS]
    known = [names.index(one.lower()) for one in (first, last or first) if one.lower() in names]
    if len(known) < 2 or (dash and not last):
        raise ValueError(f"{word!r} is not a day: write {', '.join(DAYS)}, or a range such as Mon-Fri")
    if known[1] < known[0]:
        raise ValueError(f"{word!r} goes backwards: begin the week with Mon")
    return range(known[0], known[1] + 1)


def _span(word: str) -> Span:
    found = _SPAN.fullmatch(word)
    if found is None:
        raise ValueError(f"{word!r} is not a time from and to: write it as 09:00-17:00")
    begin, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if int(found[2]) > 59 or int(found[4]) > 59 or end > _DAY_MINUTES or begin >= end:
        raise ValueError(f"{word!r} should end after it begins and by 24:00: write a night as two days")
    return begin, end
