"""A model's reasoning, taken out of what it writes: a customer never reads it, also not while it comes.

Models that reason write it before their answer, between tags that servers may or may not take out. Some chat templates
put the opening tag into the prompt, so only the closing one arrives, and until then reasoning looks like an answer.
"""

from __future__ import annotations

import regex

_NAMES = "(?:seed:)?think(?:ing)?|thoughts?|reasoning|analysis|scratchpad|reflection|inner_monologue"
_OPENING = (
    rf"<\s{{0,3}}(?:{_NAMES})\s{{0,3}}>"
    r"|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|thinking\|>|<\|begin_of_thought\|>|<\|channel>\s{0,3}thought"
    r"|<\|channel\|>\s{0,3}(?:analysis|commentary)[^<>]{0,40}<\|message\|>"
)
_CLOSING = (
    rf"<\s{{0,3}}/\s{{0,3}}(?:{_NAMES})\s{{0,3}}>"
    r"|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|/thinking\|>|<\|end_of_thought\|>|<channel\|>"
    r"|<\|channel\|>\s{0,3}final[^<>]{0,40}<\|message\|>"
)
_TAG = regex.compile(f"(?P<opening>{_OPENING})|(?P<closing>{_CLOSING})", regex.IGNORECASE)
_FIRST = regex.compile(r"[<\[◁]")
_HARMLESS = str.maketrans("<>[]◁▷|", "‹›()‹›¦")
TAG_CHARS = 80
"""No tag is longer."""


class ReasoningFilter:
    """Takes a completion piece by piece and gives back what is answer.

    seen: whether a tag was met. inside: whether reasoning is under way. nested: whether a tag opened inside of it, so
    that nobody knows which closing tag ends it: the last one does. unopened: whether a closing tag came without
    its opening one; all that was given back before it was reasoning.
    """

    def __init__(self) -> None:
        self.seen = False
        self.unopened = False
        self.nested = False
        self.inside = False
        self._held = ""
        self._answer: list[str] = []

    def feed(self, piece: str) -> str:
        """What of the text so far is known to be answer and was not given back yet."""
        if not (self._held or self.inside or _FIRST.search(piece)):  # as nearly every piece
            self._answer.append(piece)
            return piece
        return self._pass(piece, final=False)

    def end(self) -> str:
        """The rest: what looked like the beginning of a tag and was none."""
        return self._pass("", final=True)

    @property
    def answer(self) -> str:
        """All that is answer so far. Reasoning that never closes leaves nothing."""
        return "".join(self._answer)

    def _pass(self, piece: str, *, final: bool) -> str:
        text = self._held + piece
        begin, given = 0, []
        for tag in _TAG.finditer(text):
            if not self.inside:
                given.append(text[begin : tag.start()])
            if tag["closing"] and not self.inside:
                self.unopened = True
                given.clear()
                self._answer.clear()
            self.nested = self.nested or (self.inside and bool(tag["opening"]))
            self.inside = bool(tag["opening"])
            self.seen = True
            begin = tag.end()
        kept = len(text) if final else max(begin, _tag_may_begin_at(text))
        if not self.inside:
            given.append(text[begin:kept])
        self._held = text[kept:]
        found = "".join(given)
        self._answer.append(found)
        return found


def harmless(text: str) -> str:
    """A text of others without such tags, for a prompt: a model that repeats one would end its reasoning there. The
    length stays."""
    return _TAG.sub(lambda tag: tag[0].translate(_HARMLESS), text)


def _tag_may_begin_at(text: str) -> int:
    """Where at the text's end a tag may have begun; its length if nowhere."""
    for first in _FIRST.finditer(text, max(0, len(text) - TAG_CHARS)):
        if _TAG.fullmatch(text, first.start(), partial=True) is not None:
            return first.start()
    return len(text)
