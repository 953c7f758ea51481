"""What an error says of the row that met it: when it is tried again, and why not."""

from __future__ import annotations

from shared.errors import AttachmentGone, JournalUnavailable, Permanent, SettingsError, Transient


def test_an_error_that_passes_says_when_to_come_back_and_is_called_by_its_class_where_it_has_no_words() -> None:
    assert (str(Transient()), Transient().retry_after_s) == ("Transient", None)
    told = JournalUnavailable("full", retry_after_s=2.5)
    assert (str(told), told.retry_after_s) == ("full", 2.5)
    assert str(JournalUnavailable()) == "JournalUnavailable"


def test_an_error_that_stays_has_a_reason_which_stands_for_words() -> None:
    assert (str(Permanent("blocked")), Permanent("blocked").reason) == ("blocked", "blocked")
    told = Permanent("blocked", "the customer has blocked us")
    assert (str(told), told.reason) == ("the customer has blocked us", "blocked")
    assert (str(AttachmentGone()), AttachmentGone().reason, AttachmentGone("too_old").reason) == (
        "gone", "gone", "too_old",
    )  # fmt: skip
    wrong = SettingsError("set LLM_MODEL")
    assert (str(wrong), wrong.reason) == ("set LLM_MODEL", "settings")
