"""What a message is, by a table of utterances; anything that is not known is a question, and no question is lost."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from shared.triage import normal, phrases, speech, texts
from shared.triage.classify import claims_nothing, classify

SHARED = Path(__file__).resolve().parents[3] / "shared" / "eval"

GREETING = """
Hello!|hi|Hey there|hellooo|HELLO|Hii|heyyy|helloo|Good morning!|good evening|Hi there 👋|hello?|How are you?|hi again|Hello team
@acme_bot hi|<@U0BOT> hello|hi @acme_bot|hi 😀😀|Hel\u200blo|ｈｅｌｌｏ|  hello  |hello...|Anyone there?|Good morning everyone!
Hallo|Guten Tag!|Guten Morgen|Moin|Servus|Grüß Gott|gruess gott|Wie geht's?|Hallo zusammen|HALLO!!!
¡Hola!|Hola, buenos días|buenas tardes|¿Qué tal?|Hola hola|buenas|holaaa
Bonjour|Salut !|Bonsoir madame|coucou|Bonjour, comment allez-vous ?|bonjour à tous
Olá|oi|Bom dia!|Boa tarde|Oi, tudo bem?|Oi, bom dia
Ciao|Salve|Buongiorno!|buona sera|Ciao a tutti
Hoi|Goedemorgen|Goedemiddag|Hallo, hoe gaat het?|goede avond
Cześć|czesc|Dzień dobry|dzien dobry!|Witam|Hej
Привет|Здравствуйте!|Добрый день|ПРИВЕТ))|приветик|Доброе утро
Привіт|Добрий день|Доброго ранку|Вітаю!
Merhaba|MERHABA|Selam|İyi günler|iyi akşamlar|Günaydın
مرحبا|السلام عليكم|أهلا|صباح الخير|مرحبًا!|مرحبـــا
नमस्ते|नमस्कार|हैलो|namaste
Halo|Selamat pagi|Selamat siang kak|Assalamualaikum
こんにちは|おはようございます|こんばんは！|はじめまして
안녕하세요|안녕|안녕하세요!|여보세요
你好|您好！|早上好|嗨|在吗？
"""
THANKS = """
Thanks|Thank you!|thx|Thanks a lot!|thank you so much|ty|Thank you very much for your help|Thanks!!! ❤️|thanksss|Cheers|ok thanks
Thanks, bye!|Great, thank you!|Perfect thanks 👍|no worries, thanks|THANK YOU|yes thanks|thanks again|Thanks for your help!
Danke|Vielen Dank!|Dankeschön|danke schön|Super, danke!|Alles klar, danke|Danke für die Hilfe|Besten Dank
Gracias|¡Muchas gracias!|Vale, gracias|mil gracias|Gracias por su ayuda
Merci|Merci beaucoup !|D'accord, merci|Je vous remercie|merci bcp
Obrigado|Muito obrigada!|ok obrigado|valeu|brigada
Grazie|Grazie mille!|ok grazie|La ringrazio
Dank je wel|Bedankt!|Dankjewel|hartelijk dank|Oké bedankt
Dziękuję|dziekuje|Dzięki!|Dziękuję bardzo|ok dzięki
Спасибо|Большое спасибо!|спс|Хорошо, спасибо|Благодарю вас|СПАСИБО!!!
Дякую|Дуже дякую!|Щиро дякую|Добре, дякую
Teşekkürler|Teşekkür ederim|Sağ ol|tamam teşekkürler|çok teşekkürler
شكرا|شكراً جزيلاً|شُكراً|شكرا لك|تمام شكرا
धन्यवाद|शुक्रिया|बहुत बहुत धन्यवाद|ठीक है, धन्यवाद
Terima kasih|Makasih ya|makasih kak|ok terima kasih|Terima kasih banyak
ありがとう|ありがとうございます！|ありがとうございました|どうもありがとう|助かりました
감사합니다|고마워요|네 감사합니다|정말 감사합니다
谢谢|谢谢你！|多谢|好的，谢谢|非常感谢|謝謝
"""
GOODBYE = """
Bye|Goodbye!|bye bye|See you later|Have a nice day|good night|Ok bye|take care!|byeee
Tschüss|tschuess|TSCHÜSS|Auf Wiedersehen|Schönen Tag noch!|Gute Nacht|ok tschüss
Adiós|Hasta luego|adios|Que tenga un buen día|ok, hasta luego
Au revoir|Bonne journée !|À bientôt|a bientot
Tchau|Até logo|até mais!|ok tchau
Arrivederci|Buona giornata!|A presto|buonanotte
Tot ziens|Doei!|Fijne dag nog
Do widzenia|do widzenia!|Dobranoc|Miłego dnia
До свидания|Пока|Всего доброго!|Спокойной ночи
До побачення|Гарного дня|На добраніч
Hoşça kal|Görüşürüz|iyi geceler|Güle güle
مع السلامة|إلى اللقاء|باي
अलविदा|फिर मिलेंगे|शुभ रात्रि
Sampai jumpa|Dadah|Selamat tinggal
さようなら|またね|おやすみなさい
안녕히 계세요|잘 가|좋은 하루 되세요
再见|拜拜|晚安|明天见
"""
ACKNOWLEDGEMENT = """
ok|OK!|Okay|okkk|k|👍|👍🏽|❤️|🙂🙂|👩‍👩‍👧|:)|...|.|!|great|Got it|I see|sure|alright|haha|hahahaha|lol|perfect 👌|No problem
Alles klar|gut|verstanden|super|vale|de acuerdo|d'accord|très bien|tá bom|beleza|va bene|perfetto|oké|prima|dobrze|jasne
хорошо|понятно|ок|ясно|добре|зрозуміло|tamam|anladım|تمام|حسنا|ठीक है|अच्छा|oke|siap|baik|はい|了解です|わかりました|네|알겠습니다|ㅋㅋㅋㅋ
好的|嗯|知道了|明白了|收到|哈哈哈哈
"""
START = """
/start|/start promo-77|/start@acme_bot|/start@acme_bot ref_1|/START|Get Started|get started!|GET_STARTED|Los geht's|Commencer
Empezar|Começar|Inizia|Aan de slag|Rozpocznij|Начать|Почати|Başla|ابدأ|शुरू करें|Mulai|はじめる|시작하기|开始
"""
QUESTION = """
Hi, do you deliver to Norway?|hi-fi speakers?|hi-fi|thanks for nothing, where is my parcel|ok google price|bye bye baby song?|start date?
Thanks! And can I return it?|Hello, my zipper is broken|ok and then?|ok?|?|???|❓|ok but when|hello kitty backpack price|good morning coffee
When do you open|price|order 10023841|#8820|42|1|AX-3306-B|thanks but no thanks, I want my money back|never mind the price, when
no good|not ok|this is not great|yes|no|yes please|please|help me|can I talk to someone|cancel|cancel my order|stop|refund
Is it ok to wash it hot|is that right|is it good|the right size|fine print|bye-laws|hey siri discount|okay is the blue one in stock
sale|how much|what|why|where|when|who|morning?|Morgen?|later?|done?|sure?|thanks?|great, so how do I pay|thank you card prices
/ask how many days do I have to return shoes?|/start How do I return shoes?|@acme_bot when do you open?|sorry|I am sad 😢|😢 it broke
Hallo, liefert ihr nach Norwegen?|Danke, aber wo ist mein Paket|Guten Tag, ich habe eine Frage|wann|wie teuer|alles kaputt|gut und günstig?
Hola, ¿hacen envíos a Noruega?|gracias pero no llegó|¿cuánto cuesta?|buenas, tienen talla 42|precio
Bonjour, livrez-vous en Norvège ?|merci mais où est mon colis|combien|ça marche comment ?|bonjour je cherche un sac
Olá, entregam na Noruega?|obrigado mas não chegou|quanto custa|bom preço?|Ciao, spedite in Norvegia?|grazie ma dov'è il pacco|quanto costa
Hallo, leveren jullie in Noorwegen?|bedankt maar waar is mijn pakket|hoeveel|Dzień dobry, czy wysyłacie do Norwegii?|ile to kosztuje
dziękuję, ale gdzie jest paczka|Здравствуйте, вы доставляете в Норвегию?|спасибо, но где посылка|сколько стоит|хорошо, а когда
Привіт, чи є доставка до Норвегії?|дякую, але де посилка|скільки|Merhaba, Norveç'e gönderiyor musunuz?|teşekkürler ama paketim nerede|kaç para
مرحبا، هل توصلون إلى النرويج؟|شكرا لكن أين طردي|كم السعر|नमस्ते, क्या आप नॉर्वे भेजते हैं?|धन्यवाद लेकिन मेरा पार्सल कहाँ है|कितना
Halo, apakah kirim ke Norwegia?|terima kasih tapi paket saya di mana|berapa harganya|こんにちは、ノルウェーに配送しますか|ありがとう、でも荷物はどこですか
いくらですか|안녕하세요, 노르웨이로 배송하나요?|감사합니다 그런데 제 택배는 어디 있나요|얼마예요|你好，可以送到挪威吗？|谢谢，但是我的包裹在哪里|多少钱
"""


def _listed(table: str) -> list[str]:
    return [one for line in table.strip("\n").split("\n") for one in line.split("|")]


TABLE = [
    (said, what)
    for what, table in (
        ("greeting", GREETING), ("thanks", THANKS), ("goodbye", GOODBYE), ("acknowledgement", ACKNOWLEDGEMENT),
        ("start", START), ("question", QUESTION),
    )
    for said in _listed(table)
]  # fmt: skip


def test_the_table_is_as_large_as_it_claims() -> None:
    assert len(TABLE) > 400


@pytest.mark.parametrize(("said", "what"), TABLE)
def test_an_utterance_is_what_people_take_it_for(said: str, what: str) -> None:
    assert classify(said).what == what


@pytest.mark.parametrize(
    "said", ["", " ", "\u200b", "\u200b\u200d\u2060\ufeff", "\u3164", "\u2800\u2800", "\u202e\n\t", "️"]
)
def test_what_nobody_sees_is_an_acknowledgement(said: str) -> None:
    assert classify(said).kind == "acknowledgement"


@pytest.mark.parametrize(
    ("said", "payload"),
    [("/start promo-77", "promo-77"), ("/start@acme_bot ref_1", "ref_1"), ("/start", None), ("/start  x ", "x")],
)
def test_a_start_command_keeps_its_parameter(said: str, payload: str | None) -> None:
    assert (classify(said).kind, classify(said).payload) == ("command", payload)


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("Vielen Dank", "de"),
        ("gracias", "es"),
        ("merhaba", "tr"),
        ("谢谢", "zh"),
        ("ありがとう", "ja"),
        ("hello", "en"),
    ],
)
def test_a_courtesy_tells_its_language(said: str, language: str) -> None:
    assert classify(said).language == language


@pytest.mark.parametrize(
    "said",
    [
        "You're welcome!", "You're welcome! Let me know if you have any other questions. 😊", "My pleasure!",
        "Hello! How can I help you today?", "Gern geschehen! Einen schönen Tag noch!", "De nada. ¡Hasta luego!",
        "Je vous en prie !", "Не за что!", "どういたしまして。", "不客气！", "천만에요!", "على الرحب والسعة",
    ],
)  # fmt: skip
def test_a_model_s_courtesy_claims_nothing(said: str) -> None:
    assert claims_nothing(said)


@pytest.mark.parametrize(
    "said",
    [
        "Yes.", "No.", "Sure!", "Sure, no problem.", "No problem!", "Of course.", "OK", "Morgen.", "Later.", "",
        "You're welcome! We open at nine.", "You're welcome, it is free.", "Hello! Yes, we do.", "Gerne!", "Bitte.",
        "You're welcome! Refunds take 3 days.", "😊", "Thanks, done.", "Tomorrow", "Пожалуйста.", "Fine, thank you",
    ],
)  # fmt: skip
def test_whatever_may_be_read_as_a_fact_claims_something(said: str) -> None:
    assert not claims_nothing(said)


@pytest.mark.parametrize(
    ("said", "language"),
    [
        ("Do you deliver to Norway?", "en"), ("Liefert ihr nach Norwegen und wann?", "de"),
        ("¿Cuándo llega el paquete?", "es"), ("Quand est-ce que vous livrez ?", "fr"), ("Czy jest dostawa?", "pl"),
        ("Доставляете ли вы?", "ru"), ("Чи є доставка?", "uk"), ("ノルウェーに配送しますか", "ja"), ("你们送货吗", "zh"),
        ("배송하나요", "ko"), ("هل توصلون", "ar"), ("क्या आप भेजते हैं", "hi"), ("SKU?", None),
    ],
)  # fmt: skip
def test_a_question_tells_its_language(said: str, language: str | None) -> None:
    assert speech.language([said]) == language


def test_every_language_has_every_text_and_every_kind_of_phrase() -> None:
    assert len(texts.LANGUAGES) == 17
    for table in (phrases.GREETINGS, phrases.THANKS, phrases.GOODBYES, phrases.ACKNOWLEDGEMENTS):
        assert set(table) == texts.LANGUAGES
    for name in texts.NAMES:
        assert len({texts.default(name, language) for language in texts.LANGUAGES}) == len(texts.LANGUAGES)
    for language in texts.LANGUAGES:
        assert len({texts.default(name, language) for name in texts.NAMES}) == len(texts.NAMES)


def test_every_phrase_of_the_tables_is_read_as_one() -> None:
    for table in (*phrases.GREETINGS.values(), *phrases.THANKS.values(), *phrases.GOODBYES.values()):
        for one in table.split("|"):
            assert classify(one).kind in ("courtesy", "acknowledgement"), one
    assert all(normal.phrase(one) for one in phrases.ASSISTANT.split("|"))


@pytest.mark.parametrize("piece", ["a", "hello ", "a ", "\u200b", "?", "你", "é", "ﷺ", "@", "<@", "thanks and ", "ـ"])
def test_its_time_is_linear_in_the_length(piece: str) -> None:
    classify("hello")  # the tables are made once

    def took_s(times: int) -> float:
        text = piece * times
        return min(_timed(text) for _ in range(3))

    def _timed(text: str) -> float:
        started = time.thread_time()  # not the clock: other processes take their share
        classify(text)
        claims_nothing(text)
        return time.thread_time() - started

    assert took_s(32_000) < 64 * max(took_s(4_000), 0.001)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the labelled questions are not here")
def test_no_question_of_the_public_intent_sets_is_lost() -> None:
    """All of banking77 asks; of clinc150 what is met with a courtesy are greetings, thanks and goodbyes."""
    lost = []
    for name in ("banking77", "clinc150"):
        with open(SHARED / name / "labelled.jsonl", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        lost += [row["label"] for row in rows if classify(row["text"]).kind != "question"]
    assert set(lost) <= {"thank_you", "goodbye", "greeting"}
