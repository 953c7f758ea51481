"""Mutation testing: which deliberate mistakes in the pure modules do the unit tests miss? `make mutate`.

mutmut changes one thing at a time (`<` to `<=`, an argument to None, a text to another) in a copy of the tree under
.mutate/, and runs the unit tests that reach the changed function. A change that no test notices survives: either a
test is missing, or the code can do without what was changed. CONTRIBUTING.md tells how to read the report.

Not changed: constants of modules, decorated functions (properties among them), and lines that log.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".mutate"
TOOLS, TREE = WORK / "venv", WORK / "tree"
PYTHON = TOOLS / "bin" / "python"
LOCK = ROOT / "requirements-mutate.lock"

ENOUGH = 0.85
"""The part of the mutants that the tests must notice."""

MODULES = (
    "gateway/http/parameters.py",
    "gateway/http/rate_headers.py",
    "gateway/rest/cursors.py",
    "gateway/rest/mistakes.py",
    "gateway/rest/reading.py",
    "shared/cache/two_level.py",
    "shared/channels/body.py",
    "shared/channels/fields.py",
    "shared/channels/markdown.py",
    "shared/channels/markup.py",
    "shared/channels/meta/errors.py",
    "shared/channels/meta/event.py",
    "shared/channels/meta/message.py",
    "shared/channels/meta/templates.py",
    "shared/channels/meta/webhook.py",
    "shared/channels/parts.py",
    "shared/channels/signature.py",
    "shared/channels/slack/action.py",
    "shared/channels/slack/event.py",
    "shared/channels/slack/message.py",
    "shared/channels/slack/text.py",
    "shared/channels/slack/update.py",
    "shared/channels/standard/event.py",
    "shared/channels/support.py",
    "shared/channels/telegram/contents.py",
    "shared/channels/telegram/message.py",
    "shared/channels/telegram/update.py",
    "shared/channels/text.py",
    "shared/channels/whatsapp/account.py",
    "shared/channels/whatsapp/message.py",
    "shared/channels/whatsapp/numbers.py",
    "shared/channels/whatsapp/replies.py",
    "shared/channels/whatsapp/status.py",
    "shared/channels/whatsapp/webhook.py",
    "shared/errors.py",
    "shared/knowledge/asked_identifiers.py",
    "shared/knowledge/chunk.py",
    "shared/knowledge/conversation.py",
    "shared/knowledge/extract/base.py",
    "shared/knowledge/extract/below.py",
    "shared/knowledge/extract/docx.py",
    "shared/knowledge/extract/formats.py",
    "shared/knowledge/extract/html.py",
    "shared/knowledge/extract/plain.py",
    "shared/knowledge/extract/sitemap.py",
    "shared/knowledge/extract/transcripts.py",
    "shared/knowledge/follow_up.py",
    "shared/knowledge/gathered.py",
    "shared/knowledge/identifiers.py",
    "shared/knowledge/language.py",
    "shared/knowledge/quote.py",
    "shared/knowledge/rank.py",
    "shared/knowledge/relevance.py",
    "shared/knowledge/remembered.py",
    "shared/knowledge/reranked.py",
    "shared/knowledge/trim.py",
    "shared/knowledge/views.py",
    "shared/knowledge/words.py",
    "shared/live/stream.py",
    "shared/live/topics.py",
    "shared/llm/prompt.py",
    "shared/llm/router.py",
    "shared/model.py",
    "shared/names.py",
    "shared/openings.py",
    "shared/resilience/addresses.py",
    "shared/resilience/backoff.py",
    "shared/resilience/breaker.py",
    "shared/resilience/limiter_alone.py",
    "shared/resilience/limits.py",
    "shared/resilience/load_shedding.py",
    "shared/settings/spelling.py",
    "shared/triage/ambiguous.py",
    "shared/triage/asked.py",
    "shared/triage/classify.py",
    "shared/triage/consent.py",
    "shared/triage/echo.py",
    "shared/triage/near.py",
    "shared/triage/normal.py",
    "shared/triage/own_case.py",
    "shared/triage/phrase_tree.py",
    "shared/triage/speech.py",
    "shared/triage/spoken.py",
    "shared/triage/texts.py",
    "tasks/answers/cited_pieces.py",
    "tasks/answers/fallback.py",
    "tasks/answers/trace.py",
    "tasks/dispatch.py",
    "tasks/operations/drop_reasons.py",
    "workers/commands/suggest.py",
)
"""Modules whose logic needs neither a database nor Redis: what stands here has its tests in tests/unit."""

SOURCES = (
    "bench", "deploy", "docs", "gateway", "migrations", "scripts", "shared", "standin", "tasks", "tests", "workers",
)  # fmt: skip
FILES = ("beat_schedule.py", "celeryconfig.py", "pyproject.toml")

NOT_RUN = (
    # these read the files of the tree: a mutated one holds hundreds of versions of a function
    "test_docs*.py", "test_excepts.py", "test_faults.py", "test_packaging.py", "test_wiring.py",
    # these start processes, which do not know which mutant they are
    "test_command_tree.py", "test_drill.py", "test_logs.py",
    # these read a model, which the other environment has not
    "test_e5.py", "test_minilm.py",
    # these take long
    "test_*fuzz.py",
)  # fmt: skip

PYTEST = (
    # a test of the shared limiter starts a server; very long texts take too long where each call chooses its mutant
    "-k", "not redis] and not linear and not megabyte and not long_texts",
    # collects garbage five times a run, of all that was imported for all the tests: more than half of a mutant's time
    "-p", "no:unraisableexception", "-p", "no:threadexception",
    "-p", "no:cacheprovider", "-p", "no:xdist",
    "-p", "scripts.mutate_caches",
    # the same examples for every mutant, and none fails because the machine is busy
    "--hypothesis-profile=ci",
)  # fmt: skip

GENERATE = """
from mutmut import __main__ as mutmut
mutmut.set_mutant_under_test("mutant_generation")
mutmut.makedirs("mutants", exist_ok=True)
mutmut.copy_src_dir()
mutmut.copy_also_copy_files()
mutmut.setup_source_paths()
mutmut.create_mutants(1)
"""
"""Makes the mutants as `mutmut run` does, which tries them then."""

KILLED = frozenset((1, 3, -11))  # a test failed, pytest itself failed, the interpreter died
TIMED_OUT = frozenset((36, 24, -24, 152, 255, -9))
UNTESTED = frozenset((33, 5))


@dataclass(frozen=True, slots=True)
class Score:
    """What became of a module's mutants. untested: no unit test reaches their function. untried: time was up."""

    module: str
    killed: int
    survived: int
    untested: int
    untried: int

    @property
    def tried(self) -> int:
        return self.killed + self.survived + self.untested

    def __str__(self) -> str:
        part = f"{self.killed / self.tried:6.1%}" if self.tried else "     –"
        return f"{part} {self.killed:8} {self.survived:9} {self.untested:9} {self.untried:8}  {self.module}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make mutate", description="Mutation testing of the pure modules.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="a module or folder of the list; all without one")
    parser.add_argument("--minutes", type=float, default=60.0, help="the run is ended after so many (%(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--every", type=_positive, default=1, metavar="N", help="try each Nth mutant only: an estimate")
    asked = parser.parse_args(argv)
    chosen = [module for module in MODULES if not asked.modules or any(map(module.startswith, asked.modules))]
    if not chosen:
        parser.error(f"none of {', '.join(asked.modules)} is a module of MODULES in scripts/mutate.py")
    WORK.mkdir(exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            parser.error("another run is at it in .mutate")
        return _mutate(chosen, asked.minutes, asked.processes, asked.every)


def _positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def _mutate(chosen: Sequence[str], minutes: float, processes: int, every: int) -> int:
    install()
    copy(chosen)
    _say(f"mutating {len(chosen)} modules with {processes} processes, for {minutes:g} minutes at most")
    names = sample(chosen, every) if every > 1 else ()
    ended = run(minutes * 60, processes, names)
    if names and not ended:
        ended = f"one of {every} mutants was tried"
    outcomes = {module: _outcomes(module) for module in chosen}
    return report(outcomes, ended)


def install() -> None:
    """Make an environment with mutmut and what it needs, which sees the packages of this one as well."""
    stamp = TOOLS / LOCK.name
    if stamp.exists() and stamp.read_bytes() == LOCK.read_bytes():
        return
    venv.create(TOOLS, clear=True, with_pip=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "-r", str(LOCK)], check=True)
    (_packages(TOOLS) / "project.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    shutil.copyfile(LOCK, stamp)


def _packages(environment: Path) -> Path:
    return Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))


