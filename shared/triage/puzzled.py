"""What people say who have not understood, and what gives nothing to go by.

As in phrases.py: a message is one of these only if phrases cover all of it; `|` parts them.
"""

from __future__ import annotations

PUZZLED = {
    "en": "can you repeat that question|can you repeat what you said|please repeat what you said|"
    "repeat that for me|repeat that once more|say that once more|what did you ask|"
    "what did you just ask|what did you ask again|what was that question again|"
    "can you ask me that again|i did not hear what you said|i didnt hear what you said|"
    "i didnt understand what you said|i did not understand what you said|what|huh|what do you mean"
    "|what does that mean|what do you mean by that|i dont understand"
    "|i do not understand"
    "|i didnt understand|i did not understand|i dont get it|i dont get that|i didnt get that|i dont follow"
    "|come again|pardon"
    "|pardon me|say again|say that again|sorry what|repeat|repeat please|repeat that|repeat that please"
    "|can you repeat"
    "|can you repeat that|please repeat|please repeat that|could you repeat that|could you repeat|wdym|im confused"
    "|i am confused|excuse me what|not clear|thats not clear|that is not clear|eh|what now",
    "de": "was|hä|häh|wie bitte|wie|was meinst du|was meinen sie|was meinst du damit|was meinen sie damit"
    "|was heißt das"
    "|was bedeutet das|ich verstehe nicht|verstehe nicht|ich verstehe das nicht|das verstehe ich nicht"
    "|nicht verstanden"
    "|das habe ich nicht verstanden|ich habe das nicht verstanden|versteh ich nicht|nochmal bitte|bitte wiederholen"
    "|kannst du das wiederholen|können sie das wiederholen|bitte was|noch einmal bitte",
    "es": "qué|cómo|cómo dices|no entiendo|no entendí|no lo entiendo|no he entendido|no te entiendo|no le entiendo"
    "|perdón cómo"
    "|qué quieres decir|qué quiere decir|qué significa eso|puedes repetir|puede repetir|repite|repita por favor",
    "fr": "quoi|hein|comment|pardon|je ne comprends pas|je comprends pas|je n'ai pas compris|j'ai pas compris"
    "|que voulez vous dire|que veux tu dire|ça veut dire quoi|pouvez vous répéter|peux tu répéter|plaît il"
    "|c'est à dire",
    "pt": "o quê|o que|como|como assim|hã|não entendi|não entendo|não percebi|não compreendi|o que quer dizer"
    "|o que você quer dizer|pode repetir|repita por favor|quê",
    "it": "cosa|che cosa|come|eh|non capisco|non ho capito|non capito|cosa intendi|cosa intende|cosa vuol dire"
    "|che vuol dire"
    "|puoi ripetere|può ripetere|come scusa|in che senso",
    "nl": "wat|hè|huh|wat bedoel je|wat bedoelt u|wat betekent dat|ik begrijp het niet|ik snap het niet"
    "|begrijp ik niet"
    "|niet begrepen|wablief|kun je dat herhalen|kunt u dat herhalen|snap ik niet",
    "pl": "co|jak|słucham|nie rozumiem|nie zrozumiałem|nie zrozumiałam|co masz na myśli|co to znaczy|możesz powtórzyć"
    "|proszę powtórzyć|co proszę",
    "ru": "что|чего|как|в смысле|не понял|не поняла|не понимаю|я не понял|я не поняла|я не понимаю"
    "|что вы имеете в виду"
    "|что это значит|повторите|повторите пожалуйста|чё|шо|не понятно|непонятно",
    "uk": "що|як|в сенсі|не зрозумів|не зрозуміла|не розумію|я не зрозумів|я не зрозуміла|я не розумію"
    "|що ви маєте на увазі"
    "|що це означає|повторіть|повторіть будь ласка|незрозуміло",
    "tr": "ne|nasıl|efendim|anlamadım|anlayamadım|anlamıyorum|ne demek istiyorsun|ne demek istiyorsunuz|o ne demek"
    "|tekrar eder misiniz|tekrarlar mısınız|nasıl yani",
    "ar": "ماذا|ايش|شو|لم أفهم|لا أفهم|لا افهم|ما فهمت|ماذا تقصد|ماذا تعني|ما معنى ذلك|كرر من فضلك|أعد من فضلك|كيف",
    "hi": "क्या|समझ नहीं आया|मैं नहीं समझा|मैं नहीं समझी|नहीं समझा|समझा नहीं|क्या मतलब|आपका क्या मतलब है|फिर से बताइए"
    "|दोबारा बताइए|kya"
    "|samajh nahi aaya|kya matlab",
    "id": "apa|hah|maksudnya|maksudnya apa|apa maksudnya|saya tidak mengerti|tidak mengerti|saya tidak paham"
    "|tidak paham"
    "|gak ngerti|nggak ngerti|bisa diulang|tolong ulangi|kurang paham",
    "ja": "何|なに|何ですか|どういうこと|どういうことですか|どういう意味ですか|わかりません|分かりません"
    "|よくわかりません"
    "|理解できません|意味がわかりません|もう一度お願いします|もう一度",
    "ko": "뭐|뭐라고요|뭐라고|무슨 말이에요|무슨 말씀이세요|무슨 뜻이에요|무슨 뜻인가요|이해가 안 돼요"
    "|이해가 안 가요|이해 못 했어요"
    "|모르겠어요|모르겠습니다|다시 말해주세요|다시 한번",
    "zh": "什么|啥|什么意思|啥意思|我不明白|不明白|我不懂|不懂|没懂|没明白|看不懂|听不懂|你说什么|您说什么"
    "|请再说一遍|再说一遍|什麼",
}
"""What was said is not understood; it is about that."""

