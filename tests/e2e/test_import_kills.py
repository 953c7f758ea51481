"""SIGKILL to the process that reads and embeds documents, at each step: one document, embedded once, no child left."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import psycopg
import pytest

from shared import faults
from shared.store.tenants import companies
from tasks.tenants import onboarding
from tests.e2e.system import System, private_system, wait_until

READER = "shared.knowledge.extract.server"
POINTS = (
    "import.claimed", "import.chunked", "import.stored", "import.before_commit", "import.after_commit",
    "index.claimed", "index.embedded", "index.before_commit", "index.after_commit",
)  # fmt: skip
TEXT = b"# Returns\n\nYou may send everything back within thirty days.\n"


class Company:
    """One with an agent's key and nothing else."""

    def __init__(self, system: System, name: str) -> None:
        self.system = system
        with psycopg.connect(str(system.config.database.admin_url), autocommit=True) as conn:
            self.id = companies.ensure(conn, name).id
            key = onboarding.new_agent(conn, self.id, "Ada")
        self._headers = {"authorization": f"Bearer {key}"}

    def send(self, name: str, body: bytes) -> None:
        answer = self.system.http.post("/api/v1/documents", params={"name": name}, content=body, headers=self._headers)
        assert answer.status_code == 202, answer.text

    def go_on(self) -> None:
        """What the dead process had claimed is taken up, as if its lease were over; and the workers are woken up."""
        self.system.do("UPDATE imports SET due_at = now() WHERE state = 'queued'")
        self.system.do("UPDATE indexing SET due_at = now() WHERE NOT done")
        assert self.system.http.post("/api/v1/imports/retry", headers=self._headers).status_code == 200

    def embedded(self) -> bool:
        return self.system.rows(
            "SELECT count(*) > 0 AND bool_and(i.done) FROM documents d JOIN indexing i ON i.company_id = d.company_id"
            " AND i.document_id = d.id WHERE d.company_id = %s",
            self.id,
        ) == [(True,)]

    def check(self) -> None:
        [(documents, promised)] = self.system.rows(
            "SELECT count(*), sum(chunk_count) FROM documents WHERE company_id = %s", self.id
        )
        counted = self.system.rows(
            "SELECT count(c.id), count(DISTINCT c.ordinal), count(e.chunk_id), count(DISTINCT e.chunk_id) FROM chunks c"
            " LEFT JOIN embeddings e ON e.company_id = c.company_id AND e.chunk_id = c.id WHERE c.company_id = %s",
            self.id,
        )
        assert (documents, counted) == (1, [(promised,) * 4])
        assert self.system.rows("SELECT state, body IS NULL FROM imports WHERE company_id = %s", self.id) == [
            ("done", True)
        ]


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with private_system() as system:
        system.start("gateway")
        _start(system)
        yield system


def _start(system: System) -> None:
    system.start("index", faults=faults.ON_REQUEST, marks=system.folder)


def _readers(parents: set[int]) -> set[int]:
    """The processes that read files, below these."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [(int(pid), int(parent)) for pid, parent, args in _columns(listed) if READER in args]
    below = {pid for pid, parent in rows if parent in parents}
    return below | {pid for pid, parent in rows if parent in below}


def _columns(listed: str) -> list[list[str]]:
    return [line.split(maxsplit=2) for line in listed.splitlines() if len(line.split(maxsplit=2)) == 3]


def _alive(pids: set[int]) -> bool:
    listed = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True, check=True).stdout
    return any(int(pid) in pids and not state.startswith("Z") for pid, state in map(str.split, listed.splitlines()))


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_step_leaves_one_document_embedded_once(system: System, point: str) -> None:
    company = Company(system, f"company of {point}")
    running = system.processes["index"].process.pid
    mark = faults.arm(system.folder / "index", point)

    company.send("returns.md", TEXT)
    wait_until(mark.exists, f"{point} is reached", 40, system.log_tails)
    readers = _readers({running})
    assert system.wait_dead("index") == -9
    wait_until(lambda: not _alive(readers), "the reading processes are gone", 10)
    _start(system)
    company.go_on()

    wait_until(company.embedded, "everything is embedded", 60, system.log_tails)
    company.check()


def test_a_kill_while_a_file_is_read_ends_its_child_and_the_source_can_be_read_again(system: System) -> None:
    company = Company(system, "company of a long file")
    running = system.processes["index"].process.pid
    company.send("returns.html", b"<a b>" * 3_000_000)  # nothing but tags: takes seconds on any machine
    wait_until(lambda: len(_readers({running})) >= 2, "a child reads", 40, system.log_tails)
    readers = _readers({running})

    system.kill("index")

    wait_until(lambda: not _alive(readers), "the reading processes are gone", 3)
    assert system.rows("SELECT state FROM imports WHERE company_id = %s", company.id) == [("queued",)]
    company.send("returns.html", TEXT)  # the slow one would be failed
    _start(system)
    company.go_on()
    wait_until(company.embedded, "everything is embedded", 60, system.log_tails)
    company.check()
