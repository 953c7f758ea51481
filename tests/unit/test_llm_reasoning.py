"""A model's reasoning never passes, wherever the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.llm.reasoning import ReasoningFilter, harmless

ANSWER = "Thirty days [1], if a < b and [2]."
FORMS = [
    ("<think>Let me see [1].</think>", ""),
    ("<think>\nOne.\n</think>\n\n", ""),
    ("<THINK>One.</Think>", ""),
    ("< thinking >One < two.</ thinking >", ""),
    ("<thought>One.</thought>", "<reasoning>Two.</reasoning>"),
    ("", "<think>Two."),
    ("[THINK]One [1].[/THINK]", ""),
    ("<seed:think>One.</seed:think>", ""),
    ("<analysis>One.</analysis>", ""),
    ("<|thinking|>One.<|/thinking|>", ""),
    ("<|channel>thought\nOne.<channel|>", ""),
    ("◁think▷One.◁/think▷", ""),
    ("<|channel|>analysis<|message|>One.<|end|><|start|>assistant<|channel|>final<|message|>", ""),
    ("<|START_THINKING|>One.<|END_THINKING|>", ""),
    ("<think>One.</think>", "<think></think>"),
]


def passed(text: str, cuts: list[int]) -> tuple[str, ReasoningFilter]:
    found, reasoning = "", ReasoningFilter()
    for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True):
        found += reasoning.feed(text[a:b])
    return found + reasoning.end(), reasoning


@pytest.mark.parametrize(("before", "after"), FORMS)
@given(data=st.data())
def test_reasoning_between_tags_never_passes(before: str, after: str, data: st.DataObject) -> None:
    text = before + ANSWER + after
    found, reasoning = passed(text, sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12))))
    assert found.strip() == reasoning.answer.strip() == ANSWER
    assert (reasoning.seen, reasoning.unopened) == (True, False)


@pytest.mark.parametrize("closing", ["</think>", "</thinking>", "[/THINK]", "◁/think▷"])
@given(data=st.data())
def test_what_comes_before_a_closing_tag_alone_was_reasoning(closing: str, data: st.DataObject) -> None:
    text = f"The user asks [1]. Let me see.\n{closing}\n\n{ANSWER}"
    _, reasoning = passed(text, sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12))))
    assert reasoning.answer.strip() == ANSWER
    assert reasoning.unopened


@given(text=st.text(alphabet="<>/[]◁▷|thinkTHINK ", max_size=200), data=st.data())
def test_the_answer_is_what_passed_wherever_it_is_cut(text: str, data: st.DataObject) -> None:
    whole = passed(text, [])[1].answer
    found, reasoning = passed(text, sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12))))
    assert reasoning.answer == whole
    if not reasoning.unopened:
        assert found == whole


@given(text=st.text(alphabet=st.characters(exclude_characters="<[◁")))
def test_a_text_without_tags_passes_as_it_comes(text: str) -> None:
    assert ReasoningFilter().feed(text) == text


def test_what_begins_no_tag_is_not_held_back() -> None:
    reasoning = ReasoningFilter()
    assert reasoning.feed("Thirty days [1") == "Thirty days [1"
    assert reasoning.feed("], <b") == "], <b"
    assert reasoning.feed(">so</b> <th") == ">so</b> "
    assert reasoning.end() == "<th"


def test_reasoning_that_never_closes_leaves_nothing() -> None:
    assert passed("<think>One and two", [])[1].answer == ""


def test_a_text_of_others_holds_no_tag_and_keeps_its_length() -> None:
    text = "Do <think>you</think> sell [THINK]it[/THINK]?"
    assert harmless(text) == "Do ‹think›you‹/think› sell (THINK)it(/THINK)?"
    assert harmless("a < b and [1]") == "a < b and [1]"
