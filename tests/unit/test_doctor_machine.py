"""What doctor says of the interpreter."""

from __future__ import annotations

import pytest

from workers.doctor.machine import xml_parser_finding


@pytest.mark.parametrize(
    ("version", "level"), [((2, 5, 0), "warn"), ((2, 2, 10), "warn"), ((2, 6, 0), "ok"), ((2, 10, 1), "ok")]
)
def test_an_old_xml_parser_is_a_warning_that_says_what_to_do(version: tuple[int, int, int], level: str) -> None:
    found = xml_parser_finding(version)
    assert found.level == level
    assert ("Python 3.11.9" in found.do) == (level == "warn")
    assert ".".join(map(str, version)) in found.found
