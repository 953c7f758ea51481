"""Whether a message reads as if nothing followed: then its answer need not wait for more."""

from __future__ import annotations

import re

from shared.triage.classify import classify

WORDS_MIN = 4
_WORDS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\uf900-\ufaff]{1,2}|\S+")
"""Words between spaces; of scripts that write none, two characters count as one."""
_READ_CHARS = 2_000
_ENDS_A_QUESTION = frozenset("?？؟;՞፧⁇⁈‽︖﹖")
_BEHIND_IT = " \t\r\n!.…\"'”’»）)」』*_~"


def is_question(text: str | None) -> bool:
    """Whether an answer to this message will be searched for."""
    return bool(text) and classify(text or "").kind == "question"


def reads_complete(text: str) -> bool:
    """Whether a question ends in a question mark and says enough to be answered as it stands. A greeting that is put as
    a question ("How are you?") does not: the matter follows."""
    end = text[-_READ_CHARS:].rstrip(_BEHIND_IT)
    return end[-1:] in _ENDS_A_QUESTION and len(_WORDS.findall(end)) >= WORDS_MIN and is_question(text)
