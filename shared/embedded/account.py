"""The system account that PostgreSQL runs as if we are root, because it refuses to run as root.

An account of its own: what other services run as (`nobody` above all) could read the database's files and memory. It is
made once, as packages of servers do, and stays.
"""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import time
from pathlib import Path

import structlog

from shared.embedded.process import SERVER_ENVIRONMENT, Account, ServiceFailed

log = structlog.get_logger(__name__)

NAME = "switchboard-pg"
FORMERLY = "nobody"
"""Whose the files of older installations are."""
ADMIN_PROGRAMS = "/usr/sbin:/sbin:/usr/bin:/bin"
MAKE = {
    "useradd": ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/false"],
    "adduser": ["-S", "-D", "-H", "-h", "/nonexistent", "-s", "/bin/false"],  # BusyBox
}
MAKE_WITHIN_S = 10.0
LOCKED_PAUSE_S = 0.1


def unprivileged_account() -> Account | None:
    """Return the account that PostgreSQL runs as, made on first use if we are root; None: our own.

    Raises ServiceFailed when it can neither be found nor made.
    """
    if os.geteuid() != 0:
        return None
    return _find() or _make()


def _find() -> Account | None:
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        return None
    if entry.pw_uid == 0:
        raise ServiceFailed(f"the account {NAME} is root's own: PostgreSQL refuses to run as root")
    return Account(entry.pw_uid, entry.pw_gid)


def _make() -> Account:
    """Another start may be making it just now and hold the lock of the list of users, so it is tried for a while."""
    program = next((found for name in MAKE if (found := shutil.which(name, path=ADMIN_PROGRAMS))), None)
    said = "there is no useradd"
    ends_at = time.monotonic() + MAKE_WITHIN_S
    while program is not None:
        argv = [program, *MAKE[Path(program).name], NAME]
        environment = {**SERVER_ENVIRONMENT, "PATH": ADMIN_PROGRAMS}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        if (account := _find()) is not None:
            log.info("account_made", name=NAME, uid=account.uid)
            return account
        said = done.stderr.strip() or f"{program} made none"
        if "lock" not in said or time.monotonic() > ends_at:
            break
        time.sleep(LOCKED_PAUSE_S)
    raise ServiceFailed(
        f"PostgreSQL refuses to run as root, and the system account {NAME} could not be made ({said}): make it, "
        "run as another user than root, or set DATABASE_URL to a server of your own"
    )


def take_over(folder: Path, account: Account) -> None:
    """Make `folder` and all in it the account's own, where it is still its predecessor's. Nothing happens otherwise.

    No server may work on it. A start that is killed half way is gone on with by the next one: the folder itself
    changes hands last, and until then it is closed to both.
    """
    try:
        owner = folder.lstat().st_uid
    except FileNotFoundError:
        return
    if owner == account.uid or not stat.S_ISDIR(folder.lstat().st_mode):
        return
    former = _uid_of(FORMERLY)
    if owner not in (0, former):
        raise ServiceFailed(f"{folder} belongs to user id {owner}, not to {NAME}: give it to {NAME} (chown -R)")
    # Root's own first: the predecessor, which others run as, can exchange nothing inside from here on.
    os.chown(folder, 0, 0, follow_symlinks=False)
    for _, folders, files, inside in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            if os.stat(name, dir_fd=inside, follow_symlinks=False).st_uid == former:  # a planted link is not followed
                os.chown(name, account.uid, account.gid, dir_fd=inside, follow_symlinks=False)
    os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    log.info("files_taken_over", folder=str(folder), name=NAME)


def _uid_of(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