def copy(modules: Sequence[str]) -> None:
    """Make the tree that is mutated anew, so that no result of an earlier one is left in it."""
    shutil.rmtree(TREE, ignore_errors=True)
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, TREE / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in FILES:
        shutil.copyfile(ROOT / file, TREE / file)
    lists = {
        "source_paths": modules,
        "also_copy": [*SOURCES, *FILES],
        "do_not_mutate_patterns": [r"\blog\.(debug|info|warning|error|exception)\("],
        "pytest_add_cli_args_test_selection": tests_of(modules),
        "pytest_add_cli_args": PYTEST,
    }
    single = {"use_git_change_detection": "false", "timeout_multiplier": "5", "timeout_constant": "2"}
    lines = [f"{name} =\n" + "".join(f"    {value}\n" for value in values) for name, values in lists.items()]
    lines += [f"{name} = {value}\n" for name, value in single.items()]
    (TREE / "setup.cfg").write_text("[mutmut]\n" + "".join(lines), encoding="utf-8")


def tests_of(modules: Sequence[str]) -> list[str]:
    """The files of unit tests that import one of the modules, a package that it is in or that package's platform, also
    by a helper of the tests."""
    names = {module.removesuffix(".py").replace("/", ".") for module in modules}
    packages = {package for name in names for package in _packages_above(name)}
    wanted = names | packages | {f"{package}.platform" for package in packages}
    files = sorted((ROOT / "tests" / "unit").glob("test_*.py"))
    files = [file for file in files if not any(map(file.match, NOT_RUN)) and wanted & _imported(file)]
    return [str(file.relative_to(ROOT)) for file in files]


