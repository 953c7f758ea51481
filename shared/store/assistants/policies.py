"""What may be said of an assistant: its policies and texts, checked before they are stored. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """The values that differ from before, as they are stored. Raises ValueError: what to change, for each that is
    wrong."""
    known = {**{name: getattr(before, name) for name in POLICIES}, **given}
    wrong: list[str] = []
    for name, read in _READ.items():
        try:
            known[name] = read(known[name])
        except ValueError as e:
            wrong.append(str(e))
    try:
        known["hours"] = business_hours.written(business_hours.parse(known["hours"], known["time_zone"]))
    except ValueError as e:
        wrong.append(str(e))
    _raise(wrong)
    return {name: known[name] for name in POLICIES if known[name] != getattr(before, name)}


def changes(
    before: Assistant, given: Mapping[str, Any], own: Mapping[str, Mapping[str, str | None]]
) -> tuple[dict[str, object], Texts]:
    """checked() and with_texts(). Raises ValueError: what to change, for each of either that is wrong."""
    wrong: list[str] = []
    policies: dict[str, object] = {}
    words: Texts = {}
    try:
        policies = checked(before, given)
    except ValueError as e:
        wrong.append(str(e))
    try:
        words = with_texts(before, own)
    except ValueError as e:
        wrong.append(str(e))
    _raise(wrong)
    return policies, words


def _raise(wrong: list[str]) -> None:
    if wrong:
        raise ValueError("; ".join(wrong))


def with_texts(before: Assistant, given: Mapping[str, Mapping[str, str | None]]) -> Texts:
    """All own texts after these changes; None: the built-in text again. Raises ValueError: what to change, for each
    that is wrong."""
    found: Texts = {name: dict(by_language) for name, by_language in before.texts.items()}
    wrong: list[str] = []
    for name, by_language in given.items():
        if name not in texts.NAMES:
            wrong.append(f"there is no text {name[:40]!r}: choose one of {', '.join(texts.NAMES)}")
            continue
        own = found.setdefault(name, {})
        for language, text in by_language.items():
            try:
                _set(own, name, language, text)
            except ValueError as e:
                wrong.append(str(e))
    _raise(wrong)
    return {name: own for name, own in found.items() if own}


def _set(own: dict[str, str], name: str, language: str, text: str | None) -> None:
    if language != ANY_LANGUAGE and language not in texts.LANGUAGES:
        raise ValueError(f"{name}: no texts in {language[:20]!r}: {ANY_LANGUAGE}, or one of {_languages()}")
    if text is None:
        own.pop(language, None)
    else:
        own[language] = _text(name, text)


def _text(name: str, text: str) -> str:
    try:
        return texts.checked(name, text)
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from None


def _one_of(name: str, known: tuple[str, ...]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in known:
            raise ValueError(f"{name} should be one of {', '.join(known)}")
        return value

    return read


def _between(name: str, least: int, most: int, *, none: bool = False) -> Callable[[Any], Any]:
    """none: it may be left open."""

    def read(value: Any) -> Any:
        if not (none and value is None) and (type(value) is not int or not least <= value <= most):
            raise ValueError(f"{name} should be a number from {least} to {most}")
        return value

    return read


def _language(value: Any) -> Any:
    if value is not None and value not in texts.LANGUAGES:
        raise ValueError(f"language: no texts in {str(value)[:20]!r}: choose one of {_languages()}")
    return value


def _languages() -> str:
    return ", ".join(sorted(texts.LANGUAGES))


_READ: Mapping[str, Callable[[Any], Any]] = {
    "name": name_of,
    "on_miss": _one_of("on_miss", ON_MISS),
    "on_wish": _one_of("on_wish", ON_WISH),
    "misses_max": _between("misses_max", 1, MISSES_MAX),
    "return_after_s": _between("return_after_s", *RETURN_AFTER_S, none=True),
    "language": _language,
}
"""Policies that are right or wrong by themselves → their value as stored."""
