from random import Random

import pytest

from shared.resilience.backoff import delay_s


def test_waits_grow_with_failures_and_never_pass_the_cap() -> None:
    highest = [max(delay_s(attempt, 0.5, 4.0, Random(seed)) for seed in range(300)) for attempt in (1, 2, 3, 4, 5000)]
    assert highest == sorted(highest)
    for seen, limit in zip(highest, (0.5, 1.0, 2.0, 4.0, 4.0), strict=True):
        assert 0.9 * limit < seen <= limit


def test_jitter_reaches_down_to_nothing() -> None:
    assert min(delay_s(4, 0.5, 4.0, Random(seed)) for seed in range(300)) < 0.1


def test_attempts_count_from_one() -> None:
    with pytest.raises(ValueError):
        delay_s(0, 1.0, 2.0, Random(1))
