"""Detects a text's language, as the name of a PostgreSQL text search configuration.

A script that belongs to one language decides, otherwise function words, which are every second word of running text.
What cannot be detected is left to the caller: a wrong stemmer does more harm than the caller's default.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from shared.triage import speech

READ_CHARS = 4_000
"""Enough to tell; a book is not read to its end."""
WORDS_MIN = 3
"""So many different function words are evidence; fewer are chance."""
SHARE_MIN = 0.1
"""Of running text they are a third; a list of names has some by chance."""

_FUNCTION_WORDS = {
    "english": "the of and to is in that it for was on are with as be this have from or by not you at which an they we",
    "german": "der die das und ist nicht ein eine zu den von mit auf für im sich dem des auch es wird werden sie wir",
    "french": "le la les des et est une du que qui dans pour pas sur au par avec ce il sont plus vous nous aux être",
    "spanish": "el la los las de que en un una es por con para del se no al lo como más su está son pero",
    "italian": "il di che la un una per non con del della sono le gli da si dei nel alla anche più come ha",
    "portuguese": "os as de que do da em um uma não para com no na por se dos das mais ao são como você",
    "dutch": "de het een en van is dat op te zijn voor met niet aan er om ook als bij worden naar dit wordt door",
    "danish": "og det at en den til er som på de med af ikke der var et har vi du jeg hvad kan være fra eller",
    "norwegian": "og det er på som en til av for at med den ikke har de vi du jeg fra kan være eller ved hva",
    "swedish": "och att det som en på är av för den till med inte de ett om har vi du jag kan från eller var vad",
    "finnish": "ja on ei se että oli hän mutta ovat myös kun tai joka niin voi sen ole mitä jos kuin ovat tämä hän",
    "hungarian": "az és hogy nem is egy van ez volt csak meg már de mint vagy el azt kell lesz még ha minden",
    "turkish": "ve bir bu için da de ile olarak daha çok olan en gibi ne kadar değil var her sonra ama mi olduğu",
    "romanian": "și în de la cu nu este un pe că sa pentru din care mai sunt au fi ca al ale sau prin",
    "catalan": "el la els les de que en un una és per amb no del al es com més són dels però aquest aquesta",
    "indonesian": "yang dan di dengan untuk dari ini itu tidak pada dalam adalah akan ke atau juga oleh saya anda bisa",
    "lithuanian": "ir yra kad su tai iš ne kaip bet apie buvo per už nuo tik jo jis ar dar kai taip",
    "estonian": "ja on ei et see oli ta kui ka mis ning või oma aga seda olid nii siis kuid mida veel",
    "basque": "eta da ez bat du hau dira izan zen ere baina edo dela egin dute hori oso beste",
    "irish": "an na agus ar go is ag le bhí tá sé ní do leis ach nó mar sin faoi atá",
}
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_SPOKEN = {
    "en": "english", "de": "german", "es": "spanish", "fr": "french", "pt": "portuguese", "it": "italian",
    "nl": "dutch", "tr": "turkish", "id": "indonesian", "sv": "swedish", "da": "danish", "no": "norwegian",
    "fi": "finnish", "pl": "polish",
}  # fmt: skip
"""Languages of chats, whose short questions have other words than documents."""
_QUESTION_WORDS = dict(_WORDS)
for _code, _name in _SPOKEN.items():
    _QUESTION_WORDS[_name] = frozenset(
        word for word in _WORDS.get(_name, frozenset()) | speech.function_words(_code) if len(word) > 1
    )
_QUESTION_WORD = {
    word: [name for name, words in _QUESTION_WORDS.items() if word in words]
    for word in frozenset().union(*_QUESTION_WORDS.values())
}
_LATIN = {
    word: [name for name, words in _WORDS.items() if word in words] for word in frozenset().union(*_WORDS.values())
}

_SCRIPTS = (
    ("arabic", re.compile(r"[؀-ۿݐ-ݿࢠ-ࣿﭐ-﷿ﹰ-﻿]")),
    ("russian", re.compile(r"[Ѐ-ӿ]")),
    ("greek", re.compile(r"[Ͱ-Ͽἀ-῿]")),
    ("hindi", re.compile(r"[ऀ-ॿ]")),
    ("tamil", re.compile(r"[஀-௿]")),
    ("armenian", re.compile(r"[԰-֏]")),
    ("yiddish", re.compile(r"[֐-׿]")),
    ("simple", re.compile(r"[ᄀ-ᇿ⺀-鿿가-힯豈-﫿]")),  # Chinese, Japanese, Korean
    ("simple", re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")),  # Thai, Lao, Burmese, Khmer
)
_SERBIAN = re.compile(r"[ЂЈЉЊЋЏђјљњћџ]")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]+")


def detect(text: str, fallback: str | None = None) -> str | None:
    """Return the text's language, or fallback if it cannot be detected; `simple` for mostly Chinese, Japanese or Korean
    text."""
    text = text[:READ_CHARS]
    letters = len(_LETTER.findall(text))
    for name, script in _SCRIPTS:
        if 2 * len(script.findall(text)) > letters > 0:
            return "serbian" if name == "russian" and 50 * len(_SERBIAN.findall(text)) > letters else name
    words = _WORD.findall(text.lower())
    found = Counter(language for word in words for language in _LATIN.get(word, ()))
    different = Counter(language for word in set(words) for language in _LATIN.get(word, ()))
    if not found:
        return fallback
    first, most = max(found.items(), key=lambda pair: (pair[1], different[pair[0]], pair[0]))
    clear = different[first] >= WORDS_MIN and most >= SHARE_MIN * len(words)
    # Neighbours share words: where a language is expected, another one has to be clearly ahead.
    return first if clear and (fallback is None or most > 2 * found[fallback]) else fallback


def detect_each(texts: Iterable[str], fallback: str = "english") -> list[str]:
    """Return the language of each of several texts that belong together. One that cannot be detected gets the most
    frequent language of the others."""
    texts = list(texts)
    alone = [detect(text) for text in texts]
    told = Counter(language for language in alone if language is not None)
    common = told.most_common(1)[0][0] if told else fallback
    return [detect(text, common) or common for text in texts]


@dataclass(frozen=True, slots=True)
class Spoken:
    """The language of a question, which is often too short to tell it for certain.

    script: the language that the question's letters alone tell. words: how many function words of each language it has.
    """

    script: str | None
    words: Mapping[str, int]

    def is_foreign_to(self, language: str) -> bool:
        """Whether the question is surely in another language than a text. language: the text's configuration."""
        if self.script is None and language == "simple":
            return bool(self.words)  # a language without a stemmer, or Chinese
        if self.script is not None or language in _BY_SCRIPT:
            return self.script != language and not {self.script, language} <= _CYRILLIC
        best, own = max(self.words.values(), default=0), self.words.get(language, 0)
        return best > 2 * own

    def function_words(self, language: str) -> frozenset[str]:
        """Return words that ask and say nothing of what is asked: those of the question's own languages, and of the
        text's."""
        best = max(self.words.values(), default=0)
        likely = [name for name, found in self.words.items() if found == best] if best else []
        return _function_words_of(frozenset((language, *likely)))


@lru_cache(maxsize=256)
def _function_words_of(languages: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*(_QUESTION_WORDS.get(name, frozenset()) for name in languages))


_BY_SCRIPT = frozenset(name for name, _ in _SCRIPTS)
_CYRILLIC = frozenset(("russian", "serbian"))


def asked_in(question: str) -> Spoken:
    """Tell what a question's letters and words say of its language."""
    question = question[:READ_CHARS]
    if not question.isascii():
        letters = len(_LETTER.findall(question))
        for name, script in _SCRIPTS:
            if 2 * len(script.findall(question)) > letters > 0:
                return Spoken(name, {})
    words = _WORD.findall(question.casefold())
    return Spoken(None, Counter(name for word in words for name in _QUESTION_WORD.get(word, ())))
