"""Where the bot gives a conversation away, offers to, or is silenced: the assistant's policies decide.

Nothing here changes a row: an answer says what becomes of its conversation (Answer.bot), and is stored with that in one
statement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.model import Answer, Passage, Tried
from shared.store.answers.replies import PAUSED_QUESTION
from shared.triage import consent, normal, texts
from shared.triage.classify import Triage
from tasks.answers import fallback, wording
from tasks.answers.turn_context import Case

MISSES = "misses"
"""The reason of a handover after several questions in a row to which no answer was known."""
_AGREES = "👍👌✅🙏✔☑🆗💯"
"""Emoji that say yes to somebody who asked."""
FIRST_SENTENCE = re.compile(r"^[^.。।]{1,200}[.。।]\s*(?=\S)")
"""Of the texts that offer a person: that nothing is known."""
_PARTS_A_CALL = frozenset(",;:-–—@")
_OPEN = frozenset(("question", "need"))
"""What a text is that may begin with a yes: "yes, my name is Ada"."""


def wished(case: Case, now: datetime, reason: str) -> Answer:
    """A person is wished for, or an offer of one accepted: the conversation is theirs, unless the policy is to tell
    them only."""
    if case.assistant.on_wish == "tell":
        name: texts.Name = "asked"
        if wording.last_said(case.history) == wording.text(case, name):
            name = "asked_again"
        return Answer(wording.text(case, name), "notice", reason, fallback_steps=(Tried("notice"),))
    return _handed_over(case, "person", now, reason)


def accepts_offer(case: Case) -> bool:
    """Whether the customer says yes to the bot's offer of a person."""
    triage = case.triage
    if case.bot_step != "unknown" or triage is None:
        return False
    if triage.what == "acknowledgement":
        return any(normal.tokens(line.text).words or normal.shows(line.text, _AGREES) for line in case.burst)
    return triage.what == "yes" or (triage.what in _OPEN and consent.is_given(_written(case)))


def _written(case: Case) -> str:
    return "\n".join(line.text for line in case.burst if line.text)


def unknown(
    case: Case, reason: str, now: datetime, passages: Sequence[Passage] = (), *, said: str = ""
) -> Answer:  # fmt: skip
    """Nothing relevant is known: a person is offered, or has the conversation from now on. said: what stands before
    that."""
    hands_over = _hands_over(case, reason)
    before = f"{said}\n" if said else ""
    if hands_over is None:
        tried = fallback.without_models(reason, "unknown")
        return Answer(
            before + offer(case, told=bool(said)), "unknown", reason, passages=tuple(passages), fallback_steps=tried
        )
    answer = _handed_over(case, _name_of_handover(case, told=bool(said)), now, hands_over)
    tried = fallback.without_models(reason, "handover")
    return replace(answer, text=before + answer.text, passages=tuple(passages), fallback_steps=tried)


def _hands_over(case: Case, reason: str) -> str | None:
    """Why the policy gives the conversation away at this miss; None: it does not."""
    if case.assistant.on_miss == "at_once":
        return reason
    return MISSES if case.assistant.on_miss == "after_misses" and case.misses + 1 >= case.assistant.misses_max else None


def _name_of_handover(case: Case, *, told: bool) -> texts.Name:
    """That nothing is known and a person has the conversation; the second alone where the first was told."""
    language = wording.served(case, wording.language(case))
    return "person" if told and case.assistant.own_text("missed", language) is None else "missed"


def offer(case: Case, *, told: bool = False) -> str:
    """That nothing is known and a person may be had, in other words each time in a row. told: the first was said, so
    that of our own words only the offer is left; a text of the assistant's own stays whole."""
    language = wording.served(case, wording.language(case) or wording.of_passages(case))
    name: texts.Name = "unknown"
    if case.misses:
        name = "unknown_again" if case.misses % 2 else "unknown_still"
        if case.assistant.own_text(name, language) is None and case.assistant.own_text("unknown_again", language):
            name = "unknown_again"
    text = wording.in_language(case, name, language)
    if told and case.assistant.own_text(name, language) is None:
        return FIRST_SENTENCE.sub("", text, count=1)
    return text


def _handed_over(case: Case, name: texts.Name, now: datetime, reason: str) -> Answer:
    opens = wording.opens(case, now)
    text = wording.with_hours(case, name, opens, now)
    return Answer(text, "handover", reason, fallback_steps=(Tried("handover"),), bot="hands_over", opens=opens)


# ------------------------------------------------------------------ silenced by the customer


def paused(case: Case) -> Answer:
    """To /stop: silence from now on."""
    return Answer(wording.text(case, "paused"), "notice", "stop", fallback_steps=(Tried("notice"),), bot="pauses")


def stays_silent(case: Case, triage: Triage | None) -> bool:
    """Whether a silenced bot says nothing to this. It answers its name and commands, and grants a wish for a person."""
    return case.paused and not (triage is not None and triage.what in ("start", "person", "help")) and not named(case)


def called_back(case: Case) -> bool:
    """Whether the customer ends the silence: by /start, a wish for a person, or by calling the bot by its name."""
    return case.paused and ((case.triage is not None and case.triage.what in ("start", "person")) or named(case))


def silence(asks: bool) -> Answer:
    """asks: a question is not answered, so that a person is to see it."""
    return Answer("", "silence", PAUSED_QUESTION if asks else "paused", fallback_steps=(Tried("silence"),))


def named(case: Case) -> bool:
    """Whether a message calls the bot by its name, at its beginning or end, or mentions it."""
    return any(without_name(line.text, _names(case)) != line.text for line in case.burst if line.text)


def _names(case: Case) -> tuple[str, ...]:
    return (case.assistant.name, *((f"@{case.handle}", case.handle) if case.handle else ()))


def calls(case: Case) -> tuple[str, ...]:
    """What people call us by: no word of a question."""
    return (*_names(case), case.company.name)


def without_name(text: str, names: Sequence[str]) -> str:
    """The text without one of the names at its beginning or end, which says nothing by itself; a text that is a name
    alone becomes empty."""
    bare = text.strip()
    for name in sorted(names, key=len, reverse=True):
        folded, size = name.casefold(), len(name)
        if len(name.casefold()) != size or not name:
            continue  # its length changes with its case, so that it cannot be cut out
        begins, ends = bare[:size].casefold() == folded, bare[-size:].casefold() == folded
        if begins and not bare[size : size + 1].isalnum():
            return bare[size:].lstrip(" \t\n,.:;!-–—")
        stripped = bare.rstrip(" \t\n.!?…")
        ends = stripped[-size:].casefold() == folded
        if ends and not stripped[-size - 1 : -size].isalnum():
            return stripped[:-size].rstrip(" \t\n,.:;-–—") + bare[len(stripped) :]
    return text


def without_call(text: str, names: Sequence[str]) -> str:
    """The text without a name that calls us: at its beginning, or behind a comma at its end. In "who is Robin" the
    name is what is asked for."""
    bare = without_name(text, names)
    if bare == text or not bare or text.strip().endswith(bare):
        return bare or text
    words = bare.rstrip(" .!?…")
    return bare if text.strip()[len(words) :].lstrip()[:1] in _PARTS_A_CALL else text