def _packages_above(name: str) -> Iterator[str]:
    """`shared.channels.telegram` and `shared.channels` of shared.channels.telegram.message."""
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(2, len(parts)))


@cache
def _imported(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    helpers = [ROOT / f"{name.replace('.', '/')}.py" for name in found if name.startswith("tests.")]
    return found.union(*(_imported(helper) for helper in helpers if helper.is_file() and helper != file))


def sample(modules: Sequence[str], every: int) -> list[str]:
    """Each of so many mutants, spread over all functions of the modules.

    mutmut tries those with the quickest tests first: what a run gets through before its end is no fair sample.
    """
    subprocess.run([str(PYTHON), "-c", GENERATE], cwd=TREE, check=True, stdout=subprocess.DEVNULL)
    return [name for module in modules for name in list(_outcomes(module))[every // 2 :: every]]


def run(limit_s: float, processes: int, names: Sequence[str] = ()) -> str:
    """Try the named mutants, all if none is named; returns why the run ended before its end, empty if it did not."""
    log = WORK / "mutmut.log"
    with log.open("wb") as out:
        mutmut = subprocess.Popen(
            [str(PYTHON.with_name("mutmut")), "run", "--max-children", str(processes), *names],
            cwd=TREE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            mutmut.wait(limit_s)
        except subprocess.TimeoutExpired:
            _end(mutmut)
            return f"{limit_s / 60:g} minutes are over"
        except KeyboardInterrupt:
            _end(mutmut)
            return "interrupted"
    if mutmut.returncode:
        tail = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").splitlines()[-40:]
        _say("\n".join(tail))
        return f"mutmut ended with {mutmut.returncode}; {log.relative_to(ROOT)} has all that it said"
    return ""


def _end(mutmut: subprocess.Popen[bytes]) -> None:
    """End it with its children, of which one may hang."""
    mutmut.send_signal(signal.SIGINT)
    deadline_s = time.monotonic() + 10
    while mutmut.poll() is None and time.monotonic() < deadline_s:
        time.sleep(0.1)
    try:
        os.killpg(mutmut.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself
    mutmut.wait()


def _outcomes(module: str) -> dict[str, int | None]:
    """By mutant the exit code of its tests, None where it was not tried."""
    meta = TREE / "mutants" / f"{module}.meta"
    try:
        found: dict[str, int | None] = json.loads(meta.read_bytes())["exit_code_by_key"]
    except (FileNotFoundError, ValueError):  # not written yet, or half
        return {}
    return found


def score(module: str, outcomes: Mapping[str, int | None]) -> Score:
    counts = Counter(
        "untried" if code is None else "killed" if code in KILLED | TIMED_OUT else "untested" if code in UNTESTED
        else "survived"
        for code in outcomes.values()
    )  # fmt: skip
    return Score(module, counts["killed"], counts["survived"], counts["untested"], counts["untried"])


def report(outcomes: Mapping[str, Mapping[str, int | None]], ended: str) -> int:
    """Print the survivors and each module's score; returns the exit code."""
    scores = [score(module, of_module) for module, of_module in outcomes.items()]
    _say("\n".join(survivors(outcomes)))
    _say("\n score   killed  survived  untested  untried  module")
    _say("\n".join(map(str, scores)))
    counts = [(one.killed, one.survived, one.untested, one.untried) for one in scores]
    total = Score("all", *(sum(column) for column in zip(*counts, strict=True)))
    _say(str(total))
    if ended or not total.tried:
        _say(f"not complete: {ended or 'there were no mutants'}")
        return 1
    if total.killed < ENOUGH * total.tried:
        _say(f"fewer than {ENOUGH:.0%} of the mutants were killed")
        return 1
    return 0


def survivors(outcomes: Mapping[str, Mapping[str, int | None]]) -> Iterator[str]:
    """What was changed without a test that failed, by module and function."""
    sys.path.append(str(_packages(TOOLS)))
    os.chdir(TREE)
    diff_of = importlib.import_module("mutmut.mutation.diff_apply").get_diff_for_mutant
    for module, of_module in outcomes.items():
        untested = Counter(_function(name) for name, code in of_module.items() if code in UNTESTED)
        for function, count in untested.items():
            yield f"{module} {function}: no unit test reaches it ({count})"
        for name, code in of_module.items():
            if code is not None and code not in KILLED | TIMED_OUT | UNTESTED:
                lines = diff_of(name, path=module).splitlines()[3:]
                changed = "  ".join(f"{line[0]} {line[1:].strip()}" for line in lines if line[:1] in ("-", "+"))
                yield f"{module} {_function(name)}: {changed}"


def _function(mutant: str) -> str:
    """`Class.method` of mutmut's name: `package.module.xǁClassǁmethod__mutmut_7`."""
    name = mutant.rpartition(".")[2].rpartition("__mutmut_")[0]
    return name.removeprefix("x").lstrip("ǁ").replace("ǁ", ".") if "ǁ" in name else name.removeprefix("x_")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
