"""Who is told of an event that has no effect, and what is to be done."""

from __future__ import annotations

import pytest

from tasks.operations.drop_reasons import told, what_to_do


@pytest.mark.parametrize(
    ("reason", "by", "to_do"),
    [
        ("duplicate", "counted", "not supported here"),
        ("payment", "listed", "not supported here"),
        ("rate_limited", "alert", "the platform held events back because there were too many"),
        ("malformed", "alert", "of a form that is not understood: ./switchboard request --dropped malformed names the "
         "requests it came in"),
        ("never_heard_of", "alert", "of a form that is not understood: ./switchboard request --dropped never_heard_of "
         "names the requests it came in"),
    ],
)  # fmt: skip
def test_a_reason_has_its_class_and_its_advice(reason: str, by: str, to_do: str) -> None:
    assert (told(reason), what_to_do(reason)) == (by, to_do)
