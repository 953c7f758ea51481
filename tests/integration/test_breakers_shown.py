"""What operators are shown of open breakers: models each, what there are many of by its kind."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import redis

from shared.resilience.shared_breaker import PREFIX
from shared.settings import Settings
from tasks.operations.health import services


def test_open_breakers_are_told_by_kind_and_a_company_s_own_website_is_no_problem(
    redis_url: str, tmp_path: Path
) -> None:
    with redis.Redis.from_url(redis_url) as cache:
        for name in ("api.example/model", "site:shop.example", *(f"send:telegram/{n}" for n in range(1, 8))):
            cache.hset(f"{PREFIX}{{{name}}}", "opened", 1)
        cache.hset(f"{PREFIX}{{send:slack/9}}", "opened", 0)
        visit: Any = SimpleNamespace(cache=cache, settings=Settings.of(METRICS_DIR=str(tmp_path)))

        found = services.breakers(visit)

    assert len(found.data["not_closed"]) == 9
    assert {problem.key: problem.words for problem in found.problems} == {
        "open.api.example/model": "api.example/model is open: its calls fail",
        "open.send": "sends to accounts fail and wait for a trial: telegram/1, telegram/2, telegram/3, telegram/4, "
        "telegram/5 and 2 more",
    }
