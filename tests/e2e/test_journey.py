"""The whole way with every process running: what a customer, an agent and an operator see."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.embedded.ports import choose_port
from shared.settings import PROJECT_ROOT, child_environment
from shared.store.db.redis import connect
from tasks.tenants import onboarding
from tests.e2e.checks import check_one_reply_a_turn, check_unread
from tests.e2e.system import System, private_system, wait_until
from tests.factories import Bot, update

PASSWORD = "flower-password"
SECRET_TEXT = "my card is 4929-1234-heliotrope"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system(FLOWER_PORT=choose_port(None), FLOWER_PASSWORD=PASSWORD) as system:
        system.start("gateway", "intake", "reply", "deliver", "index", "media", "maintenance", "beat", "flower")
        yield system


@pytest.fixture
def bot(system: System) -> Bot:
    return system.new_bot()


class Agent:
    """A person with the company's API key."""

    def __init__(self, system: System, bot: Bot) -> None:
        with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
            key = onboarding.new_agent(conn, bot.company_id, "Ada")
        self._http = system.http
        self._headers = {"authorization": f"Bearer {key}"}

    def conversations(self) -> list[dict[str, Any]]:
        found: dict[str, Any] = self._http.get("/api/v1/conversations", headers=self._headers).json()
        return list(found["conversations"])

    def first_attachment(self, conversation: int) -> dict[str, Any]:
        answer = self._http.get(f"/api/v1/conversations/{conversation}/messages", headers=self._headers)
        found: dict[str, Any] = answer.json()["messages"][0]["attachments"][0]
        return found

    def write(self, conversation: int, text: str, key: str) -> httpx.Response:
        return self._http.post(
            f"/api/v1/conversations/{conversation}/messages",
            json={"text": text},
            headers={**self._headers, "idempotency-key": key},
        )

    def do(self, conversation: int, what: str) -> int:
        path = f"/api/v1/conversations/{conversation}/{what}"
        return self._http.post(path, headers=self._headers).status_code


def test_a_question_is_answered_from_the_documents_with_its_source(system: System, bot: Bot) -> None:
    system.post_until_accepted(bot, update("How many days do I have to return shoes?", chat=1))

    [message] = system.standin.wait_messages(1, chat_id=1, token=bot.token)
    assert "30 days" in message["text"]
    assert "[1]" in message["text"]
    [(step, title)] = system.rows(
        "SELECT step, citations->0->>'title' FROM receipts WHERE company_id = %s", bot.company_id
    )
    assert step == "full"
    assert title.startswith("Returns")


def test_an_agents_message_is_delivered_once_and_reads_the_conversation(system: System, bot: Bot) -> None:
    system.post_until_accepted(bot, update("Do you deliver to Norway?", chat=1))
    system.standin.wait_messages(1, chat_id=1, token=bot.token)
    agent = Agent(system, bot)
    [conversation] = agent.conversations()

    answers = [agent.write(conversation["id"], "This is Ada, I will look into it.", key="k1") for _ in range(2)]

    assert [a.json()["repeated"] for a in answers] == [False, True]
    messages = system.standin.wait_messages(2, chat_id=1, token=bot.token)
    system.wait_at_rest()
    assert [m["text"] for m in messages][1:] == ["This is Ada, I will look into it."]
    [after] = agent.conversations()
    assert (after["unread"], after["bot_enabled"]) == (0, False)
    assert (conversation["unread"], conversation["bot_enabled"]) == (1, True)


def test_a_person_who_takes_over_stops_the_answer_in_the_making(system: System, bot: Bot) -> None:
    agent = Agent(system, bot)
    system.standin.fault("openai", "latency", latency_s=20.0)
    system.post_until_accepted(bot, update("What does the warranty cover?", chat=1))
    system.standin.wait_attempts(1, 10, target="openai", outcome="open")

    assert agent.do(agent.conversations()[0]["id"], "take-over") == 200

    system.standin.wait_attempts(1, 10, target="openai", outcome="client_gone")
    system.wait_at_rest()
    assert system.standin.messages(chat_id=1, token=bot.token) == []
    assert system.rows("SELECT state FROM turns WHERE company_id = %s", bot.company_id) == [("cancelled",)]


