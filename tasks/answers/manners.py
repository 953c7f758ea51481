"""What a turn is before anything is searched, and what is said to one that asks nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.model import Answer, ChatLine, Tried
from shared.store.answers.replies import (
    ANSWERS_LIMIT,
    DAY_ANSWER_EVERY_S,
    DAY_ANSWERS_MAX,
    OFFER_ACCEPTED,
    ORDERED,
    WANTS_PERSON,
)
from shared.triage import ambiguous, echo, normal, texts
from shared.triage.classify import FIRST, Triage, classify, commands_stop
from tasks.answers import fallback, handover, wording
from tasks.answers.turn_context import Case

SILENT_S = 600.0
"""So long the bot is silent in a conversation where it gave more answers than people ask for in a day."""
COURTESY_AGAIN_S = 3600.0
"""Within this a second courtesy in a row is not answered: two machines that thank each other must come to an end."""
_AFTER_A_QUESTION = " \n0123456789[]().\"'”’»*_"
"""What may stand behind a question mark: a citation, quotation marks, emphasis."""
_ORDER = "order"
_NOT_KEPT = frozenset(("passport_data",))
"""Only that it came is known."""
_SAYS_NOTHING = frozenset(("sticker", "reaction", "dice", "story_mention", "like", "like_heart", "heart"))
_COURTESIES: dict[str, texts.Name] = {
    "greeting": "greeting", "thanks": "thanks", "goodbye": "goodbye", "decline": "decline",
}  # fmt: skip
_SAID_IN_RETURN: dict[str, texts.Name] = {
    "greeting": "greeting", "thanks": "thanks", "goodbye": "goodbye", "ok": "decline",
}  # fmt: skip
_BY_TURNS: dict[texts.Name, texts.Name] = {
    "clarify": "rephrase",
    "about": "about",
}
"""What is said to remarks, and what instead where the bot has just said it."""
_WISHES = {"person": WANTS_PERSON, "accepted": OFFER_ACCEPTED, "order": ORDERED}
_UNANSWERED = frozenset(("echo", "loop", "paused", "acknowledgement"))
_ANSWERS = frozenset(("full", "cheaper", "passages"))
_FIRST_PART = re.compile(r"([^,.!;:\n]{1,80})[,.!;:\s]*[,.!;:\n]\s*(?=\S)")
_OF_AN_ANSWER = frozenset(("puzzled", "number"))
"""What may be about the answer before it."""
_WITH_WHAT_WAS_ASKED = _OF_AN_ANSWER | {"received"}
"""What is searched for together with the customer's question before it."""


def judged(case: Case, answers_per_hour: int | None) -> Case:
    """The case with its triage; of a burst that asks something only what asks. answers_per_hour: so many a contact may
    have in any hour, in all of their chats together; None: any number."""
    case = _judged(case)
    if answers_per_hour is None or case.answers_hour < answers_per_hour or not _is_limited(case.triage):
        return case
    return replace(case, triage=Triage("limit", "limit"))


def _is_limited(triage: Triage | None) -> bool:
    """A wish for a person is granted all the same, and who wants the bot to be silent need not wait for that."""
    return triage is None or (triage.kind not in _UNANSWERED and triage.what not in _WISHES and triage.what != "stop")


def _judged(case: Case) -> Case:
    burst = _not_ours(case)
    if case.burst and not burst:
        return replace(case, triage=Triage("echo", "echo"))
    if case.silenced or case.day_ahead_s > (DAY_ANSWERS_MAX - 1) * DAY_ANSWER_EVERY_S:
        return replace(case, triage=Triage("loop", "loop"), burst=burst)
    written = burst
    triage, burst = of_burst(
        written, asked=_asked(case), answered=case.bot_step in _ANSWERS, names=handover.calls(case)
    )
    told = replace(case, triage=triage, burst=burst)
    if handover.stays_silent(told, triage):
        asks = triage is None or triage.kind == "question"
        return replace(told, triage=Triage("paused", "paused", asks=asks))
    if handover.accepts_offer(told if burst == written else replace(told, burst=written)):
        return replace(case, triage=Triage("remark", "accepted"), burst=written)
    if triage is not None and triage.what == "stop" and not _may_stop(case, burst):
        return replace(told, triage=Triage("acknowledgement", "stop"))
    return told


def _may_stop(case: Case, burst: Sequence[ChatLine]) -> bool:
    """In a chat of several people only the command silences the bot for all: a word of one of them ends what they had
    asked, and nothing else."""
    return not case.shared or any(commands_stop(line.text) for line in burst if line.text)


def _not_ours(case: Case) -> tuple[ChatLine, ...]:
    """The burst without what the bot said and a machine sends back."""
    said = [line.text for line in case.history if line.role == "bot"]
    companys = [wording.filled(case, text) for text in case.assistant.own_texts()]
    written = [line for line in case.burst if line.text and not line.attached]
    kept = {id(written[place]) for place in echo.without([line.text for line in written], said, companys)}
    return tuple(line for line in case.burst if not line.text or line.attached or id(line) in kept)


