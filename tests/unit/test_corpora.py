"""What the retrieval benches are made of: real distances inside a copy, other subjects in another one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import corpora
from bench.corpora import Pool
from shared.knowledge.e5 import DIMENSION


@pytest.fixture(scope="module")
def pool() -> Pool:
    rng = np.random.default_rng(5)
    mean = corpora.unit(rng.standard_normal(DIMENSION))
    vectors = corpora.unit(0.08 * rng.standard_normal((300, DIMENSION)) + mean).astype(np.float32)
    passages = [f"This is passage {number}. It says something. It ends here." for number in range(300)]
    near, axes = corpora.nearest(vectors, corpora.NEAR), corpora.axes(vectors)
    elsewhere = corpora.unit(rng.standard_normal(DIMENSION)).astype(np.float32)
    questions = [corpora.Question("What is it?", vectors[7], 7), corpora.Question("And that?", elsewhere, None)]
    return Pool(passages, vectors, near, axes, questions)


def test_turning_keeps_every_distance_and_the_axis_on_which_all_texts_lie(pool: Pool) -> None:
    turned = pool.vectors @ corpora.turned(pool, np.random.default_rng(1))

    assert np.abs(turned @ turned.T - pool.vectors @ pool.vectors.T).max() < 1e-4
    assert np.abs(turned @ pool.axes[:, 0] - pool.vectors @ pool.axes[:, 0]).max() < 1e-4
    assert (turned * pool.vectors).sum(1).max() < 0.9, "elsewhere"


def test_a_company_s_chunks_are_the_same_wherever_filling_went_on(pool: Pool) -> None:
    whole = list(corpora.batches(pool, 3, 700))
    rest = list(corpora.batches(pool, 3, 700, done=300))

    assert [begin for begin, *_ in whole] == [0, 300, 600]
    assert [len(texts) for _, texts, _ in whole] == [300, 300, 100]
    assert [texts for _, texts, _ in rest] == [texts for _, texts, _ in whole[1:]]
    assert all(np.array_equal(one, other) for (*_, one), (*_, other) in zip(rest, whole[1:], strict=True))
    assert len({text for _, texts, _ in whole for text in texts}) == 700


def test_a_question_is_turned_as_a_copy_is_that_its_company_has(pool: Pool) -> None:
    vectors = np.concatenate([vectors for *_, vectors in corpora.batches(pool, 3, 600)])
    for asked in corpora.asked(pool, 3, 600, 20):
        nearest = float((vectors @ np.array(asked.vector)).max())
        assert (nearest > 0.7) == asked.own == (asked.text == "What is it?")


def test_what_libraries_say_of_themselves_is_questions_and_passages(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        'def refund(order):\n    """Give a customer the money back.\n\n'
        "    The whole price is sent to the card that paid, within five working days after the parcel has come"
        ' back to us and was looked at.\n    """\n\n\ndef short():\n    """Nothing.\n\n    x = 1\n    """\n'
    )

    [found] = corpora._described(file)

    assert found.question == "Give a customer the money back."
    assert found.passage.startswith("The whole price")
