"""The reader that deploy/ is held by refuses what Prometheus refuses."""

from __future__ import annotations

import pytest

from tests.promql import Malformed, Selector, read


@pytest.mark.parametrize(
    "wrong",
    [
        "", "sum(", "sum(x))", "rate(x)", "rate(x[5m]", "rate(x[5])", "rte(x[5m])", "sum by (a x)", "sum by a (x)",
        "x{a=b}", 'x{a="b"', 'x{a=>"b"}', "x +", "x y", "x[5m] + 1", "sum(x[5m])", "1 or 2", "abs()", "time(1)",
        "histogram_quantile(0.9, sum by (a) (rate(x_bucket[5m])))", "topk(x)", "x @@ y", "max(3)",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_refused(wrong: str) -> None:
    with pytest.raises(Malformed):
        read(wrong)


def test_an_expression_says_what_it_asks_for() -> None:
    found = read(
        'histogram_quantile(0.95, sum by (le, a) (rate(x_bucket{b=~"c|d"}[5m]))) > 0.5'
        " and on (a) -sum(increase(y[1h])) by (a) / 3 >= bool 1e3 or time() - z offset 1d > on () group_left () max(w)"
    )

    assert found.selectors == [Selector("x_bucket", (("b", "=~", "c|d"),)), Selector("y", ()), Selector("z", ()),
                               Selector("w", ())]  # fmt: skip
    assert ("a", ("x_bucket",)) in found.grouping
    assert found.shown == {"a"}
