"""Reports go to a chat of the operator's; names in them are others'."""

from __future__ import annotations

from tasks.models.digest import plain


def test_no_name_is_markup_or_calls_everybody() -> None:
    said = plain("  evil/<!channel> [pay](https://evil.example) & @here: 1.00, 2 calls")
    assert not set("<>[]&") & set(said)
    assert "@here" not in said
    assert "1.00, 2 calls" in said


def test_usual_names_stay() -> None:
    assert plain("  openai/gpt-4o_mini-2024: 0.15") == "  openai/gpt-4o_mini-2024: 0.15"
