"""Checks that need no service: settings, packages, the data folder, disks."""

from __future__ import annotations

import os
import pyexpat
import re
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from shared.embedded.folder import SECRETS_FILE
from shared.knowledge import embed
from shared.resilience import disk
from shared.settings import PROJECT_ROOT, RUN_ENV
from workers.doctor.context import DoctorContext, Finding, fail, ok, warn

PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)([^\\]*)", re.MULTILINE)
EXPAT_MIN = (2, 6, 0)


def configuration(visit: DoctorContext) -> Iterator[Finding]:
    """Report what is not configured. The settings were loaded and checked against each other before."""
    config = visit.config
    if not config.system.fernet_keys:
        yield fail("configuration", "ENCRYPTION_KEYS is not set", "set a Fernet key; ./switchboard up makes one")
    if config.llm.base_url is None:
        yield warn("configuration", "no model in the environment: without a route answers quote passages",
                   "set LLM_BASE_URL and LLM_MODEL, or model-provider add and model-route set answer")  # fmt: skip
    if not config.operations.ops_token.get_secret_value():
        yield warn("configuration", "no OPS_TOKEN: GET /metrics is closed", "set OPS_TOKEN to open it")
    yield ok("configuration", "the settings fit together")


def packages(visit: DoctorContext) -> Iterator[Finding]:
    """Compare the installed packages with requirements.lock."""
    lock = PROJECT_ROOT / "requirements.lock"
    wrong = [f"{name} {have or 'missing'} instead of {want}" for name, want, have in _deviations(lock)]
    if wrong:
        yield warn("packages", "; ".join(wrong[:5]) + ("; …" if wrong[5:] else ""), "run scripts/setup.sh")
    else:
        yield ok("packages", f"as in requirements.lock, on Python {sys.version.split()[0]}")


def _deviations(lock: Path) -> Iterator[tuple[str, str, str | None]]:
    """(name, wanted, installed) of unconditional pins that are not met."""
    for name, want, marker in PIN.findall(lock.read_text("utf-8")):
        if ";" in marker:
            continue  # for another platform or Python, perhaps
        try:
            have: str | None = metadata.version(name)
        except metadata.PackageNotFoundError:
            have = None
        if have != want:
            yield name, want, have


def local_model(visit: DoctorContext) -> Iterator[Finding]:
    """Check the files of the local embedding model, if it is the first one."""
    if visit.config.embeddings.base_url is not None:
        return
    model = visit.config.embeddings.local_model
    if (wrong := embed.local_problem(model)) is None:
        yield ok("embedding model", f"{model}: its files are the ones that belong here")
    else:
        yield fail("embedding model", f"{model}: {wrong[0]}: nothing is searched by its meaning", wrong[1])


def xml_parser(visit: DoctorContext) -> Iterator[Finding]:
    """Check the interpreter's version of expat, which reads XML from strangers: sitemaps and Word documents."""
    yield xml_parser_finding(pyexpat.version_info)


def xml_parser_finding(version: tuple[int, int, int]) -> Finding:
    name = "expat " + ".".join(map(str, version))
    if version >= EXPAT_MIN:
        return ok("XML parser", name)
    return warn(
        "XML parser", f"{name}: parsing a crafted document takes time that grows with the square of its size"
        " (CVE-2023-52425); imports are limited in size and time, so only such an import fails",
        "use Python 3.11.9, 3.12.3 or newer, which include expat 2.6; ignore this if your 2.5 was fixed",
    )  # fmt: skip


def data_dir(visit: DoctorContext) -> Iterator[Finding]:
    """Check the folder of secrets and embedded services: writable by us, closed to others."""
    folder = visit.config.system.data_dir
    if not folder.exists():
        yield ok("data folder", f"{folder} does not exist yet; it is created when it is needed")
        return
    closed = True
    for path in (folder, folder / SECRETS_FILE, folder / RUN_ENV, folder / "log"):
        problem = _too_open(path)
        if problem is not None:
            closed = False
            yield problem
    if not os.access(folder, os.W_OK):
        yield fail("data folder", f"{folder} cannot be written by user id {os.geteuid()}",
                   "run as its owner, or set DATA_DIR to another folder")  # fmt: skip
        return
    if closed:
        yield ok("data folder", f"{folder} is closed to others")


def disks(visit: DoctorContext) -> Iterator[Finding]:
    """The disks of this machine that we write to."""
    for room in disk.rooms(visit.config):
        words, _, do = room.words.rpartition(": ")
        if room.level == "ok":
            yield ok("disk", room.words)
        elif room.level == "low":
            yield warn("disk", words, f"{do} (DISK_WARN_FREE_BYTES, DISK_WARN_FREE_SHARE)")
        elif room.level == "full":
            yield fail("disk", words, f"{do} (DISK_REFUSE_FREE_BYTES); what was accepted is kept")
        else:
            yield fail("disk", room.words, "mount it for writing: remount,rw")


def _too_open(path: Path) -> Finding | None:
    """Report secrets that other users may read: fail for the files, warn for the folders around them."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as e:
        return fail("data folder", f"{path} cannot be read: {e.strerror}", "run as its owner")
    others = stat.S_IMODE(found.st_mode) & 0o077
    if not others:
        return None
    mode = f"{path} has mode {stat.S_IMODE(found.st_mode):04o}"
    if path.is_dir():
        return warn("data folder", mode, f"chmod 700 {path}")
    return fail("data folder", f"{mode} and holds secrets", f"chmod 600 {path}")


def metrics_folder(visit: DoctorContext) -> Iterator[Finding]:
    """Check the folder into which processes write their metrics."""
    folder = visit.config.metrics_folder
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
    if not os.access(nearest, os.W_OK):
        yield warn("metrics", f"{folder} cannot be written: processes run without metrics", "set METRICS_DIR")
        return
    size = sum(path.stat().st_size for path in folder.glob("*.db")) if folder.is_dir() else 0
    yield ok("metrics", f"{folder}, {size // 1024} KiB")
