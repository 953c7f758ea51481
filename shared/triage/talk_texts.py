"""What customers are told to greetings and remarks, and what stands before a quotation, by language and name."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "welcome": "Hello! I answer questions here around the clock. What would you like to know?",
        "greeting": "Hello! How can I help you?",
        "thanks": "You're welcome! If there is anything else, just ask.",
        "goodbye": "Goodbye, and have a nice day!",
        "decline": "All right! If anything else comes up, just ask.",
        "clarify": "How can I help? Just write me your question.",
        "rephrase": "I did not understand that. Could you put it in other words?",
        "received": "Thank you, that has arrived. How can I help you with it?",
        "about": (
            "I am the automated assistant of {company}, not a person. I answer questions from the information that "
            "{company} has given me. If you would rather talk to a person, just say so and I will ask a colleague."
        ),
        "found": "This is what I found:",
        "model_away": "I can't write a full answer right now, but this is what our documents say:",
    },
    "de": {
        "welcome": "Hallo! Hier beantworte ich Fragen rund um die Uhr. Was möchten Sie wissen?",
        "greeting": "Hallo! Wie kann ich Ihnen helfen?",
        "thanks": "Gern geschehen! Wenn noch etwas offen ist, fragen Sie einfach.",
        "goodbye": "Auf Wiedersehen und einen schönen Tag!",
        "decline": "In Ordnung! Wenn noch etwas ist, fragen Sie einfach.",
        "clarify": "Wie kann ich helfen? Schreiben Sie mir einfach Ihre Frage.",
        "rephrase": "Das habe ich nicht verstanden. Können Sie es anders ausdrücken?",
        "received": "Danke, das ist angekommen. Wobei kann ich Ihnen damit helfen?",
        "about": (
            "Ich bin der automatische Assistent von {company}, kein Mensch. Ich beantworte Fragen mit den "
            "Informationen, die {company} mir gegeben hat. Wenn Sie lieber mit einem Menschen sprechen möchten, sagen "
            "Sie es einfach, dann bitte ich jemanden aus dem Team dazu."
        ),
        "found": "Das habe ich gefunden:",
        "model_away": "Im Moment kann ich keine ausführliche Antwort schreiben, aber das steht in unseren Unterlagen:",
    },
    "es": {
        "welcome": "¡Hola! Aquí respondo preguntas a cualquier hora. ¿Qué le gustaría saber?",
        "greeting": "¡Hola! ¿En qué puedo ayudarle?",
        "thanks": "¡De nada! Si necesita algo más, pregunte sin problema.",
        "goodbye": "¡Hasta luego y que tenga un buen día!",
        "decline": "¡De acuerdo! Si surge algo más, pregunte sin problema.",
        "clarify": "¿En qué puedo ayudar? Escríbame simplemente su pregunta.",
        "rephrase": "No lo he entendido. ¿Podría decirlo con otras palabras?",
        "received": "Gracias, lo hemos recibido. ¿En qué puedo ayudarle con esto?",
        "about": (
            "Soy el asistente automático de {company}, no una persona. Respondo preguntas con la información que "
            "{company} me ha dado. Si prefiere hablar con una persona, dígamelo y avisaré a alguien del equipo."
        ),
        "found": "Esto es lo que he encontrado:",
        "model_away": "Ahora mismo no puedo escribir una respuesta completa, pero esto dicen nuestros documentos:",
    },
    "fr": {
        "welcome": "Bonjour ! Je réponds ici aux questions à toute heure. Que souhaitez-vous savoir ?",
        "greeting": "Bonjour ! Comment puis-je vous aider ?",
        "thanks": "Je vous en prie ! Si vous avez une autre question, n'hésitez pas.",
        "goodbye": "Au revoir et bonne journée !",
        "decline": "D'accord ! Si vous avez besoin d'autre chose, n'hésitez pas.",
        "clarify": "Comment puis-je aider ? Écrivez-moi simplement votre question.",
        "rephrase": "Je n'ai pas compris. Pourriez-vous le dire autrement ?",
        "received": "Merci, nous l'avons bien reçu. En quoi puis-je vous aider à ce sujet ?",
        "about": (
            "Je suis l'assistant automatique de {company}, pas une personne. Je réponds aux questions avec les "
            "informations que {company} m'a données. Si vous préférez parler à une personne, dites-le-moi et je "
            "préviendrai l'équipe."
        ),
        "found": "Voici ce que j'ai trouvé :",
        "model_away": (
            "Je ne peux pas rédiger de réponse complète pour le moment, mais voici ce que disent nos documents :"
        ),
    },
    "pt": {
        "welcome": "Olá! Respondo aqui a perguntas a qualquer hora. O que gostaria de saber?",
        "greeting": "Olá! Em que posso ajudar?",
        "thanks": "De nada! Se precisar de mais alguma coisa, é só perguntar.",
        "goodbye": "Até logo e tenha um bom dia!",
        "decline": "Está bem! Se surgir mais alguma coisa, é só perguntar.",
        "clarify": "Como posso ajudar? Basta escrever a sua pergunta.",
        "rephrase": "Não compreendi. Pode dizer isso por outras palavras?",
        "received": "Obrigado, já chegou. Em que posso ajudar com isto?",
        "about": (
            "Sou o assistente automático de {company}, não uma pessoa. Respondo a perguntas com a informação que "
            "{company} me deu. Se preferir falar com uma pessoa, diga e eu aviso alguém da equipa."
        ),
        "found": "Isto foi o que encontrei:",
        "model_away": (
            "Neste momento não consigo escrever uma resposta completa, mas isto é o que dizem os nossos documentos:"
        ),
    },
    "it": {
        "welcome": "Ciao! Qui rispondo alle domande a qualsiasi ora. Che cosa vorrebbe sapere?",
        "greeting": "Salve! Come posso aiutarla?",
        "thanks": "Prego! Se ha altre domande, chieda pure.",
        "goodbye": "Arrivederci e buona giornata!",
        "decline": "Va bene! Se le serve altro, chieda pure.",
        "clarify": "Come posso aiutare? Mi scriva semplicemente la sua domanda.",
        "rephrase": "Non ho capito. Può dirlo con altre parole?",
        "received": "Grazie, è arrivato. In che cosa posso aiutarla al riguardo?",
        "about": (
            "Sono l'assistente automatico di {company}, non una persona. Rispondo alle domande con le informazioni "
            "che {company} mi ha dato. Se preferisce parlare con una persona, me lo dica e avviserò qualcuno del team."
        ),
        "found": "Ecco che cosa ho trovato:",
        "model_away": (
            "Al momento non posso scrivere una risposta completa, ma questo è ciò che dicono i nostri documenti:"
        ),
    },
    "nl": {
        "welcome": "Hallo! Ik beantwoord hier dag en nacht vragen. Wat wilt u weten?",
        "greeting": "Hallo! Waarmee kan ik u helpen?",
        "thanks": "Graag gedaan! Als er nog iets is, vraag het gerust.",
        "goodbye": "Tot ziens en een fijne dag!",
        "decline": "Goed! Als er nog iets is, vraag het gerust.",
        "clarify": "Waarmee kan ik helpen? Schrijf me gewoon uw vraag.",
        "rephrase": "Dat heb ik niet begrepen. Kunt u het anders zeggen?",
        "received": "Bedankt, het is aangekomen. Waarmee kan ik u daarbij helpen?",
        "about": (
            "Ik ben de automatische assistent van {company}, geen mens. Ik beantwoord vragen met de informatie die "
            "{company} mij heeft gegeven. Als u liever met een mens praat, zeg het gerust, dan vraag ik een collega."
        ),
        "found": "Dit heb ik gevonden:",
        "model_away": "Ik kan nu geen volledig antwoord schrijven, maar dit staat in onze documenten:",
    },
    "pl": {
        "welcome": "Dzień dobry! Odpowiadam tu na pytania o każdej porze. W czym mogę pomóc?",
        "greeting": "Dzień dobry! W czym mogę pomóc?",
        "thanks": "Nie ma za co! W razie dalszych pytań proszę śmiało pisać.",
        "goodbye": "Do widzenia i miłego dnia!",
        "decline": "W porządku! W razie dalszych pytań proszę śmiało pisać.",
        "clarify": "Jak mogę pomóc? Proszę po prostu napisać pytanie.",
        "rephrase": "Nie zrozumiałem tego. Czy można to powiedzieć inaczej?",
        "received": "Dziękuję, to do nas dotarło. W czym mogę z tym pomóc?",
        "about": (
            "Jestem automatycznym asystentem firmy {company}, nie człowiekiem. Odpowiadam na pytania na podstawie "
            "informacji, które firma {company} mi przekazała. Jeśli potrzebna jest rozmowa z człowiekiem, proszę o "
            "tym napisać, a poproszę kogoś z zespołu."
        ),
        "found": "Oto, co udało mi się znaleźć:",
        "model_away": "Nie mogę teraz napisać pełnej odpowiedzi, ale tak mówią nasze dokumenty:",
    },
    "ru": {
        "welcome": "Здравствуйте! Я отвечаю здесь на вопросы круглосуточно. Что вы хотели бы узнать?",
        "greeting": "Здравствуйте! Чем могу помочь?",
        "thanks": "Пожалуйста! Если будут ещё вопросы, пишите.",
        "goodbye": "До свидания и хорошего дня!",
        "decline": "Хорошо! Если появятся ещё вопросы, пишите.",
        "clarify": "Чем могу помочь? Просто напишите свой вопрос.",
        "rephrase": "Я этого не понял. Можете сказать другими словами?",
        "received": "Спасибо, это дошло до нас. Чем я могу с этим помочь?",
        "about": (
            "Я автоматический помощник компании {company}, не человек. Я отвечаю на вопросы по сведениям, которые "
            "дала мне компания {company}. Если вы хотите поговорить с человеком, скажите об этом, и я позову "
            "сотрудника."
        ),
        "found": "Вот что я нашёл:",
        "model_away": "Сейчас я не могу написать полный ответ, но вот что сказано в наших документах:",
    },
    "uk": {
        "welcome": "Вітаю! Я відповідаю тут на запитання цілодобово. Що ви хотіли б дізнатися?",
        "greeting": "Вітаю! Чим можу допомогти?",
        "thanks": "Будь ласка! Якщо будуть ще запитання, пишіть.",
        "goodbye": "До побачення і гарного дня!",
        "decline": "Гаразд! Якщо з'являться ще запитання, пишіть.",
        "clarify": "Чим можу допомогти? Просто напишіть своє запитання.",
        "rephrase": "Я цього не зрозумів. Можете сказати іншими словами?",
        "received": "Дякую, це надійшло до нас. Чим я можу з цим допомогти?",
        "about": (
            "Я автоматичний помічник компанії {company}, не людина. Я відповідаю на запитання за відомостями, які "
            "дала мені компанія {company}. Якщо ви хочете поговорити з людиною, скажіть про це, і я покличу "
            "співробітника."
        ),
        "found": "Ось що я знайшов:",
        "model_away": "Зараз я не можу написати повну відповідь, але ось що сказано в наших документах:",
    },
    "tr": {
        "welcome": "Merhaba! Burada günün her saatinde soruları yanıtlıyorum. Ne öğrenmek istersiniz?",
        "greeting": "Merhaba! Size nasıl yardımcı olabilirim?",
        "thanks": "Rica ederim! Başka bir sorunuz olursa yazmanız yeterli.",
        "goodbye": "Hoşça kalın, iyi günler!",
        "decline": "Tamamdır! Başka bir şey olursa yazmanız yeterli.",
        "clarify": "Nasıl yardımcı olabilirim? Sorunuzu yazmanız yeterli.",
        "rephrase": "Bunu anlayamadım. Başka bir şekilde söyleyebilir misiniz?",
        "received": "Teşekkürler, bize ulaştı. Bununla ilgili nasıl yardımcı olabilirim?",
        "about": (
            "Ben {company} şirketinin otomatik asistanıyım, insan değilim. Soruları {company} şirketinin bana verdiği "
            "bilgilerle yanıtlıyorum. Bir insanla görüşmek isterseniz söylemeniz yeterli, bir ekip arkadaşıma haber "
            "veririm."
        ),
        "found": "Şunları buldum:",
        "model_away": "Şu anda tam bir yanıt yazamıyorum, ancak belgelerimizde şunlar yazıyor:",
    },
    "ar": {
        "welcome": "مرحبا! أجيب هنا عن الأسئلة على مدار الساعة. ماذا تود أن تعرف؟",
        "greeting": "مرحبا! كيف يمكنني مساعدتك؟",
        "thanks": "على الرحب والسعة! إذا كان لديك سؤال آخر فاكتب لي.",
        "goodbye": "مع السلامة ويوما سعيدا!",
        "decline": "حسنا! إذا احتجت إلى شيء آخر فاكتب لي.",
        "clarify": "كيف يمكنني المساعدة؟ اكتب لي سؤالك فقط.",
        "rephrase": "لم أفهم ذلك. هل يمكنك أن تقوله بطريقة أخرى؟",
        "received": "شكرًا لك، لقد وصلنا ذلك. كيف يمكنني مساعدتك بشأنه؟",
        "about": (
            "أنا المساعد الآلي لشركة {company} ولست إنسانا. أجيب عن الأسئلة بالمعلومات التي أعطتني إياها {company}. "
            "إذا كنت تفضل التحدث مع شخص فقل لي ذلك وسأطلب أحد الزملاء."
        ),
        "found": "هذا ما وجدته:",
        "model_away": "لا أستطيع كتابة إجابة كاملة الآن، لكن هذا ما تقوله وثائقنا:",
    },
    "hi": {
        "welcome": "नमस्ते! मैं यहाँ हर समय सवालों के जवाब देता हूँ। आप क्या जानना चाहेंगे?",
        "greeting": "नमस्ते! मैं आपकी कैसे मदद कर सकता हूँ?",
        "thanks": "आपका स्वागत है! कोई और सवाल हो तो पूछिए।",
        "goodbye": "नमस्ते, आपका दिन शुभ हो!",
        "decline": "ठीक है! कुछ और हो तो बस पूछिए।",
        "clarify": "मैं कैसे मदद करूँ? बस अपना सवाल लिखिए।",
        "rephrase": "मैं यह नहीं समझा। क्या आप इसे दूसरे शब्दों में कह सकते हैं?",
        "received": "धन्यवाद, यह हमें मिल गया है। इसमें मैं आपकी क्या मदद कर सकता हूँ?",
        "about": (
            "मैं {company} का स्वचालित सहायक हूँ, इंसान नहीं। मैं {company} की दी हुई जानकारी से सवालों के जवाब देता "
            "हूँ। अगर आप किसी इंसान से बात करना चाहें तो बस कहिए, मैं टीम के किसी सदस्य को बुलाऊँगा।"
        ),
        "found": "मुझे यह मिला:",
        "model_away": "अभी मैं पूरा जवाब नहीं लिख सकता, लेकिन हमारे दस्तावेज़ों में यह लिखा है:",
    },
    "id": {
        "welcome": "Halo! Saya menjawab pertanyaan di sini kapan saja. Apa yang ingin Anda ketahui?",
        "greeting": "Halo! Ada yang bisa saya bantu?",
        "thanks": "Sama-sama! Kalau ada pertanyaan lain, silakan tanya.",
        "goodbye": "Sampai jumpa, semoga hari Anda menyenangkan!",
        "decline": "Baik! Kalau ada hal lain, silakan tanya.",
        "clarify": "Apa yang bisa saya bantu? Tulis saja pertanyaan Anda.",
        "rephrase": "Saya tidak memahaminya. Bisakah Anda mengatakannya dengan kata lain?",
        "received": "Terima kasih, ini sudah kami terima. Apa yang bisa saya bantu terkait hal ini?",
        "about": (
            "Saya asisten otomatis {company}, bukan manusia. Saya menjawab pertanyaan dari informasi yang diberikan "
            "{company} kepada saya. Kalau Anda lebih suka berbicara dengan manusia, katakan saja, dan saya akan "
            "meminta rekan saya."
        ),
        "found": "Ini yang saya temukan:",
        "model_away": "Saat ini saya tidak bisa menulis jawaban lengkap, tetapi inilah yang tertulis di dokumen kami:",
    },
    "ja": {
        "welcome": "こんにちは。こちらでは24時間ご質問にお答えしています。何をお知りになりたいですか。",
        "greeting": "こんにちは。ご用件をお聞かせください。",
        "thanks": "どういたしまして。ほかにもご質問があればどうぞ。",
        "goodbye": "ありがとうございました。よい一日をお過ごしください。",
        "decline": "承知しました。ほかに何かあればいつでもどうぞ。",
        "clarify": "どのようなご用件でしょうか。ご質問をそのままお書きください。",
        "rephrase": "申し訳ありません、理解できませんでした。別の言い方をしていただけますか。",
        "received": "ありがとうございます。確かに届きました。こちらについて、どのようなご用件でしょうか。",
        "about": (
            "私は{company}の自動応答アシスタントで、人間ではありません。{company}から提供された情報をもとにご質問にお"
            "答えします。担当者とのやり取りをご希望でしたら、そうお書きください。担当者に依頼します。"
        ),
        "found": "次の内容が見つかりました。",
        "model_away": "ただいま詳しい回答を書くことができませんが、資料には次のように書かれています。",
    },
    "ko": {
        "welcome": "안녕하세요! 이곳에서 언제든지 질문에 답해 드립니다. 무엇이 궁금하신가요?",
        "greeting": "안녕하세요! 무엇을 도와드릴까요?",
        "thanks": "천만에요! 다른 질문이 있으시면 언제든지 물어보세요.",
        "goodbye": "안녕히 가세요. 좋은 하루 보내세요!",
        "decline": "알겠습니다! 다른 궁금한 점이 있으면 언제든지 물어보세요.",
        "clarify": "어떤 도움이 필요하신가요? 질문을 적어 주세요.",
        "rephrase": "이해하지 못했습니다. 다른 말로 표현해 주시겠어요?",
        "received": "감사합니다. 잘 받았습니다. 이와 관련해 무엇을 도와드릴까요?",
        "about": (
            "저는 사람이 아니라 {company}의 자동 응답 도우미입니다. {company}에서 제공한 정보로 질문에 답해 드립니다. "
            "담당자와 이야기하고 싶으시면 말씀해 주세요. 담당자에게 전달하겠습니다."
        ),
        "found": "다음 내용을 찾았습니다:",
        "model_away": "지금은 자세한 답변을 드릴 수 없지만, 저희 문서에는 다음과 같이 나와 있습니다:",
    },
    "zh": {
        "welcome": "您好！我在这里全天回答问题。您想了解什么？",
        "greeting": "您好！有什么可以帮您？",
        "thanks": "不客气！如果还有其他问题，请随时提问。",
        "goodbye": "再见，祝您愉快！",
        "decline": "好的！如果还有别的问题，随时问我。",
        "clarify": "有什么可以帮忙的？请直接写下您的问题。",
        "rephrase": "我没有理解。您能换一种说法吗？",
        "received": "谢谢，我们已经收到了。关于这个，我能帮您做些什么？",
        "about": (
            "我是{company}的自动助手，不是真人。我根据{company}提供给我的信息回答问题。如果您想和真人交谈，请告诉我，"
            "我会通知同事。"
        ),
        "found": "我找到了以下内容：",
        "model_away": "我现在无法写出完整的回答，但我们的资料是这样说的：",
    },
}
