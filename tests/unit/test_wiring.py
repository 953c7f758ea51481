"""What must fit together: tasks and queues, queues and workers, the timetable, processes and their order of stopping.

The Celery app is looked at in a process of its own, as a worker loads it: its configuration is read once a process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from shared import queues
from shared.settings import PROJECT_ROOT, VARIABLES, child_environment
from tasks.registry import JOBS
from tests.factories import settings
from workers import fleet
from workers.supervisor import STOP_STAGES, argv_of

PASSWORD = "pass-word-of-redis"
LOOK = """
import json
from celery.worker.control import conf as shown_conf
from types import SimpleNamespace
from workers.app import app
from tasks.base import Step
from beat_schedule import SCHEDULE

app.loader.import_default_modules()
conf = app.conf
tasks = {name: task for name, task in app.tasks.items() if not name.startswith("celery.")}
router = app.amqp.router

def published_to(task):
    options = router.route(task._get_exec_options(), task.name)
    return options["queue"] if isinstance(options["queue"], str) else options["queue"].name

print(json.dumps({
    "tasks": {
        name: {
            "queue": published_to(task), "step": isinstance(task, Step), "acks_late": task.acks_late,
            "ignore_result": task.ignore_result, "max_retries": task.max_retries,
            "soft_time_limit": task.soft_time_limit,
            "arguments": task.run.__code__.co_argcount - 1, "module": task.run.__module__,
        }
        for name, task in tasks.items()
    },
    "queues": sorted(queue.name for queue in conf.task_queues),
    "create_missing": conf.task_create_missing_queues,
    "schedule": {
        name: {"task": entry["task"], "options": entry["options"], "args": entry.get("args", ())}
        for name, entry in conf.beat_schedule.items()
    },
    "timetable": sorted(SCHEDULE),
    "visibility_timeout_s": conf.broker_transport_options["visibility_timeout"],
    "accept": conf.accept_content, "serializer": conf.task_serializer, "result_backend": conf.result_backend,
    "shown_to_flower": json.dumps(shown_conf(SimpleNamespace(app=app), with_defaults=True), default=str),
    "steps": sorted(step.thread_name for step in app.steps["worker"]),
}))
"""


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    environment = child_environment(
        {
            "REDIS_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
            "DATABASE_URL": f"postgresql://a:{PASSWORD}@127.0.0.1:1/db",
            "DATABASE_ADMIN_URL": f"postgresql://b:{PASSWORD}@127.0.0.1:1/db",
            "FLOWER_PASSWORD": PASSWORD, "LLM_API_KEY": PASSWORD, "DATA_DIR": "/nonexistent",
        }
    )  # fmt: skip
    shown = subprocess.run(
        [sys.executable, "-P", "-c", LOOK],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.returncode == 0, shown.stderr
    found: dict[str, Any] = json.loads(shown.stdout)
    return found


def test_every_task_goes_to_a_queue_of_the_one_list(app: dict[str, Any]) -> None:
    assert len(app["tasks"]) >= 5
    assert {task["queue"] for task in app["tasks"].values()} == set(queues.ALL)


def test_every_task_is_a_step_that_retries_nothing_and_carries_nothing(app: dict[str, Any]) -> None:
    for name, task in app["tasks"].items():
        assert task["step"], name
        assert (task["acks_late"], task["ignore_result"], task["max_retries"]) == (False, True, 0), name
        assert task["arguments"] == 0, f"{name}: a wake-up has no content"


def test_every_task_is_named_by_its_domain(app: dict[str, Any]) -> None:
    for name, task in app["tasks"].items():
        assert task["module"] == f"tasks.{name.partition('.')[0]}.tasks"


def test_the_jobs_of_the_owner_stay_with_the_worker_that_holds_its_url(app: dict[str, Any]) -> None:
    for name, job in JOBS.items():
        if job.as_owner:
            assert app["tasks"][name]["queue"] == queues.MAINTENANCE, name


def test_a_typo_in_a_queue_is_an_error_and_makes_none(app: dict[str, Any]) -> None:
    assert app["create_missing"] is False
    assert app["queues"] == sorted(queues.ALL)


def test_messages_are_json_and_results_are_kept_nowhere(app: dict[str, Any]) -> None:
    assert (app["accept"], app["serializer"], app["result_backend"]) == (["json"], "json", None)


def test_every_queue_is_consumed_by_exactly_one_kind_of_worker() -> None:
    consumed = [queue for row in fleet.table(settings()).values() for queue in row.queues]
    assert sorted(consumed) == sorted(queues.ALL)


def test_every_beat_entry_rings_an_existing_task_in_its_own_queue_and_ends(app: dict[str, Any]) -> None:
    assert sorted(app["schedule"]) == app["timetable"]
    for name, entry in app["schedule"].items():
        task = app["tasks"][entry["task"]]
        assert entry["options"]["queue"] == task["queue"], name
        assert 0 < entry["options"]["expires"] <= 31 * 24 * 3600, name
        assert not entry["args"], name


def test_redelivery_stays_above_the_longest_countdown(app: dict[str, Any]) -> None:
    from tasks.wakeups import COUNTDOWN_MAX_S

    assert app["visibility_timeout_s"] > COUNTDOWN_MAX_S


def test_what_a_worker_tells_flower_of_its_configuration_holds_no_password(app: dict[str, Any]) -> None:
    assert "broker_url" in app["shown_to_flower"]
    assert PASSWORD not in app["shown_to_flower"]


def test_every_resident_thread_of_the_table_exists_and_runs_where_it_may(app: dict[str, Any]) -> None:
    rows = fleet.table(settings()).values()
    assert {thread for row in rows for thread in row.threads} == set(app["steps"])
    # a parent that forks must not hold connections
    assert all(not row.threads for row in rows if row.pool == "prefork")
    # the journal has one kind of holder; the sweeper survives any one kind's death
    assert [row.name for row in rows if "intake" in row.threads] == ["intake"]
    assert sum("sweeper" in row.threads for row in rows) >= 2


@pytest.mark.parametrize("name", fleet.PROCESSES)
def test_every_process_can_be_started_and_shows_no_secret(name: str) -> None:
    config = settings(
        DATABASE_URL=f"postgresql://a:{PASSWORD}@h/db", DATABASE_ADMIN_URL=f"postgresql://b:{PASSWORD}@h/db",
        REDIS_URL=f"redis://:{PASSWORD}@h/0", FLOWER_PASSWORD=PASSWORD, LLM_API_KEY=PASSWORD,
    )  # fmt: skip

    argv = argv_of(name, config)

    assert argv[0] == sys.executable
    assert PASSWORD not in " ".join(argv)


def test_every_process_stops_in_exactly_one_stage_the_way_in_first() -> None:
    staged = [name for stage in STOP_STAGES for name in stage]
    assert sorted(staged) == sorted(fleet.PROCESSES)
    assert staged[:2] == ["gateway", "intake"]


def test_every_worker_row_is_a_process_and_is_found_by_its_node_name() -> None:
    config = settings()
    for name, row in fleet.table(config).items():
        assert name in fleet.PROCESSES
        assert any(word.partition("@")[0] == name for word in argv_of(name, config))
        assert fleet.row_of(f"{name}@some-host", config) == row
        assert fleet.row_of(f"{name}-2@some-host", config) == row
    assert fleet.row_of("somebody-else@some-host", config) is None


def test_the_pools_of_all_processes_are_summed() -> None:
    few, many = settings(DATABASE_POOL_MAX=2), settings(DATABASE_POOL_MAX=20)
    workers = len(fleet.table(few))

    assert fleet.connections_needed(many) - fleet.connections_needed(few) == 18 * workers
    assert fleet.connections_needed(few) == 2 * workers + 1 + fleet.GATEWAY_CONNECTIONS + fleet.OPERATOR_CONNECTIONS
    # PostgreSQL's own default must hold the default fleet
    assert fleet.connections_needed(settings()) <= 97


def test_backups_are_ended_by_their_deadline_and_not_by_the_fleet_s_limit(app: dict[str, Any]) -> None:
    most = next(rule.le for rule in VARIABLES["BACKUP_DEADLINE_S"].field.metadata if hasattr(rule, "le"))

    for name in ("lifecycle.make_backup", "lifecycle.prove_backup"):
        assert app["tasks"][name]["soft_time_limit"] > most
