"""Messages of which the words alone do not say what they are, and which ask nothing in form: of these a model may say
that they are a greeting or a wish for a person, and no further than the words bear it out.

A signal too many costs nothing: the message is a question then, as without a model.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, get_args

from shared.triage import classify, normal

Said = Literal["greeting", "thanks", "goodbye", "ok", "person"]
"""What a model may call a message."""
SAID: tuple[Said, ...] = get_args(Said)
WORDS_MAX = 10
STRANGE_WORDS_MAX = 3
"""Of a courtesy: more words that no phrase covers may say something else besides."""
_COURTEOUS = frozenset(("greeting", "thanks", "goodbye", "acknowledgement"))
_ASKING_WORDS = """
    what whats wat wut who whos whom whose where wheres when whens why how hows which can could would will shall may
    does do
    did is are am was were have has should need want wanna tell show give send explain if
    was wer wen wem wo woher wohin wann warum wieso weshalb wie welche welcher welches kann koennen konnen gibt habt
    haben
    hat sind ist soll darf mochte brauche will
    que cual cuales quien quienes donde adonde cuando como cuanto cuanta cuantos cuantas porque puedo puede pueden
    hay
    tiene tienen necesito quiero es son
    quoi qui ou quand comment combien pourquoi quel quelle quels quelles est peut puis avez peux veux faut cest
    qual quais quem onde quando como quanto quanta quantos quantas porque posso pode podem tem voces preciso quero e
    che cosa chi dove quando come quanto quanta quanti quante perche quale quali posso puo potete avete ce serve
    voglio
    wat wie waar wanneer waarom hoe hoeveel welke kan kunnen heeft hebben is zijn mag wil moet
    co kto gdzie kiedy dlaczego czemu jak ile ktory ktora ktore czy moge mozna macie jest sa potrzebuje chce
    что чего кто где куда когда почему зачем как сколько какой какая какие каков можно могу ли есть нужен нужна
    нужно хочу
    що чого хто де куди коли чому навіщо як скільки який яка які чи можна можу є потрібен потрібна потрібно хочу
    ne neden niye nasıl nerede nereye nereden kim hangi kac mi mı mu mü var yok istiyorum lazim
    ما ماذا من متى اين كيف لماذا ليش كم هل اي ايش شو وين عندكم اريد ابغى
    क्या कौन कहाँ कहां कब क्यों कैसे कितना कितने कितनी किस कौनसा है हैं चाहिए
    but only however again still yet question trouble aber nur noch wieder frage pero todavia aun pregunta mais encore
    toujours question mas ainda duvida ma pero ancora domanda vorrei maar nog vraag ale jeszcze pytanie но еще уже
    вопрос але
    ще питання ama hala soru misiniz mısınız musunuz müsünüz لكن بعد سوال लेकिन अभी सवाल tapi tetapi belum masih
    apa apakah siapa mana dimana kemana kapan mengapa kenapa bagaimana gimana berapa bisa bisakah ada mau
    뭐 무엇 누구 어디 언제 왜 어떻게 얼마 몇
"""
"""Question words, and verbs with which a question or a demand begins, of all languages together."""
_ASKING_PARTS = (
    "何", "なに", "どこ", "どう", "いつ", "なぜ", "だれ", "誰", "いくら", "どれ", "どの", "ですか", "ますか",
    "ください", "欲しい", "たい", "ない", "ません",
    "吗", "嗎", "呢", "什么", "什麼", "谁", "哪", "怎", "为什么", "多少", "几", "能不能", "有没有", "可以", "请", "要",
    "没", "不",
    "나요", "까요", "습니까", "ㅂ니까", "인가", "어디", "언제", "얼마", "어떻게", "무엇", "해줘", "해주세요",
    "싶", "안 ",
)  # fmt: skip
"""The same in languages that are written without spaces, or put it at the end of a word."""
_NEGATED = re.compile(
    r"\w{0,9}nt|not|never|no|nicht|kein\w{0,2}|nie|pas|jamais|nunca|non|niet|geen|не|ні|нет|нема|yok|नहीं|tidak|لا|لم"
)


@cache
def _asking_words() -> frozenset[str]:
    return frozenset(word for one in _ASKING_WORDS.split() for word in normal.phrase(one))


def asks_nothing(text: str) -> bool:
    """Whether it has nothing of a question, a demand or a complaint: short, without a question mark or a digit, without
    a question word or a no."""
    found = normal.tokens(text)
    if found.asks or not found.words or sum(map(_weight, found.words)) > WORDS_MAX:
        return False
    plain = text.casefold()
    if any(part in plain for part in _ASKING_PARTS):
        return False
    return not any(word in _asking_words() or _NEGATED.fullmatch(word) for word in found.words)


def _weight(word: str) -> float:
    """A word of a script that is written without spaces has two characters or so, which are tokens of their own."""
    return 0.5 if normal.is_wide(word[0]) else 1.0


def bears_out(text: str) -> bool:
    """Whether the words may well be a courtesy: one is among them, and little else."""
    found = normal.tokens(text)
    if not found.words:
        return False
    strange, whats = classify.uncovered(found.words)
    return not _COURTEOUS.isdisjoint(whats) and strange <= STRANGE_WORDS_MAX