def test_a_message_during_the_answer_calls_it_back_and_one_reply_covers_both(system: System, bot: Bot) -> None:
    system.standin.fault("openai", "latency", latency_s=20.0)
    system.post_until_accepted(bot, update("How long does the delivery take?", chat=1))
    system.standin.wait_attempts(1, 10, target="openai", outcome="open")

    system.post_until_accepted(bot, update("I mean express delivery", chat=1))

    [message] = system.standin.wait_messages(1, chat_id=1, token=bot.token, timeout_s=15)
    system.wait_at_rest()
    assert "Express" in message["text"]
    # whether it counts as a cancel depends on how soon it came: within the quiet window it does not
    assert system.rows("SELECT first_seq, last_seq, state, cancels <= 1 FROM turns WHERE company_id = %s",
                       bot.company_id) == [(1, 2, "answered", True)]  # fmt: skip
    check_one_reply_a_turn(system)


def test_a_photo_is_shown_to_the_agent_and_the_customer_told_that_nobody_here_can_read_it(
    system: System, bot: Bot
) -> None:
    photo = b"\x89PNG planted"
    system.standin.add_file("photo-1", photo, path="photos/file_1.png", mime="image/png")
    sizes = [{"file_id": "photo-1", "width": 1, "height": 1}]
    system.post_until_accepted(bot, update(None, chat=1, photo=sizes))

    [message] = system.standin.wait_messages(1, chat_id=1, token=bot.token)
    agent = Agent(system, bot)
    [conversation] = agent.conversations()
    wait_until(lambda: agent.first_attachment(conversation["id"])["state"] == "stored", "the photo is stored", 20)

    assert "only read text" in message["text"]
    shown = system.http.get(agent.first_attachment(conversation["id"])["media_url"])
    assert (shown.status_code, shown.content, shown.headers["content-type"]) == (200, photo, "image/png")


def test_what_customers_write_shows_neither_in_logs_flower_and_metrics_nor_stays_in_redis(
    system: System, bot: Bot, tmp_path: Path
) -> None:
    flower = httpx.Client(
        base_url=f"http://127.0.0.1:{system.config.operations.flower_port}", auth=("admin", PASSWORD), trust_env=False
    )
    asked = 0

    def flower_has_seen_an_answer() -> bool:  # it subscribes to events some time after it says that it is healthy
        nonlocal asked
        asked += 1
        system.post_until_accepted(bot, update(f"{SECRET_TEXT}: how do I return shoes?", chat=asked))
        system.standin.wait_messages(1, chat_id=asked, token=bot.token)
        return _names(flower) >= {"answers.answer_due", "delivery.send_due"}

    wait_until(flower_has_seen_an_answer, "Flower has seen an answer", 20)
    system.wait_at_rest()
    told = _through_jobs(system, bot, tmp_path)

    shown = told + flower.get("/api/tasks").text + flower.get("/tasks").text + flower.get("/api/workers").text
    shown += _metrics(system) + flower.get("/metrics").text
    kept = _everything_in(system)
    logs = system.all_logs()

    for planted in ("heliotrope", bot.token.partition(":")[2], bot.secret, "standin-key"):
        assert planted not in shown
        assert planted not in logs
        assert planted.encode() not in kept
    assert "turn_answered" in logs
    assert "switchboard_turns_total" in shown
    check_unread(system)


def _through_jobs(system: System, bot: Bot, folder: Path) -> str:
    """Alerts, a backup, an export and the archive by hand, over what was just written: all that they say."""
    company = str(bot.company_id)
    [(contact,)] = system.rows("SELECT min(id) FROM contacts WHERE company_id = %s", bot.company_id)
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        conn.execute("UPDATE conversations SET last_message_at = now() - interval '300 days' WHERE company_id = %s",
                     (bot.company_id,))  # fmt: skip
    told = _commands(
        system,
        ("job", "run", "operations.evaluate_alerts"),
        ("job", "run", "lifecycle.make_backup"),
        ("contact", "export", f"{bot.company_id}/{contact}", str(folder / "export")),
    )
    told += _commands(system, ("archive", "run", "--company", company))
    assert "heliotrope" in (folder / "export" / "data.json").read_text()
    assert system.rows("SELECT count(*) > 0 FROM archive_segments WHERE company_id = %s", bot.company_id) == [(True,)]
    told += _commands(system, ("archive", "restore", "--company", company))
    alerts = system.rows("SELECT words FROM alerts")
    return told + str(alerts) + str(system.rows("SELECT j::text FROM job_runs j"))