UNCLEAR = {
    "en": "sorry|im sorry|i am sorry|so sorry|my bad|my mistake|apologies|my apologies|oops|ups|excuse me|test"
    "|testing|tests"
    "|just testing|just a test|this is a test|test message|im testing|maybe|perhaps|i dont know|idk|not sure"
    "|im not sure|wait|one moment|just a moment|one second|hold on|wrong chat|wrong number|hm ok|asdf|qwerty|foo"
    "|bar|foo bar",
    "de": "entschuldigung|entschuldige|entschuldigen sie|verzeihung|sorry|tut mir leid|mein fehler|ups|test"
    "|nur ein test"
    "|das ist ein test|testnachricht|teste nur|vielleicht|weiß nicht|ich weiß nicht|keine ahnung|moment"
    "|einen moment|moment bitte"
    "|warte|falscher chat",
    "es": "perdón|perdona|perdone|disculpa|disculpe|disculpas|lo siento|prueba|probando|una prueba|es una prueba"
    "|esto es una prueba"
    "|quizás|tal vez|no sé|no lo sé|un momento|espera|espere",
    "fr": "désolé|désolée|je suis désolé|je suis désolée|excusez moi|excuse moi|mes excuses|test|c'est un test|essai"
    "|juste un test|ceci est un test|peut être|je ne sais pas|je sais pas|un moment|un instant|attendez|attends",
    "pt": "desculpa|desculpe|desculpas|perdão|sinto muito|foi mal|teste|testando|é um teste|isto é um teste"
    "|isso é um teste|talvez"
    "|não sei|um momento|espera|espere",
    "it": "scusa|scusi|scusate|mi scusi|mi dispiace|chiedo scusa|prova|test|è una prova|questa è una prova"
    "|solo un test|forse"
    "|non so|non lo so|un momento|un attimo|aspetta|aspetti",
    "nl": "sorry|excuses|pardon|mijn excuses|het spijt me|test|even testen|dit is een test|testbericht|misschien"
    "|weet niet"
    "|ik weet het niet|geen idee|momentje|een moment|wacht even|wacht",
    "pl": "przepraszam|sorki|wybacz|sory|przykro mi|test|to tylko test|testuję|to jest test|może|nie wiem|chwila"
    "|chwileczkę"
    "|momencik|poczekaj",
    "ru": "извините|извини|простите|прости|прошу прощения|сорри|виноват|тест|проверка|это тест|тестирую|может быть"
    "|наверное"
    "|не знаю|я не знаю|минутку|секунду|подождите|подожди",
    "uk": "вибачте|вибач|перепрошую|пробачте|даруйте|тест|перевірка|це тест|тестую|можливо|мабуть|не знаю|я не знаю"
    "|хвилинку|секунду|зачекайте|почекайте",
    "tr": "özür dilerim|pardon|kusura bakma|kusura bakmayın|üzgünüm|affedersiniz|test|deneme|bu bir test"
    "|deneme mesajı|belki"
    "|bilmiyorum|bir dakika|bekle|bekleyin",
    "ar": "آسف|اسف|آسفة|عذرا|معذرة|أعتذر|المعذرة|تجربة|اختبار|تست|هذا اختبار|ربما|لا أعرف|لا اعرف|لحظة|انتظر",
    "hi": "माफ़ कीजिए|माफ करना|माफ़ करना|क्षमा करें|सॉरी|टेस्ट|परीक्षण|यह एक टेस्ट है|शायद|पता नहीं"
    "|मुझे नहीं पता|एक मिनट|रुकिए"
    "|maaf kijiye"
    "|sorry|pata nahi",
    "id": "maaf|mohon maaf|maaf ya|maafkan saya|sori|tes|test|coba|cuma tes|ini tes|mungkin|tidak tahu"
    "|saya tidak tahu|gak tahu"
    "|sebentar|tunggu|tunggu sebentar",
    "ja": "すみません|すいません|ごめんなさい|ごめん|申し訳ありません|申し訳ございません|テスト|テストです|テスト中"
    "|たぶん|わからない"
    "|ちょっと待って|ちょっと待ってください|少々お待ちください",
    "ko": "죄송합니다|죄송해요|미안해요|미안합니다|미안|실례합니다|테스트|테스트입니다|테스트중|테스트 중|아마"
    "|아마도|글쎄요|몰라요"
    "|잠시만요|잠깐만요|기다려 주세요",
    "zh": "对不起|抱歉|不好意思|對不起|测试|测试一下|測試|这是测试|试试|试一下|也许|可能|不知道|我不知道|等一下"
    "|稍等|等等|请稍等",
    "sv": "förlåt|ursäkta|testar", "da": "undskyld|beklager", "no": "unnskyld|beklager", "fi": "anteeksi|testi",
    "cs": "promiňte|promiň|omlouvám se",
    "sk": "prepáčte|prepáč",
    "ro": "scuze|îmi pare rău|scuzați",
    "hu": "bocsánat|elnézést|teszt",
    "el": "συγγνώμη|δοκιμή", "he": "סליחה|בדיקה", "th": "ขอโทษ|ขอโทษครับ|ขอโทษค่ะ|ทดสอบ", "vi": "xin lỗi|thử",
    "bg": "извинете|съжалявам|проба", "sr": "izvinite|oprostite|žao mi je|извините", "fa": "ببخشید|متاسفم|تست",
}  # fmt: skip
"""What gives nothing to go by."""
