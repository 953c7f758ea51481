"""Misspelt settings: names in the environment that are meant to be ours and are not.

The environment is shared with the whole machine, so a name is an error only where it can hardly be anything else, and
is otherwise told as a warning, if it is near ours or begins as only ours do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

OURS_BEGIN = (
    "LLM_", "EMBEDDINGS_", "EMBEDDING_", "RERANK_", "GATEWAY_", "WIDGET_", "OVERLOAD_", "JOURNAL_", "ARCHIVE_",
    "BACKUP_", "MEDIA_S3_", "TELEGRAM_API", "GRAPH_API_", "INSTAGRAM_API", "REFUSE_", "QUIET_WINDOW", "ALERT_WEBHOOK_",
    "ENCRYPTION_KEY", "KNOWLEDGE_SEARCH_", "KNOWLEDGE_WRITE_", "DISK_",
)  # fmt: skip
"""Beginnings that other programs hardly use; MEDIA_, DATABASE_, REDIS_, FLOWER_ and others they do."""
FOREIGN = frozenset((
    "LOGLEVEL", "DATABASE_URI", "DATABASE_URLS", "REDIS_URI", "REDIS_URLS", "CACHE_URI", "CACHE_URLS", "BROKER_URI",
    "RUNDIR", "RUNDIRS", "DATADIR", "DATADIRS", "METRICSDIR", "MEDIA_URL", "MEDIA_DIRS", "TELEGRAM_API_ID",
    "TELEGRAM_API_HASH", "TELEGRAM_API_KEY", "TELEGRAM_API_TOKEN", "BACKUP_FOLDER",
))  # fmt: skip
"""Names of other programs' settings that look like ours."""
ELSEWHERE = re.compile(r"(RAW_)?RETENTION(_|$)")
"""How long things are kept is said by a command, for all and for single companies."""
BY_CONTAINERS = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT_\d+_(TCP|UDP)(_.*)?)$|_TCP_ADDR$|_ENV_|_NAME$")
"""What Kubernetes and Docker set for each service of a neighbourhood."""
RENAMED = {"WEDGED_AFTER_S": "STALLED_AFTER_S", "OVERLOAD_CALM_S": "OVERLOAD_RECOVERY_S",
           "UNCERTAIN_UNBLOCK_S": "UNKNOWN_OUTCOME_UNBLOCK_S"}  # fmt: skip
"""Settings by the names that they had before."""
GONE = {"CONVERSATION_ANSWERS_MAX": "how many answers a contact gets is set with ./switchboard limit set"}
"""Settings that there are no more, and what stands in their place."""
ONE_EDIT_LENGTH, TWO_EDITS_LENGTH = 8, 12
"""From which length on, without underscores, so many wrong letters still leave no doubt."""
TOO_LONG = 64


@dataclass(frozen=True, slots=True)
class Surprise:
    """A name that no setting has. sure: it can hardly be another program's."""

    name: str
    words: str
    sure: bool


def surprises(names: Iterable[str], known: Iterable[str]) -> tuple[Surprise, ...]:
    """names: those of the environment. known: our settings' names, in capitals."""
    return _judged(frozenset(name.upper() for name in names), frozenset(known))


@cache
def _judged(names: frozenset[str], known: frozenset[str]) -> tuple[Surprise, ...]:
    plain = {_plain(name): name for name in sorted(known)}  # of two that are equally near always the same is meant
    found = (_judge(name, plain, names) for name in sorted(names - known) if len(name) <= TOO_LONG)
    return tuple(one for one in found if one is not None)


def _judge(name: str, plain: dict[str, str], names: frozenset[str]) -> Surprise | None:
    """None: it is none of our business."""
    if name in RENAMED:
        return Surprise(name, f"{name} has a new name: set {RENAMED[name]}", True)
    if name in GONE:
        return Surprise(name, f"{name} is not a setting any more: {GONE[name]}", True)
    if ELSEWHERE.match(name):
        told = f"{name} is not a setting: how long things are kept is set with ./switchboard retention"
        return Surprise(name, told, False)
    if BY_CONTAINERS.search(name):
        return None
    if name.startswith("SWITCHBOARD_") and _plain(name.removeprefix("SWITCHBOARD_")) in plain:
        nearest, edits = plain[_plain(name.removeprefix("SWITCHBOARD_"))], 0
    elif name.endswith("_FILE") and _plain(name.removesuffix("_FILE")) in plain:
        of = plain[_plain(name.removesuffix("_FILE"))]
        return Surprise(name, f"{name} is not read: set {of} itself", False)
    else:
        nearest, edits = _nearest(_plain(name), plain)
    if nearest and edits <= 2:
        # The right name beside it: then this one is perhaps another program's. A number at the end: a spare.
        doubtful = name in FOREIGN or nearest in names or name[-1].isdigit()
        return Surprise(name, f"{name} is not a setting: did you mean {nearest}?", not doubtful)
    if name in FOREIGN or not name.startswith(OURS_BEGIN):
        return None
    nearest = _begins_alike(_plain(name), plain)
    hint = f": the nearest one is {nearest}" if nearest else ""
    return Surprise(name, f"{name} is not a setting of Switchboard{hint}", False)


def _plain(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum())


def _nearest(name: str, plain: dict[str, str]) -> tuple[str, int]:
    """The setting with the fewest wrong letters and how many those are: at most as many as leave no doubt for its
    length; ("", 3) where none is near."""
    best, fewest = "", 3
    for candidate, known in plain.items():
        at_most = 2 if len(candidate) >= TWO_EDITS_LENGTH else 1 if len(candidate) >= ONE_EDIT_LENGTH else 0
        if abs(len(name) - len(candidate)) > at_most or not _may_be_near(name, candidate):
            continue
        edits = edits_between(name, candidate)
        if edits <= at_most and edits < fewest:
            best, fewest = known, edits
    return best, fewest


def _begins_alike(name: str, plain: dict[str, str]) -> str:
    """The setting that shares most of its beginning with a name; '' where none shares enough."""
    shared = {known: _common_beginning(name, candidate) for candidate, known in plain.items()}
    longest = max(shared, key=lambda known: (shared[known], known), default="")
    return longest if longest and shared[longest] >= ONE_EDIT_LENGTH else ""


def _may_be_near(name: str, candidate: str) -> bool:
    """Two edits leave one of three thirds whole, moved by two letters at most."""
    third = len(candidate) // 3
    return any(candidate[start : start + third] in name for start in (0, third, 2 * third))


def edits_between(one: str, other: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def _common_beginning(one: str, other: str) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count
