"""The drill's short form, as an operator runs it: the harm is done, and everything is as promised."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from shared.settings import PROJECT_ROOT, child_environment


@pytest.mark.timeout(500)
def test_the_short_drill_loses_nothing_doubles_nothing_and_measures_what_is_stated(tmp_path: Path) -> None:
    done = subprocess.run(
        ["./switchboard", "drill", "--short", "--json"], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=450,
        env=child_environment({"DATA_DIR": str(tmp_path / "data")}),
    )  # fmt: skip

    scores = {score["fault"]: score for score in map(json.loads, done.stdout.splitlines())}
    assert {name: score["wrong"] for name, score in scores.items() if not score["passed"]} == {}
    assert done.returncode == 0, done.stderr
    tallies = {name: score["tally"] for name, score in scores.items()}
    assert len(tallies) >= 12
    assert all(tally["once"] >= 5 for tally in tallies.values())
    assert not any(tally["lost"] or tally["doubled"] for tally in tallies.values())
    # the scorecard sees what is there: these are meant to cost something
    assert scores["redis flushed"]["stated"] >= 5
    assert tallies["others say nothing"]["settled"] >= 5
    assert tallies["poison"]["dead_letters"] == 8
    assert scores["kill gateway.journalled"]["posts"] > tallies["kill gateway.journalled"]["accepted"]
    assert list((tmp_path / "data").iterdir()) == []
