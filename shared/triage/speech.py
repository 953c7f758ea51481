"""Which of the languages that there are texts in a customer writes, from as little as a short question."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

READ_CHARS = 1_000
_SCRIPTS = (("\u3040", "\u30ff", "ja"), ("\uac00", "\ud7a3", "ko"), ("\u4e00", "\u9fff", "zh"),
            ("\u0600", "\u06ff", "ar"), ("\u0900", "\u097f", "hi"), ("\u0370", "\u03ff", "el"),
            ("\u0590", "\u05ff", "he"), ("\u0e00", "\u0e7f", "th"))  # fmt: skip
_WORDS = {
    "en": "the is are do does can could what when where how who which my your you i of and to for it with have there"
    " no has not we want would like",
    "de": "der die das ist sind wie was wann wo wer kann könnt können ich mein meine sie ihr und nicht ein eine für mit"
    " habe haben gibt zu von auf bei welche warum möchte will brauche",
    "es": "el los las es son cómo qué cuándo dónde quién puedo pueden mi mis su y no un una para con hay del cuánto"
    " cuál tienen hacen por quiero quisiera necesito hablar",
    "fr": "le les des est sont comment que quoi quand où qui puis peut je mon ma mes votre vos et ne pas une pour avec"
    " il vous combien quel quelle avez du ce veux voudrais parler suis",
    "pt": "os as é são como que quando onde quem posso podem meu minha seu e não um uma para com há do da vocês quanto"
    " qual fazem têm no quero queria preciso falar",
    "it": "il gli è sono come che cosa quando dove chi posso può mio mia vostro e non un una per con c'è del della"
    " quanto quale avete no voglio vorrei parlare",
    "nl": "de het is zijn hoe wat wanneer waar wie kan kunnen ik mijn u uw en niet een voor met heb er van jullie welke"
    " hoeveel wil graag",
    "pl": "jest są jak co kiedy gdzie kto czy mogę można mój moja i nie na dla z do się ile jaki jakie w po",
    "tr": "bir bu ne nasıl nerede kim var mı mi mu mü ve için ile benim kaç hangi değil zaman yapıyor",
    "id": "yang apa apakah bagaimana kapan di mana dimana siapa saya bisa dan tidak untuk dengan ada berapa ini dari",
    "sv": "jag är och inte det att för med har ni när hur vad var kan min mitt vill på ett om från skulle",
    "da": "jeg er og ikke det at med har hvornår hvordan hvad hvor kan min mit vil på et jer fra gerne",
    "no": "jeg er og ikke det at med har når hvordan hva hvor kan min mitt vil på et dere fra gjerne",
    "fi": "on ja ei minä voinko voiko haluan miten missä milloin mitä kuka onko teillä minun kanssa",
}
_UKRAINIAN, _RUSSIAN = frozenset("іїєґ"), frozenset("ыэъё")
_PERSIAN = frozenset("پچژگ")


def language(texts: Iterable[str]) -> str | None:
    """The language of the first text that tells it, as ISO 639-1; None if none does."""
    return next((found for text in texts if (found := _language(text[:READ_CHARS])) is not None), None)


def _language(text: str) -> str | None:
    found = by_script(text)
    if found is not None:
        return found
    best = candidates(text)
    return best[0] if len(best) == 1 else None


def by_script(text: str) -> str | None:
    """The language of a text whose letters tell it."""
    letters = [c for c in text[:READ_CHARS].casefold() if c.isalpha()]
    for first, last, name in _SCRIPTS:
        if 4 * sum(first <= c <= last for c in letters) > len(letters) > 0:
            return "fa" if name == "ar" and not _PERSIAN.isdisjoint(letters) else name
    if 2 * sum("Ѐ" <= c <= "ӿ" for c in letters) > len(letters) > 0:
        return "uk" if not _UKRAINIAN.isdisjoint(letters) and _RUSSIAN.isdisjoint(letters) else "ru"
    return None


def words_of(text: str) -> list[str]:
    return ("".join(c if c.isalpha() or c in "'’" else " " for c in text[:READ_CHARS].casefold())).split()


def candidates(text: str) -> tuple[str, ...]:
    """The languages, of those in Latin letters, that most of the words are of."""
    found = Counter(name for word in words_of(text) for name in _LANGUAGES_OF.get(word, ()))
    most = max(found.values(), default=0)
    return tuple(name for name, times in found.items() if times == most)


def function_words(code: str) -> frozenset[str]:
    """The words by which a language is known, without case. code: ISO 639-1."""
    return frozenset(_WORDS[code].split())


def known_words(words: Iterable[str], languages: Iterable[str]) -> int:
    """How many of the words are of one of these languages."""
    wanted = frozenset(languages)
    return sum(not wanted.isdisjoint(_LANGUAGES_OF.get(word, ())) for word in words)


_LANGUAGES_OF: dict[str, list[str]] = {}
for _name, _words in _WORDS.items():
    for _word in dict.fromkeys(_words.split()):
        _LANGUAGES_OF.setdefault(_word, []).append(_name)
