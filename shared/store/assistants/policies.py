"""What may be said of an assistant: its policies and texts, checked before they are stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared import hours as business_hours
from shared.names import name_of
from shared.store.assistants.assistants import ANY_LANGUAGE, Assistant
from shared.triage import texts

ON_MISS = ("offer", "at_once", "after_misses")
ON_WISH = ("hand_over", "tell")
MISSES_MAX = 20
RETURN_AFTER_S = (60, 30 * 86_400)
POLICIES = ("name", "language", "on_miss", "misses_max", "on_wish", "return_after_s", "hours", "time_zone")
"""What can be set besides texts."""

Texts = dict[str, dict[str, str]]


def checked(before: Assistant, given: Mapping[str, Any]) -> dict[str, object]:
    """The values that differ from before, as they are stored. Raises ValueError: what to change."""
    known = {**{name: getattr(before, name) for name in POLICIES}, **given}
    known["name"] = name_of(known["name"])
    _one_of("on_miss", known["on_miss"], ON_MISS)
    _one_of("on_wish", known["on_wish"], ON_WISH)
    _between("misses_max", known["misses_max"], 1, MISSES_MAX)
    if known["return_after_s"] is not None:
        _between("return_after_s", known["return_after_s"], *RETURN_AFTER_S)
    if known["language"] is not None and known["language"] not in texts.LANGUAGES:
        raise ValueError(f"language: no texts in {str(known['language'])[:20]!r}: choose one of {_languages()}")
    known["hours"] = business_hours.written(business_hours.parse(known["hours"], known["time_zone"]))
    return {name: known[name] for name in POLICIES if known[name] != getattr(before, name)}


def with_texts(before: Assistant, given: Mapping[str, Mapping[str, str | None]]) -> Texts:
    """All own texts after these changes; None: the built-in text again. Raises ValueError: what to change."""
    found: Texts = {name: dict(by_language) for name, by_language in before.texts.items()}
    for name, by_language in given.items():
        if name not in texts.NAMES:
            raise ValueError(f"there is no text {name[:40]!r}: choose one of {', '.join(texts.NAMES)}")
        own = found.setdefault(name, {})
        for language, text in by_language.items():
            if language != ANY_LANGUAGE and language not in texts.LANGUAGES:
                raise ValueError(f"{name}: no texts in {language[:20]!r}: {ANY_LANGUAGE}, or one of {_languages()}")
            if text is None:
                own.pop(language, None)
            else:
                own[language] = _text(name, text)
    return {name: own for name, own in found.items() if own}


def _text(name: str, text: str) -> str:
    try:
        return texts.checked(name, text)
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from None


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name} should be one of {', '.join(known)}")


def _between(name: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} should be a number from {least} to {most}")


def _languages() -> str:
    return ", ".join(sorted(texts.LANGUAGES))