def _commands(system: System, *lines: tuple[str, ...]) -> str:
    """Run together; all that they wrote."""
    environment = child_environment(system.environment()) | {"ARCHIVE_KEEP_MESSAGES": "1"}
    begun = [
        subprocess.Popen([sys.executable, "-P", "-m", "workers.commands", *words], env=environment, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for words in lines
    ]  # fmt: skip
    told = [one.communicate(timeout=60)[0] for one in begun]
    assert [one.returncode for one in begun] == [0] * len(begun), told
    return "".join(told)


def _metrics(system: System) -> str:
    token = system.config.operations.ops_token.get_secret_value()
    return system.http.get("/metrics", headers={"authorization": f"Bearer {token}"}).text


def _counted(system: System) -> dict[str, float]:
    """Sums over labels, by name."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(_metrics(system)):
        for sample in family.samples:
            name = sample.name.removeprefix("switchboard_")
            found[name] = found.get(name, 0.0) + sample.value
    return found


def test_one_endpoint_shows_what_every_process_has_done_also_one_that_was_killed(system: System, bot: Bot) -> None:
    before = _counted(system)
    system.post_until_accepted(bot, update("How many days do I have to return shoes?", chat=1))
    system.standin.wait_messages(1, chat_id=1, token=bot.token)
    system.wait_at_rest()

    def grown(name: str) -> float:
        return _counted(system).get(name, 0.0) - before.get(name, 0.0)

    names = (
        "webhooks_total", "journal_append_seconds_count", "events_total", "batches_total", "model_attempts_total",
        "turns_total", "sends_total", "send_seconds_count",
    )  # fmt: skip
    # a process writes its line and its number before it wakes others up or commits, or right after: the last may lag
    wait_until(lambda: all(grown(name) >= 1 for name in names), "every stage has counted", 10, lambda: _metrics(system))
    assert (grown("turns_total"), grown("sends_total"), grown("events_total")) == (1, 1, 1)

    system.kill("deliver")
    system.start("deliver")

    assert grown("sends_total") == 1
    assert _counted(system)["service_reachable_bool"] == 3


def test_one_id_leads_from_the_answer_through_the_logs_to_the_reply(system: System, bot: Bot) -> None:
    system.post_until_accepted(bot, update("Hello", chat=2))  # the gateway knows the app from here on
    system.standin.wait_messages(1, chat_id=2, token=bot.token)
    answer = system.http.post(
        f"/webhooks/telegram/{bot.slug}",
        json=update("How many days do I have to return shoes?", chat=1),
        headers={"x-telegram-bot-api-secret-token": bot.secret},
    )
    system.standin.wait_messages(1, chat_id=1, token=bot.token)
    system.wait_at_rest()

    request_id = answer.headers["x-request-id"]
    [(turn_id, step)] = system.rows(
        "SELECT t.id, r.step FROM webhook_events e"
        " JOIN messages m ON m.company_id = e.company_id AND m.id = e.message_id"
        " JOIN turns t ON t.company_id = m.company_id AND t.request_id = e.request_id"
        " JOIN receipts r ON r.company_id = t.company_id AND r.turn_id = t.id WHERE e.request_id = %s",
        request_id,
    )
    assert step == "full"
    lines = [json.loads(line) for line in system.all_logs().splitlines() if request_id in line]
    assert {line["event"] for line in lines} >= {"webhook_answered", "turn_answered"}
    assert {line["turn_id"] for line in lines if line["event"] == "turn_answered"} == {turn_id}


def test_documents_are_embedded_at_a_wake_up_and_answer_by_their_meaning(
    system: System, bot: Bot, tmp_path: Path
) -> None:
    document = tmp_path / "pets.md"
    document.write_text("# Pets\n\nDogs and cats are welcome.")
    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        words = ["documents", "add", str(document), "--company", str(bot.company_id)]
        added = subprocess.run(
            [sys.executable, "-P", "-m", "workers.commands", *words],
            env=child_environment(system.environment()), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr

        def embedded() -> bool:
            left = conn.execute(
                "SELECT count(*) FROM documents d WHERE d.company_id = %s AND NOT EXISTS (SELECT 1 FROM indexing i"
                " WHERE i.company_id = d.company_id AND i.document_id = d.id AND i.done)",
                (bot.company_id,),
            ).fetchone()
            return left == (0,)

        wait_until(embedded, "everything of the company is embedded", 30)
        system.standin.script("On Saturday at six [1].")
        system.post_until_accepted(bot, update("At what time do your stores shut on the weekend?", chat=77))
        [message] = system.standin.wait_messages(1, chat_id=77, token=bot.token)
        [(passage,)] = conn.execute(
            "SELECT r.passages->0 FROM receipts r JOIN turns t ON t.company_id = r.company_id AND t.id = r.turn_id"
            " JOIN conversations c ON c.company_id = t.company_id AND c.id = t.conversation_id"
            " WHERE r.company_id = %s AND c.chat = '77'", (bot.company_id,),
        ).fetchall()  # fmt: skip

    assert "at six" in message["text"]
    assert (passage["title"], passage["bm25"]) == ("Shops and opening hours > Opening hours", None)
    system.wait_at_rest()


def _names(flower: httpx.Client) -> set[str]:
    return {str(task["name"]) for task in flower.get("/api/tasks").json().values()}


def test_flower_is_closed_and_runs_nothing(system: System) -> None:
    base = f"http://127.0.0.1:{system.config.operations.flower_port}"

    strangers = httpx.get(f"{base}/api/tasks", trust_env=False)
    asked = httpx.post(
        f"{base}/api/task/async-apply/operations.make_partitions", auth=("admin", PASSWORD), json={}, trust_env=False
    )

    assert strangers.status_code == 401
    assert asked.status_code == 403


def test_flower_shows_what_failed_with_its_class_and_remembers_over_a_restart(system: System) -> None:
    flower = httpx.Client(
        base_url=f"http://127.0.0.1:{system.config.operations.flower_port}", auth=("admin", PASSWORD), trust_env=False
    )

    def failures() -> list[dict[str, Any]]:
        try:
            shown = flower.get("/api/tasks").json()
        except httpx.HTTPError:
            return []
        return [
            task
            for task in shown.values()
            if (task["name"], task["state"]) == ("operations.record_table_sizes", "FAILURE")
        ]

    with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
        conn.execute("ALTER TABLE jobs RENAME TO jobs_away")
        try:
            _wake_up(system, "keep_sizes")
            wait_until(lambda: bool(failures()), "Flower has seen a task fail", 20)
        finally:
            conn.execute("ALTER TABLE jobs_away RENAME TO jobs")
    [failed] = failures()
    assert failed["exception"] == "StepFailed('UndefinedTable(42P01)')"
    assert (failed["retries"], failed["args"], failed["kwargs"]) == (0, "()", "{}")
    assert failed["started"] < failed["failed"]
    assert str(failed["worker"]).startswith("maintenance@")

    system.terminate("flower")
    system.start("flower")

    wait_until(lambda: [task["uuid"] for task in failures()] == [failed["uuid"]], "Flower remembers", 20)


def _wake_up(system: System, task: str) -> None:
    subprocess.run(
        [
            sys.executable, "-P", "-c",
            f"from tasks.operations import tasks; from tasks.wakeups import wake_up; wake_up(tasks.{task})",
        ],
        cwd=PROJECT_ROOT, env=child_environment(system.environment()), check=True, timeout=60,
    )  # fmt: skip


def _everything_in(system: System) -> bytes:
    """All that Redis holds now, whatever its type."""
    client = connect(str(system.config.redis.url))
    readers: dict[Any, Callable[[Any], Any]] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"hash": client.hgetall,
        b"stream": client.xrange,
    }
    try:
        kept = {key: client.type(key) for key in client.scan_iter()}
        # KeyError: a type that nobody thought of is a test that looks away
        return repr([(key, readers[kind](key)) for key, kind in kept.items() if kind != b"none"]).encode()
    finally:
        client.close()
