"""What customers are told by default, in their language. A company's own text goes before all of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, get_args

from shared.triage import remark_texts

Name = Literal[
    "welcome", "greeting", "thanks", "goodbye", "unknown", "unknown_again", "unknown_still",
    "decline", "clarify", "rephrase", "about", "person", "person_again", "stop", "found", "model_away",
]  # fmt: skip
NAMES: tuple[Name, ...] = get_args(Name)
"""welcome: to a start command. unknown: nothing relevant is known, and a person was told; unknown_again and
unknown_still: the same for the questions after that, by turns, so that nobody reads one text twice in a row.
decline: to a no. clarify, rephrase: to what says nothing, by turns. about: who writes here. person, person_again: a
person was asked for and told. stop: no advertising comes from here. found, model_away: stand before a quotation, where
no model is configured and where one is and cannot be asked."""

FALLBACK = "en"

_FIRST_TEXTS: Mapping[str, tuple[str, str, str, str, str, str, str]] = {
    "en": (
        "Hello! I answer questions here around the clock. What would you like to know?",
        "Hello! How can I help you?",
        "You're welcome! If there is anything else, just ask.",
        "Goodbye, and have a nice day!",
        "I could not find a reliable answer to that, so I have asked a colleague to have a look. They will reply here; "
        "you can go on asking me in the meantime.",
        "I do not know that either. It is noted for my colleague, too.",
        "I am afraid I cannot answer that one. A colleague will read it and reply here.",
    ),
    "de": (
        "Hallo! Hier beantworte ich Fragen rund um die Uhr. Was möchten Sie wissen?",
        "Hallo! Wie kann ich Ihnen helfen?",
        "Gern geschehen! Wenn noch etwas offen ist, fragen Sie einfach.",
        "Auf Wiedersehen und einen schönen Tag!",
        "Darauf habe ich keine verlässliche Antwort gefunden und deshalb jemanden aus dem Team gebeten, es sich "
        "anzusehen. Die Antwort kommt hier; Sie können mich inzwischen gern weiter fragen.",
        "Das weiß ich leider auch nicht. Auch diese Frage ist für das Team notiert.",
        "Auch hier muss ich passen. Jemand aus dem Team liest es und antwortet hier.",
    ),
    "es": (
        "¡Hola! Aquí respondo preguntas a cualquier hora. ¿Qué le gustaría saber?",
        "¡Hola! ¿En qué puedo ayudarle?",
        "¡De nada! Si necesita algo más, pregunte sin problema.",
        "¡Hasta luego y que tenga un buen día!",
        "No he encontrado una respuesta fiable a eso y he pedido a una persona del equipo que lo mire. Le responderá "
        "aquí; mientras tanto puede seguir preguntándome.",
        "Eso tampoco lo sé. También queda anotado para el equipo.",
        "Lo siento, a eso no puedo responder. Una persona del equipo lo leerá y responderá aquí.",
    ),
    "fr": (
        "Bonjour ! Je réponds ici aux questions à toute heure. Que souhaitez-vous savoir ?",
        "Bonjour ! Comment puis-je vous aider ?",
        "Je vous en prie ! Si vous avez une autre question, n'hésitez pas.",
        "Au revoir et bonne journée !",
        "Je n'ai pas trouvé de réponse fiable à cela et j'ai demandé à une personne de l'équipe de regarder. Elle vous "
        "répondra ici ; en attendant, vous pouvez continuer à me poser des questions.",
        "Cela non plus, je ne le sais pas. C'est également noté pour l'équipe.",
        "Je ne peux malheureusement pas répondre à cela. Une personne de l'équipe le lira et répondra ici.",
    ),
    "pt": (
        "Olá! Respondo aqui a perguntas a qualquer hora. O que gostaria de saber?",
        "Olá! Em que posso ajudar?",
        "De nada! Se precisar de mais alguma coisa, é só perguntar.",
        "Até logo e tenha um bom dia!",
        "Não encontrei uma resposta fiável para isso e pedi a uma pessoa da equipa que veja. A resposta virá aqui; "
        "entretanto pode continuar a perguntar-me.",
        "Isso também não sei. Fica igualmente anotado para a equipa.",
        "Infelizmente não consigo responder a isso. Uma pessoa da equipa vai ler e responder aqui.",
    ),
    "it": (
        "Ciao! Qui rispondo alle domande a qualsiasi ora. Che cosa vorrebbe sapere?",
        "Salve! Come posso aiutarla?",
        "Prego! Se ha altre domande, chieda pure.",
        "Arrivederci e buona giornata!",
        "Non ho trovato una risposta affidabile e ho chiesto a una persona del team di dare un'occhiata. Risponderà "
        "qui; nel frattempo può continuare a farmi domande.",
        "Non so neanche questo. È annotato anche questo per il team.",
        "Purtroppo non posso rispondere a questa domanda. Una persona del team la leggerà e risponderà qui.",
    ),
    "nl": (
        "Hallo! Ik beantwoord hier dag en nacht vragen. Wat wilt u weten?",
        "Hallo! Waarmee kan ik u helpen?",
        "Graag gedaan! Als er nog iets is, vraag het gerust.",
        "Tot ziens en een fijne dag!",
        "Daar heb ik geen betrouwbaar antwoord op gevonden, dus ik heb een collega gevraagd ernaar te kijken. Het "
        "antwoord komt hier; u kunt mij intussen verder vragen stellen.",
        "Dat weet ik ook niet. Ook deze vraag is genoteerd voor mijn collega.",
        "Daar kan ik helaas geen antwoord op geven. Een collega leest het en antwoordt hier.",
    ),
    "pl": (
        "Dzień dobry! Odpowiadam tu na pytania o każdej porze. W czym mogę pomóc?",
        "Dzień dobry! W czym mogę pomóc?",
        "Nie ma za co! W razie dalszych pytań proszę śmiało pisać.",
        "Do widzenia i miłego dnia!",
        "Nie znalazłem na to wiarygodnej odpowiedzi, więc poprosiłem kogoś z zespołu, aby się temu przyjrzał. "
        "Odpowiedź pojawi się tutaj; tymczasem można pytać mnie dalej.",
        "Tego też nie wiem. To pytanie również zapisałem dla zespołu.",
        "Na to niestety nie potrafię odpowiedzieć. Ktoś z zespołu przeczyta i odpowie tutaj.",
    ),
    "ru": (
        "Здравствуйте! Я отвечаю здесь на вопросы круглосуточно. Что вы хотели бы узнать?",
        "Здравствуйте! Чем могу помочь?",
        "Пожалуйста! Если будут ещё вопросы, пишите.",
        "До свидания и хорошего дня!",
        "Я не нашёл надёжного ответа на этот вопрос и попросил сотрудника посмотреть. Ответ придёт сюда; тем временем "
        "вы можете спрашивать меня дальше.",
        "Этого я тоже не знаю. Вопрос также передан сотруднику.",
        "К сожалению, на это я ответить не могу. Сотрудник прочитает и ответит здесь.",
    ),
    "uk": (
        "Вітаю! Я відповідаю тут на запитання цілодобово. Що ви хотіли б дізнатися?",
        "Вітаю! Чим можу допомогти?",
        "Будь ласка! Якщо будуть ще запитання, пишіть.",
        "До побачення і гарного дня!",
        "Я не знайшов надійної відповіді на це і попросив співробітника подивитися. Відповідь надійде сюди; тим часом "
        "можете запитувати мене далі.",
        "Цього я теж не знаю. Запитання також передано співробітнику.",
        "На жаль, на це я не можу відповісти. Співробітник прочитає і відповість тут.",
    ),
    "tr": (
        "Merhaba! Burada günün her saatinde soruları yanıtlıyorum. Ne öğrenmek istersiniz?",
        "Merhaba! Size nasıl yardımcı olabilirim?",
        "Rica ederim! Başka bir sorunuz olursa yazmanız yeterli.",
        "Hoşça kalın, iyi günler!",
        "Bunun için güvenilir bir yanıt bulamadım ve bir ekip arkadaşımdan bakmasını rica ettim. Yanıtı burada "
        "verecek; bu arada bana soru sormaya devam edebilirsiniz.",
        "Bunu da bilmiyorum. Bu soru da ekip için not edildi.",
        "Ne yazık ki buna yanıt veremiyorum. Ekipten biri okuyup burada yanıtlayacak.",
    ),
    "ar": (
        "مرحبا! أجيب هنا عن الأسئلة على مدار الساعة. ماذا تود أن تعرف؟",
        "مرحبا! كيف يمكنني مساعدتك؟",
        "على الرحب والسعة! إذا كان لديك سؤال آخر فاكتب لي.",
        "مع السلامة ويوما سعيدا!",
        "لم أجد إجابة موثوقة عن ذلك، فطلبت من أحد الزملاء أن ينظر في الأمر. سيأتي الرد هنا، ويمكنك أن تواصل سؤالي "
        "في هذه الأثناء.",
        "هذا أيضا لا أعرفه. سجلت سؤالك للزملاء كذلك.",
        "للأسف لا أستطيع الإجابة عن هذا. سيقرؤه أحد الزملاء ويرد هنا.",
    ),
    "hi": (
        "नमस्ते! मैं यहाँ हर समय सवालों के जवाब देता हूँ। आप क्या जानना चाहेंगे?",
        "नमस्ते! मैं आपकी कैसे मदद कर सकता हूँ?",
        "आपका स्वागत है! कोई और सवाल हो तो पूछिए।",
        "नमस्ते, आपका दिन शुभ हो!",
        "मुझे इसका कोई भरोसेमंद जवाब नहीं मिला, इसलिए मैंने टीम के एक सदस्य से देखने को कहा है। जवाब यहीं आएगा; तब तक आप "
        "मुझसे और सवाल पूछ सकते हैं।",
        "यह भी मुझे नहीं पता। यह सवाल भी टीम के लिए लिख लिया गया है।",
        "माफ़ कीजिए, इसका जवाब मैं नहीं दे सकता। टीम का कोई सदस्य इसे पढ़कर यहीं जवाब देगा।",
    ),
    "id": (
        "Halo! Saya menjawab pertanyaan di sini kapan saja. Apa yang ingin Anda ketahui?",
        "Halo! Ada yang bisa saya bantu?",
        "Sama-sama! Kalau ada pertanyaan lain, silakan tanya.",
        "Sampai jumpa, semoga hari Anda menyenangkan!",
        "Saya tidak menemukan jawaban yang dapat diandalkan, jadi saya meminta rekan saya untuk melihatnya. Jawabannya "
        "akan datang di sini; sementara itu Anda boleh terus bertanya kepada saya.",
        "Itu juga saya tidak tahu. Pertanyaan ini juga sudah dicatat untuk rekan saya.",
        "Maaf, yang ini tidak bisa saya jawab. Rekan saya akan membaca dan menjawab di sini.",
    ),
    "ja": (
        "こんにちは。こちらでは24時間ご質問にお答えしています。何をお知りになりたいですか。",
        "こんにちは。ご用件をお聞かせください。",
        "どういたしまして。ほかにもご質問があればどうぞ。",
        "ありがとうございました。よい一日をお過ごしください。",
        "確かな答えが見つからなかったため、担当者に確認を依頼しました。こちらでお返事しますので、その間もご質問を続けていただけます。",
        "申し訳ありませんが、それも分かりません。担当者への確認事項に加えました。",
        "こちらもお答えできません。担当者が確認し、ここでお返事します。",
    ),
    "ko": (
        "안녕하세요! 이곳에서 언제든지 질문에 답해 드립니다. 무엇이 궁금하신가요?",
        "안녕하세요! 무엇을 도와드릴까요?",
        "천만에요! 다른 질문이 있으시면 언제든지 물어보세요.",
        "안녕히 가세요. 좋은 하루 보내세요!",
        "확실한 답을 찾지 못해 담당자에게 확인을 부탁했습니다. 답변은 여기로 드리며, 그동안 저에게 계속 질문하셔도 됩니다.",
        "그것도 제가 알지 못합니다. 이 질문도 담당자에게 전달했습니다.",
        "죄송하지만 이 질문에는 답할 수 없습니다. 담당자가 읽고 여기에서 답변드리겠습니다.",
    ),
    "zh": (
        "您好！我在这里全天回答问题。您想了解什么？",
        "您好！有什么可以帮您？",
        "不客气！如果还有其他问题，请随时提问。",
        "再见，祝您愉快！",
        "这个问题我没有找到可靠的答案，已请同事查看。答复会发在这里；在此期间您可以继续向我提问。",
        "这个我也不知道，也已转告同事。",
        "抱歉，这个问题我无法回答。同事看到后会在这里回复您。",
    ),
}
_TEXTS = {language: (*told, *remark_texts.TEXTS[language]) for language, told in _FIRST_TEXTS.items()}
LANGUAGES = frozenset(_TEXTS)
COMPANIES_START_WITH = (
    "Something went wrong here and I could not answer. I have told a colleague, who will reply here.",
    "I can only read text so far. Could you describe in words what you need?",
    "Sorry, so many people are writing to us just now that I cannot answer in time. A colleague will reply here.",
)
"""What a new company's handover, notice and overload texts are, by the database's defaults."""


def every() -> Iterator[str]:
    """All texts of the product, in all languages."""
    yield from COMPANIES_START_WITH
    for by_name in _TEXTS.values():
        yield from by_name


def default(name: Name, language: str | None) -> str:
    """language: as ISO 639-1; English where there is no text in it."""
    return _TEXTS.get(language or FALLBACK, _TEXTS[FALLBACK])[NAMES.index(name)]


def languages_of(text: str) -> tuple[str, ...]:
    """Those in which the product says this; none where it is not one of its texts."""
    return tuple(language for language, told in _TEXTS.items() if text in told)
