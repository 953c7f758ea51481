"""Fits the weights of relevance, and measures them on corpora that they were not fitted on.

`python -m bench.relevance FOLDER [SET …]`: the folder holds the evaluation sets (xquad-*, stackfaq, doc2dial, mtrag,
banking77, clinc150), each with corpus.jsonl and queries.jsonl; the shop of tests/contract/relevance is always there.
The questions are asked once and what relevance sees of them is kept (`--examples FILE`, JSON lines), so that another
fit takes seconds; `--vectors FILE` keeps the vectors. Prints a table for each way to withhold questions, how many of
MTRAG's questions without an answer are answered when so many of those with one are handed over, and the weights for
relevance.py.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import psycopg

from bench.relevance_questions import Remembering, examples
from shared.embedded import DataFolder, Postgres
from shared.knowledge.relevance import Features, Weights
from shared.store.db.migrate import migrate

SETS = ("shop", "xquad", "stackfaq", "doc2dial", "mtrag")
OWN = ("nearness", "excess", "size", "share", "told", "phrases")
FOREIGN = ("nearness", "excess")
"""Features that carry weight for passages in the question's language, and in another one."""
AGAINST = frozenset(("size",))
THRESHOLD = 0.3
REGULAR = 0.002
"""What a weight costs, squared, in units of its feature's standard deviation, beside the mean loss of an example."""
STEPS = 3_000
SMALL = 40
"""A group of fewer examples counts less: its share is chance."""
COUNTED = {"unanswerable": 3.0, "underspecified": 0.2}
"""Hard questions count more, and those that even people answer in part less."""
ACCEPTED = {
    ("as written", True): 0.04, ("lower case", True): 0.05, ("courtesies", True): 0.05, ("typos", True): 0.09,
    ("short", True): 0.25, ("other language", True): 0.10, ("first question", True): 0.06, ("follow-up", True): 0.10,
    ("as written", False): 0.10, ("lower case", False): 0.12, ("courtesies", False): 0.12, ("typos", False): 0.12,
    ("banking77", False): 0.10, ("clinc150", False): 0.10, ("unanswerable", False): 0.35,
    ("underspecified", False): 0.6, ("other language", False): 0.16,
}  # fmt: skip
"""Shares of questions handed over (True: with an answer) and answered (without one) that are aimed at."""

Group: TypeAlias = tuple[str, str, bool]


@dataclass(frozen=True, slots=True)
class Example:
    """A question. rows: of its best passages whether they answer it, and the features."""

    corpus: str
    family: str
    situation: str
    answered: bool
    topic: str
    foreign: bool
    rows: tuple[tuple[bool, Features], ...]

    @property
    def group(self) -> Group:
        return self.family, self.situation, self.answered


def read(path: Path) -> list[Example]:
    """Read examples; questions that found nothing are left out, because there is nothing to judge."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        if rows := entry.pop("rows"):
            judged = tuple((bool(row[0]), Features(*row[2:])) for row in rows)
            found.append(Example(**entry, foreign=bool(rows[0][1]), rows=judged))
    return found


def fit(known: Sequence[Example], names: Sequence[str]) -> Weights:
    """Fit a logistic model whose weights have the signs that their features must have, and move it so that its
    operating point lies at the threshold.

    Passages that answer are examples for; those of questions without an answer are against, the best one most. Every
    group of questions counts alike, whatever its number.
    """
    count = Counter(example.group for example in known)
    values, answers, counts = [], [], []
    for example in known:
        each = COUNTED.get(example.situation, 1.0) / (count[example.group] + SMALL)
        for place, (answering, features) in enumerate(example.rows):
            if answering or not example.answered:
                values.append([getattr(features, name) for name in names])
                answers.append(1.0 if answering else -1.0)
                counts.append(each if answering else each / (1 + place))
    x, y, w = np.array(values), np.array(answers), np.array(counts)
    w[y > 0] /= w[y > 0].sum()
    w[y < 0] /= w[y < 0].sum()
    middle, spread = x.mean(0), x.std(0) + 1e-9
    found = _minimised(np.c_[(x - middle) / spread, np.ones(len(x))], y, w / 2, [name in AGAINST for name in names])
    slopes = found[:-1] / spread
    weights = _weights(names, slopes, float(found[-1] - slopes @ middle))
    moved = weights.base - _operating_point(known, weights) + float(np.log(THRESHOLD / (1 - THRESHOLD)))
    return _weights(names, slopes, moved)


def _minimised(x: Any, y: Any, w: Any, against: Sequence[bool]) -> Any:
    """Minimise the regularised logistic loss by accelerated projected gradients (Beck and Teboulle, 2009)."""
    low = np.array([-np.inf if each else 0.0 for each in against] + [-np.inf])
    high = np.array([0.0 if each else np.inf for each in against] + [np.inf])
    penalty = np.array([REGULAR] * len(against) + [0.0])
    step = 1 / (np.linalg.norm(x.T @ (x * w[:, None]), 2) / 4 + 2 * REGULAR)
    now = ahead = np.zeros(x.shape[1])
    inertia = 1.0
    for _ in range(STEPS):
        slope = -(x.T @ (w * y / (1 + np.exp(np.clip(y * (x @ ahead), -500, 500))))) + 2 * penalty * ahead
        after = np.clip(ahead - step * slope, low, high)
        faster = (1 + (1 + 4 * inertia**2) ** 0.5) / 2
        now, ahead, inertia = after, after + (inertia - 1) / faster * (after - now), faster
    return now


def _weights(names: Sequence[str], slopes: Sequence[float], base: float) -> Weights:
    given = {name: float(slope) for name, slope in zip(names, slopes, strict=True)}
    return Weights(base, **{name: given.get(name, 0.0) for name in Features._fields})


def _operating_point(known: Sequence[Example], weights: Weights) -> float:
    """Return the log-odds at which the shares handed over and answered exceed half of what is accepted least."""
    of_group: defaultdict[Group, list[float]] = defaultdict(list)
    for example in known:
        of_group[example.group].append(best(example, weights))
    every = np.array([value for values in of_group.values() for value in values])

    def cost(point: float) -> float:
        total = 0.0
        for (_, situation, answered), values in of_group.items():
            share = np.mean(np.array(values) < point) if answered else np.mean(np.array(values) >= point)
            over = share / ACCEPTED[situation, answered] - 0.5
            total += max(0.0, float(over)) * min(1.0, len(values) / SMALL)
        return total

    return float(min((float(point) for point in np.percentile(every, np.arange(2, 98, 0.5))), key=cost))


def best(example: Example, weights: Weights) -> float:
    """Return the highest log-odds of a question's passages."""
    return max(
        weights.base + sum(value * getattr(weights, name) for name, value in features._asdict().items())
        for _, features in example.rows
    )


