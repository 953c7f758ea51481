"""Tells whether a line of a conversation can be asked alone, or says too little without the question before it.

"And Express?", "how much?", "can I return them?" mean nothing alone; "Do you deliver to Norway?" does, whatever was
said before it. The tables hold words of the languages of chats; a line in another language stands alone if it has two
words or more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from functools import lru_cache

from shared.knowledge.asked_identifiers import NOTHING
from shared.knowledge.asked_identifiers import asked as identifiers_of
from shared.knowledge.language import asked_in
from shared.triage.asked import asked

READ_CHARS = 400
"""A longer line says enough."""
OWN_WORDS = 2
"""So many words of its own make a line stand alone, unless a pronoun points back."""
POINTING_WORDS = 4
"""With so many words of its own at most a pronoun points back."""
WIDE_CHARS = 3
"""Of Chinese, Japanese and Thai, which have no spaces, so many characters are counted as one word."""
CHAIN_MAX = 3
"""So many earlier questions are looked through for one that stands alone."""

_PHRASES_FIRST = (
    "what about|how about|what if|was ist mit|wie sieht es|wie ist es mit|qué tal|que tal|qué pasa con|qu'en est il"
    "|quid de|e per|e se|che ne dici di|hoe zit het|en de|en het|en voor|en naar|en in|en met|en wat|en hoe|en als"
    "|a co|a ile|a czy|a jak|i co|i ile|a do|a dla|bagaimana dengan|hur är det med|hvad med|hva med|entä"
)
_FIRST = (
    "and or but also plus then und oder aber auch sowie y o pero también et ou mais aussi e ou mas também ed oppure ma"
    " anche maar ook ale lub oraz och eller men også og tai mutta ve peki ya veya dan lalu kalau atau"
    " и а или но также і та або و أو ثم और"
)
_PREPOSITIONS = (
    "to for in from with without within on at by until after before nach für in aus mit ohne ab bis bei zu zum zur para"
    " en con sin desde hasta por pour avec sans dans jusqu chez vers à au aux para com sem até em no na per con senza"
    " da a voor naar met zonder in uit dla do z na bez w для в во на с со без до из к för till med utan i til uden fra"
    " için ile untuk ke dengan tanpa dari إلى في من مع"
)
_ASKS = (
    "what how when where who which why is are do does did can could would will should may must have has was wie wann wo"
    " wer wen welche welcher welches warum wieso kann können könnte ist sind gibt haben hat habt darf muss qué"
    " cómo cuándo dónde quién cuál cuánto cuánta cuántos cuántas por puedo pueden hay es son tienen quoi comment quand"
    " où qui quel quelle combien pourquoi est peut puis avez que como quando onde quem qual quanto posso podem há é são"
    " têm che come quando dove chi quale perché posso è sono avete wat hoe wanneer waar wie welke waarom kan kunnen"
    " zijn"
    " heeft hebben co jak kiedy gdzie kto jaki jaka jakie ile dlaczego czy mogę jest что как когда где кто какой какая"
    " какие сколько почему можно есть vad hur när var vem vilken varför kan finns har hvad hvordan hvornår hvor hvem"
    " hva"
    " når hvorfor ne nasıl neden nerede kim hangi kaç apa bagaimana kapan siapa berapa mengapa apakah ما كيف متى أين من"
    " كم هل لماذا"
)
_VAGUE = (
    "much many long far often fast soon late early old big large cost costs take takes last lasts work works happen"
    " happens need get mean about else more other another ones same exactly really please else there then now again"
    " yes no ok okay so well just only even still kind sort thing things way"
    " viel viele lange weit oft schnell bald kostet kosten dauert dauern hält halten geht gehen brauche heißt mehr"
    " andere"
    " anderen genau bitte dann jetzt denn ja nein noch nur sonst da dazu dafür damit davon"
    " mucho tiempo cuesta cuestan tarda dura funciona más otro otra otros favor entonces ahora sí"
    " beaucoup longtemps temps coûte coûtent dure prend marche plus autre autres s'il plaît alors maintenant oui"
    " muito tempo custa custam demora dura funciona mais outro outra então agora sim favor"
    " molto tempo costa costano dura ci vuole funziona più altro altra allora adesso favore"
    " veel lang duurt kost kosten werkt meer andere dan nu graag alstublieft"
    " dużo długo kosztuje kosztują trwa działa więcej inne proszę teraz tak"
    " стоит стоят длится долго работает много быстро ещё еще другие пожалуйста тогда теперь это да нет стоить"
    " mycket länge kostar tar meget lenge koster tager mye kadar sürer tutar olur daha başka lütfen lama harganya biaya"
    " يكلف تكلف يستغرق سعره"
)
_POINTING = (
    "it its they them their theirs this that these those one ones there diese dieser dieses diesen dem denen dessen"
    " deren"
    " davon dafür damit dazu darauf darin ihn ihm eso esa ese esos esas esto este lo los las les ella ellos ellas"
    " cela ça"
    " ceci celui celle ceux celles lui leur isso isto ele ela eles elas dele dela questo questa quello quella esso lui"
    " dit deze die dat ervan ermee daarvan tego tym nim nich jej jego это этот эта эти этого он она они его её ее их"
    " него неё них там det den dem denna detta disse dette bu şu o bunu onu bunlar onlar itu ini nya هذا هذه ذلك تلك"
)
_BESIDES = (
    "other others another else same such both besides instead sonst andere anderen anderes dasselbe solche ebenfalls"
    " otro otra otros otras mismo misma autre autres même pareil outro outra outros outras mesmo altro altra altri"
    " stesso stessa ander andere anders zelfde inne inny innych sam samo другой другие другого иначе такие annan annat"
    " andra samma anden andet andre samme başka diğer aynı lain sama آخر أخرى"
)
_MEANT_WORDS = frozenset(("mean", "meant", "meine", "meinte", "intendevo", "intendo", "bedoel", "bedoelde"))
_LAST_POINTING = "das es die der le la il o a los las lo het"
"""Articles in other places: "kann ich das?", "die?"."""
_EXPLETIVE = "it it's its this that"
_ARABIC_AND = "و"
"""Written together with the word behind it."""
_WIDE_FIRST = ("那", "那么", "还有", "那麼", "還有", "それ", "これ", "では", "じゃあ", "그럼", "그리고", "그건", "แล้ว")
_WIDE_POINTING = ("它", "他们", "这个", "那个", "這個", "那個", "それ", "これ", "그것", "이것", "มัน")
_WIDE_VAGUE = re.compile(
    r"多少钱|多少錢|多久|多少|什么时候|什麼時候|什么|什麼|怎么样|怎么|怎麼|呢|吗|嗎|的|要|是|了|可以|需要|几天|哪里|钱"
    r"|いくら|どのくらい|どれくらい|いつ|どこ|ですか|ますか|は|が|の|を|に|も|と|か|です"
    r"|얼마|언제|어디|인가요|나요|까요|요|은|는|이|가|도"
    r"|เท่าไหร่|เท่าไร|เมื่อไหร่|ไหม|ครับ|คะ|ค่ะ|นาน|ล่ะ"
)
_WORD = re.compile(r"[^\W_]+(?:[-/.'’][^\W_]+)*")
_WIDE = re.compile(r"[぀-ヿ㐀-鿿豈-﫿฀-๿຀-໿က-႟ក-៿]")


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_FIRST_WORDS, _FIRST_PHRASES = _set(_FIRST), tuple(tuple(one.split()) for one in _PHRASES_FIRST.split("|"))
_PREPOSITION_WORDS, _ASKING_WORDS, _VAGUE_WORDS = _set(_PREPOSITIONS), _set(_ASKS), _set(_VAGUE)
_POINTING_WORDS, _LAST_POINTING_WORDS, _EXPLETIVE_WORDS = (
    _set(_POINTING) | _set(_BESIDES),
    _set(_LAST_POINTING),
    _set(_EXPLETIVE),
)
_EMPTY = _FIRST_WORDS | _PREPOSITION_WORDS | _ASKING_WORDS | _VAGUE_WORDS | _POINTING_WORDS | _LAST_POINTING_WORDS


class Stands(Enum):
    """Whether a line is a question by itself. PERHAPS: it has a single word of its own, which may be a new subject or
    something about the old one."""

    ALONE = "alone"
    PERHAPS = "perhaps"
    NOT = "not"


@lru_cache(maxsize=256)
def stands(line: str) -> Stands:
    """Tell whether a line can be asked without what was said before it. Takes time in proportion to the length; what
    is longer than 400 characters stands alone."""
    text = asked(line).casefold()
    if len(text) > READ_CHARS:
        return Stands.ALONE
    if _WIDE.search(text):
        return _wide(text)
    words = _WORD.findall(text)
    rest, opened = _behind_opening(words)
    words = rest if opened and words[0].startswith(_ARABIC_AND) else words
    empty = _EMPTY | asked_in(text).function_words("")
    own = sum(word not in empty and (len(word) > 1 or word.isdigit()) for word in words)
    if own == 0 or not _MEANT_WORDS.isdisjoint(words[:4]) or (own <= POINTING_WORDS and _points_back(words, empty)):
        return Stands.NOT
    asks = bool(rest) and rest[0] in _ASKING_WORDS
    if not asks and rest and rest[0] in _PREPOSITION_WORDS and own < OWN_WORDS:
        return Stands.NOT
    if opened and not asks:
        return Stands.NOT if own < OWN_WORDS else Stands.PERHAPS if own <= OWN_WORDS else Stands.ALONE
    return Stands.PERHAPS if own < OWN_WORDS else Stands.ALONE


def together(line: str, before: Sequence[str]) -> str | None:
    """Return a line together with the questions that it hangs on, as one text; None if it stands alone. before: the
    customer's earlier messages, newest first."""
    if stands(line) is Stands.ALONE or not before:
        return None
    chain = [asked(line)]
    for earlier in before[:CHAIN_MAX]:
        chain.append(asked(earlier))
        if stands(earlier) is Stands.ALONE:
            break
    return "\n".join(reversed(chain))


