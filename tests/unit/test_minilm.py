"""The local model: the vectors that its makers published, and the languages that it does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.knowledge import minilm
from shared.knowledge.minilm import LocalMiniLM

installed = pytest.mark.skipif(not minilm.is_installed(), reason="`make minilm` has not been run here")


@installed
def test_similarities_are_those_of_the_model_s_own_documentation() -> None:
    # https://sbert.net/docs/quickstart.html
    texts = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = LocalMiniLM().embed(texts)

    found = [[round(sum(a * b for a, b in zip(one, other, strict=True)), 3) for other in vectors] for one in vectors]

    assert found == [[1.0, 0.666, 0.105], [0.666, 1.0, 0.141], [0.105, 0.141, 1.0]]


@installed
def test_256_tokens_count_and_not_128() -> None:
    beginning = "word " * 200
    one, longer, beyond = LocalMiniLM().embed(
        [beginning, beginning + "refund " * 54, beginning + "refund " * 54 + "weather " * 100]
    )

    assert sum(a * b for a, b in zip(one, longer, strict=True)) < 0.99
    assert sum(a * b for a, b in zip(longer, beyond, strict=True)) > 0.9999


@installed
@pytest.mark.parametrize("text", ["How many days do I have to return these shoes?", "Is Norway served?", "4711", ""])
def test_english_is_trusted(text: str) -> None:
    assert LocalMiniLM().trust(text) > 0.8


@installed
@pytest.mark.parametrize(
    "text",
    [
        "Wie viele Tage habe ich, um die Schuhe zurückzuschicken?",
        "Сколько дней у меня есть, чтобы вернуть обувь?",
        "كم يوما لدي لإرجاع الحذاء؟",
        "鞋子可以在几天内退货？",
    ],
)
def test_a_language_that_the_model_does_not_know_is_not_trusted(text: str) -> None:
    assert LocalMiniLM().trust(text) < 0.2


@installed
def test_a_lone_surrogate_breaks_nothing() -> None:
    [vector] = LocalMiniLM().embed(["broken \ud800 text"])
    assert len(vector) == minilm.DIMENSION


def test_other_weights_than_ours_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"model\.safetensors cannot be read .*make minilm"):
        minilm._open(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"something else")
    with pytest.raises(SettingsError, match=r"model\.safetensors is not the file .*make minilm"):
        minilm._open(tmp_path)


def test_a_missing_package_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")

    with pytest.raises(SettingsError, match="`make minilm`"):
        minilm._folder()
    assert not minilm.is_installed()
    assert "`make minilm`" in str(minilm.problem())