def withheld(known: Sequence[Example], part: Callable[[Example], str]) -> list[tuple[Example, float]]:
    """Judge each part of the examples by weights that were fitted on the other parts."""
    judged = []
    for name in sorted(set(map(part, known))):
        for foreign, names in ((False, OWN), (True, FOREIGN)):
            alike = [example for example in known if example.foreign == foreign]
            others = [example for example in alike if part(example) != name]
            if len({example.answered for example in others}) == 2:
                weights = fit(others, names)
                judged += [(example, best(example, weights)) for example in alike if part(example) == name]
    return judged


def table(judged: Sequence[tuple[Example, float]]) -> list[str]:
    """Return the share of questions handed over, or answered without an answer, by corpus and situation."""
    limit = float(np.log(THRESHOLD / (1 - THRESHOLD)))
    shares: defaultdict[tuple[str, bool], defaultdict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for example, value in judged:
        corpus = "shop" if example.family == "shop" else example.corpus
        shares[corpus, example.answered][example.situation].append((value < limit) == example.answered)
    lines = []
    for (corpus, answered), of in sorted(shares.items()):
        told = [f"{situation} {100 * np.mean(wrong):.1f} % of {len(wrong)}" for situation, wrong in sorted(of.items())]
        lines.append(f"{corpus}, {'handed over' if answered else 'answered'}: {', '.join(told)}")
    return lines


def auc(having: Sequence[float], lacking: Sequence[float]) -> float:
    """Return the probability that a question with an answer stands above one without."""
    a, b = np.array(having)[:, None], np.array(lacking)[None, :]
    return float(np.mean((a > b) + 0.5 * (a == b)))


def trade(judged: Sequence[tuple[Example, float]]) -> list[str]:
    """Tell how many of MTRAG's questions without an answer are answered when so many with one are handed over."""
    of: Mapping[str, list[float]] = defaultdict(list)
    for example, value in judged:
        if example.family == "mtrag":
            of["" if example.answered else example.situation].append(value)
    lines = []
    for situation in sorted(set(of) - {""}):
        points = [(part, float(np.percentile(of[""], part))) for part in (2.5, 5, 10, 15, 20, 25)]
        told = [f"{100 * np.mean(np.array(of[situation]) >= at):.0f} % at {part:g} %" for part, at in points]
        lines.append(
            f"mtrag, {situation}: AUC {auc(of[''], of[situation]):.3f}; answered {', '.join(told)} handed over"
        )
    return lines


def report(known: Sequence[Example]) -> list[str]:
    """Return tables of withheld questions, and the weights of all."""
    lines = []
    halves = withheld(known, lambda example: str(zlib.crc32(example.topic.encode()) % 2))
    corpora = withheld(known, lambda example: example.family)
    for title, judged in (("every set withheld in turn", corpora), ("half of the topics withheld", halves)):
        given, lacking = ([value for each, value in judged if each.answered == has] for has in (True, False))
        lines += [f"== {title}: AUC {auc(given, lacking):.4f}", *table(judged), *trade(judged)]
    for name, names, foreign in (("own", OWN, False), ("foreign", FOREIGN, True)):
        weights = fit([example for example in known if example.foreign == foreign], names)
        lines.append(f"{name}={written(weights)},")
    return lines


def written(weights: Weights) -> str:
    """Return weights as they stand in relevance.py."""
    return f"Weights({', '.join(str(round(getattr(weights, name), 2)) for name in ('base', *Features._fields))})"


def collect(folder: Path, sets: Sequence[str], vectors: Path, target: Path) -> None:
    """Ask all questions, and write the examples."""
    embedder = Remembering(vectors)
    with tempfile.TemporaryDirectory() as data, DataFolder(Path(data)) as opened:
        with Postgres(opened, fsync=False) as server:
            migrate(server.database_admin_url)
            with (
                psycopg.connect(server.database_admin_url, autocommit=True) as owner,
                psycopg.connect(server.database_url, autocommit=True, prepare_threshold=None) as conn,
                target.open("w", encoding="utf-8") as file,
            ):
                for example in examples(owner, conn, folder, sets, embedder):
                    file.write(json.dumps(example) + "\n")
        opened.discard()


def main() -> None:
    parser = argparse.ArgumentParser(description="Fits the weights of relevance and measures them.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--examples", type=Path, help="keep what relevance sees of each question in this file")
    parser.add_argument("--vectors", type=Path, help="keep vectors in this file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kept = given.examples or Path(folder) / "examples.jsonl"
        if not kept.exists():
            collect(given.folder, given.sets or SETS, given.vectors or Path(folder) / "vectors.db", kept)
        sys.stdout.write("\n".join(report(read(kept))) + "\n")


if __name__ == "__main__":
    main()