def carries_identifiers(line: str, together: str) -> bool:
    """Whether the questions before a line name identifiers and it names none itself."""
    return identifiers_of(line) == NOTHING and identifiers_of(together) != NOTHING


def _behind_opening(words: list[str]) -> tuple[list[str], bool]:
    """The words without "and", "what about" and the like at their beginning, and whether there was one."""
    opened = False
    if words and words[0] in _FIRST_WORDS:
        words, opened = words[1:], True
    elif words and words[0].startswith(_ARABIC_AND) and words[0][1:] in _EMPTY:
        words, opened = [words[0][1:], *words[1:]], True
    for phrase in _FIRST_PHRASES:
        if tuple(words[: len(phrase)]) == phrase:
            return words[len(phrase) :], True
    return words, opened


def _points_back(words: list[str], empty: frozenset[str]) -> bool:
    """Whether a pronoun stands for something said before: in "is it possible to pay?" none does."""
    if words[-1] in _LAST_POINTING_WORDS:
        return True
    for place, word in enumerate(words):
        if word in _POINTING_WORDS:
            behind = words[place + 1 :]
            if word in _EXPLETIVE_WORDS and "to" in behind[:-1]:
                continue
            if behind and behind[0] not in empty and word not in _NEVER_ARTICLES:
                continue  # an article of what follows
            if behind and behind[0] in _TIMES:
                continue  # this year
            return True
    return False


_NEVER_ARTICLES = _set(
    "it its they them their theirs this these those dieser diesen dieses davon dafür damit dazu darauf esos esas ese"
    " esa"
    " cela ça eso esto isso isto ihn ihm они он она этот эта эти этого questo questa quello quella deze dit"
) | _set(_BESIDES)
_TIMES = _set("year month week morning evening afternoon weekend christmas time monat jahr woche año mes semana")


def _wide(text: str) -> Stands:
    """Of languages that are written without spaces."""
    opened = text.startswith(_WIDE_FIRST)
    points = any(word in text for word in _WIDE_POINTING)
    rest = text
    for word in (*_WIDE_FIRST, *_WIDE_POINTING):
        rest = rest.replace(word, " ")
    own = sum(len(part) for part in _WORD.findall(_WIDE_VAGUE.sub(" ", rest)))
    if own == 0 or ((opened or points) and own <= WIDE_CHARS):
        return Stands.NOT
    return Stands.PERHAPS if own <= WIDE_CHARS else Stands.ALONE