def _asked(case: Case) -> bool:
    """Whether the bot spoke last and asked or offered something that a yes answers. Its default greetings ask what is
    wanted, which none does."""
    said = next((line for line in reversed(case.history) if line.role != "customer"), None)
    if said is None or said.role != "bot":
        return False
    if case.bot_step == "unknown":
        return True
    asks = said.text.rstrip(_AFTER_A_QUESTION)[-1:] in normal.QUESTION_MARKS
    return asks and not echo.is_default(said.text)


def of_burst(
    burst: Sequence[ChatLine], *, asked: bool = False, answered: bool = False, names: Sequence[str] = ()
) -> tuple[Triage | None, tuple[ChatLine, ...]]:
    """What a burst of messages is, and those of its lines that count. One question makes it a question, and so does a
    yes where the bot has asked, or a "what?" where it has answered; a wish for a person and an order go before both.
    names: that we may be called by. None: something was attached that nobody here can read, and nothing was asked in
    words."""
    each = [(line, _classified(line.text, names) if line.text else None) for line in burst]
    found = [triage for _, triage in each if triage is not None]
    wish = next((triage for triage in found if triage.what == "person"), None)
    if wish is not None:
        return wish, tuple(burst)
    told = {kind for line in burst for kind in line.attached if kind in _told(line)}
    if _ORDER in told:
        return Triage("remark", "order"), tuple(burst)
    if any(triage.kind == "question" for triage in found):
        kept = tuple(
            line for line, triage in each if triage is None or triage.kind == "question" or line.attached
        )  # fmt: skip
        polite = any(triage.polite or triage.kind == "courtesy" for triage in found)
        return Triage("question", "question", polite=polite, asks=any(triage.asks for triage in found)), kept
    for triage in found:
        if (asked and (triage.answers or triage.what == "number")) or (answered and triage.what in _OF_AN_ANSWER):
            what = triage.what if triage.kind == "remark" else "yes"
            return Triage("question", what, polite=triage.what != "puzzled", asks=triage.asks), tuple(burst)
    unread = any(set(line.attached) - _SAYS_NOTHING - _told(line) or _is_blank(line) for line, _ in each)
    if unread or not each:
        return None, tuple(burst)
    if told - _SAYS_NOTHING and all(triage.kind in ("courtesy", "acknowledgement") for triage in found):
        return Triage("question" if asked else "remark", "received"), tuple(burst)
    found = found or [Triage("acknowledgement", "acknowledgement")]
    return min(found, key=lambda triage: FIRST.index(triage.what)), tuple(burst)


def _told(line: ChatLine) -> set[str]:
    """Kinds of what came with it that can be read in words."""
    return {kind for kind, _ in line.told if kind not in _NOT_KEPT}


def _is_blank(line: ChatLine) -> bool:
    return not (line.text or line.attached)


def _classified(text: str, names: Sequence[str]) -> Triage:
    found = classify(text)
    if found.kind != "question" or not names:
        return found
    bare = handover.without_name(text, names)
    return found if bare == text else classify(bare) if bare else Triage("courtesy", "greeting")


def asked_lines(case: Case) -> list[str]:
    """What is searched for: the burst, and before one that is about an answer what that answered."""
    names = handover.calls(case)
    lines = [asking(line.text, names) or " ".join(words for _, words in line.told) for line in case.burst]
    if (case.triage is None or case.triage.what not in _WITH_WHAT_WAS_ASKED) and case.bot_step != "clarify":
        return lines
    return [*[line.text for line in case.history if line.role == "customer" and line.text][-1:], *lines]


def asking(text: str, names: Sequence[str]) -> str:
    """A question without the greeting and the name at its beginning, which say nothing of what is asked: of "Hi Robin,
    do you sell gift cards?" what stands behind the comma. names: that we may be called by."""
    bare = text.strip()
    while bare:
        rest = handover.without_call(bare, names)
        rest = _without_courtesy(rest, names) if rest == bare else rest
        if not rest or rest == bare:
            break
        bare = rest
    return bare or text


def _without_courtesy(text: str, names: Sequence[str]) -> str:
    """Without a greeting or thanks that a mark parts from what is behind it."""
    found = _FIRST_PART.match(text)
    if found is None or classify(handover.without_name(found[1], names)).kind != "courtesy":
        return text
    return text[found.end() :]


def of_the_matter(case: Case) -> list[ChatLine]:
    """What was said before the burst, without courtesies, and without what a bot says to them."""
    return [line for line in case.history if not (line.text and _is_manners(line))]


def _is_manners(line: ChatLine) -> bool:
    if line.role == "customer":
        return classify(line.text).kind in ("courtesy", "acknowledgement", "command")
    return line.role == "bot" and echo.is_default(line.text)


