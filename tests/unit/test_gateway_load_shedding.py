"""When the gateway refuses everything: by memory and by age, and later again than it began."""

from __future__ import annotations

import pytest

from gateway.http.load_shedding import Bounds, reason
from shared.store.inbound.journal import State

BOUNDS = Bounds(memory_share=0.9, age_s=3600.0)


@pytest.mark.parametrize(
    ("state", "refusing", "wanted"),
    [
        (State(899, 1000, 0.0), False, None),
        (State(900, 1000, 0.0), False, "memory"),
        (State(850, 1000, 0.0), True, "memory"),
        (State(809, 1000, 0.0), True, None),
        (State(10**12, 0, 0.0), False, None),  # a server without a bound
        (State(0, 1000, 3599.0), False, None),
        (State(0, 1000, 3600.0), False, "age"),
        (State(0, 1000, 1800.0), True, "age"),
        (State(0, 1000, 1799.0), True, None),
        (State(950, 1000, 9999.0), False, "memory"),
    ],
)
def test_it_begins_at_the_bound_and_ends_well_below_it(state: State, refusing: bool, wanted: str | None) -> None:
    assert reason(state, BOUNDS, refusing) == wanted