def says_little(case: Case) -> bool:
    """Whether it is a question only because of what the bot said before. Where nothing comes of it no person is asked
    for, and nothing is quoted a second time."""
    return case.triage is not None and case.triage.what != "question"


def may_ask_nothing(case: Case) -> bool:
    """Whether a model may say that nothing is asked: no phrases of the rules cover it, and nothing in it asks."""
    triage = case.triage
    if triage is None or triage.what != "question" or triage.asks:
        return False
    plain = all(line.text and not (line.attached or line.told) for line in case.burst)
    return plain and ambiguous.asks_nothing(case.question)


def told_apart(case: Case, said: str, now: datetime) -> Answer:
    """The answer to what a model calls a greeting, a wish for a person and the like. It is never silence: at the worst
    the customer is asked what they want."""
    if said == "person":
        return handover.wished(case, now, WANTS_PERSON)
    name: texts.Name = _SAID_IN_RETURN[said]
    if not ambiguous.bears_out(case.question) or _in_a_row(case, now):
        return unclear(case)
    return Answer(wording.text(case, name), "courtesy", said, fallback_steps=(Tried("courtesy"),))


def without_question(case: Case, now: datetime) -> Answer:
    """The answer to a burst that asks nothing: a welcome, a courtesy, who answers here, a person, or none."""
    triage = case.triage
    if triage is None:
        text = wording.text(case, "notice")
        if wording.last_said(case.history) == text:  # several pictures, one after the other
            return Answer("", "silence", "notice_again", fallback_steps=(Tried("silence"),))
        return Answer(text, "notice", "no_text", fallback_steps=fallback.without_models("no_text", "notice"))
    if triage.kind == "paused":
        return handover.silence(asks=triage.asks)
    if triage.kind == "limit":
        return _limited(case)
    if triage.kind == "command":
        return _to_command(case, triage.what)
    if triage.kind == "upset":
        return handover.unknown(case, triage.what, now)
    if triage.what in _WISHES:
        return handover.wished(case, now, _WISHES[triage.what])
    if triage.what in _COURTESIES and not _in_a_row(case, now):
        text = wording.text(case, _COURTESIES[triage.what])
        return Answer(text, "courtesy", triage.what, fallback_steps=(Tried("courtesy"),))
    if triage.kind == "remark" and triage.what not in _COURTESIES:
        return _notice(case, "about", "about") if triage.what == "about" else unclear(case)
    reason = "courtesy_again" if triage.what in _COURTESIES else triage.what
    return Answer("", "silence", reason, fallback_steps=(Tried("silence"),))


def _limited(case: Case) -> Answer:
    """Said once an hour: who goes on gets no answer to each message, and neither does a machine."""
    if case.limit_told:
        return Answer("", "silence", ANSWERS_LIMIT, fallback_steps=(Tried("silence"),))
    return Answer(wording.text(case, "limit"), "notice", ANSWERS_LIMIT, fallback_steps=(Tried("notice"),))


def _to_command(case: Case, what: str) -> Answer:
    if what == "stop":
        return handover.paused(case)
    if what == "help":
        silent = case.paused and not handover.called_back(case)
        return _notice(case, "paused" if silent else "help", "help")
    return Answer(wording.text(case, "welcome"), "welcome", what, fallback_steps=(Tried("welcome"),))


def unclear(case: Case) -> Answer:
    """How can I help? Nobody is asked for."""
    if case.triage is not None and case.triage.what == "received":
        if wording.last_said(case.history) == wording.text(case, "received"):  # several places, one after the other
            return Answer("", "silence", "received_again", fallback_steps=(Tried("silence"),))
        return _notice(case, "received", "received")
    return _notice(case, "clarify", "unclear")


def _notice(case: Case, name: texts.Name, reason: str) -> Answer:
    text = wording.text(case, name)
    if wording.last_said(case.history) == text:
        text = wording.text(case, _BY_TURNS.get(name, name))
    return Answer(text, "notice", reason, fallback_steps=(Tried("notice"),))


def introduction(case: Case, *, away: bool) -> str:
    """What stands before a quotation. away: a model is configured, and did not write the answer."""
    language = wording.language(case) or wording.of_passages(case)
    return wording.in_language(case, "model_away" if away else "found", wording.served(case, language))


def returned(case: Case, answer: Answer) -> Answer:
    """The answer as it is sent: it ends a pause, and after a handover that nobody answered it says that the bot is
    back, unless the bot leaves with it."""
    if not answer.text or answer.bot is not None:
        return answer
    if case.return_untold:
        return replace(answer, text=f"{wording.text(case, 'returned')}\n\n{answer.text}", bot="resumes")
    return replace(answer, bot="resumes") if handover.called_back(case) else answer


def _in_a_row(case: Case, now: datetime) -> bool:
    at = case.bot_step_at
    return case.bot_step == "courtesy" and at is not None and (now - at).total_seconds() < COURTESY_AGAIN_S
