"""What customers are told to remarks that are neither questions nor courtesies, and what stands before a quotation."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str, str, str, str, str, str, str, str]] = {
    "en": (
        "All right! If anything else comes up, just ask.",
        "How can I help? Just write me your question.",
        "I did not understand that. Could you put it in other words?",
        "I am the automated assistant of {company}, not a person. I answer questions from the information that "
        "{company} "
        "has given me. If you would rather talk to a person, just say so and I will ask a colleague.",
        "I have asked a colleague to join. They will reply here; you can go on asking me in the meantime.",
        "My colleague has been told and will reply here.",
        "I only reply to what is written here and send no advertising. Unless you write again, you will hear "
        "nothing more "
        "from me.",
        "This is what I found:",
        "I can't write a full answer right now, but this is what our documents say:",
    ),
    "de": (
        "In Ordnung! Wenn noch etwas ist, fragen Sie einfach.",
        "Wie kann ich helfen? Schreiben Sie mir einfach Ihre Frage.",
        "Das habe ich nicht verstanden. Können Sie es anders ausdrücken?",
        "Ich bin der automatische Assistent von {company}, kein Mensch. Ich beantworte Fragen mit den "
        "Informationen, die "
        "{company} mir gegeben hat. Wenn Sie lieber mit einem Menschen sprechen möchten, sagen Sie es einfach, dann "
        "bitte "
        "ich jemanden aus dem Team dazu.",
        "Ich habe jemanden aus dem Team dazugebeten. Die Antwort kommt hier; Sie können mich inzwischen gern weiter "
        "fragen.",
        "Das Team weiß Bescheid und antwortet hier.",
        "Ich antworte nur auf das, was hier geschrieben wird, und sende keine Werbung. Solange Sie nicht wieder "
        "schreiben, "
        "hören Sie nichts mehr von mir.",
        "Das habe ich gefunden:",
        "Im Moment kann ich keine ausführliche Antwort schreiben, aber das steht in unseren Unterlagen:",
    ),
    "es": (
        "¡De acuerdo! Si surge algo más, pregunte sin problema.",
        "¿En qué puedo ayudar? Escríbame simplemente su pregunta.",
        "No lo he entendido. ¿Podría decirlo con otras palabras?",
        "Soy el asistente automático de {company}, no una persona. Respondo preguntas con la información que "
        "{company} me ha "
        "dado. Si prefiere hablar con una persona, dígamelo y avisaré a alguien del equipo.",
        "He pedido a una persona del equipo que se incorpore. Le responderá aquí; mientras tanto puede seguir "
        "preguntándome.",
        "El equipo ya está avisado y le responderá aquí.",
        "Solo respondo a lo que se escribe aquí y no envío publicidad. Si no vuelve a escribir, no recibirá nada "
        "más de mí.",
        "Esto es lo que he encontrado:",
        "Ahora mismo no puedo escribir una respuesta completa, pero esto dicen nuestros documentos:",
    ),
    "fr": (
        "D'accord ! Si vous avez besoin d'autre chose, n'hésitez pas.",
        "Comment puis-je aider ? Écrivez-moi simplement votre question.",
        "Je n'ai pas compris. Pourriez-vous le dire autrement ?",
        "Je suis l'assistant automatique de {company}, pas une personne. Je réponds aux questions avec les "
        "informations que "
        "{company} m'a données. Si vous préférez parler à une personne, dites-le-moi et je préviendrai l'équipe.",
        "J'ai demandé à une personne de l'équipe de nous rejoindre. Elle vous répondra ici ; en attendant, vous "
        "pouvez "
        "continuer à me poser des questions.",
        "L'équipe est prévenue et vous répondra ici.",
        "Je réponds seulement à ce qui est écrit ici et je n'envoie pas de publicité. Si vous n'écrivez plus, vous "
        "ne "
        "recevrez plus rien de ma part.",
        "Voici ce que j'ai trouvé :",
        "Je ne peux pas rédiger de réponse complète pour le moment, mais voici ce que disent nos documents :",
    ),
    "pt": (
        "Está bem! Se surgir mais alguma coisa, é só perguntar.",
        "Como posso ajudar? Basta escrever a sua pergunta.",
        "Não compreendi. Pode dizer isso por outras palavras?",
        "Sou o assistente automático de {company}, não uma pessoa. Respondo a perguntas com a informação que "
        "{company} me "
        "deu. Se preferir falar com uma pessoa, diga e eu aviso alguém da equipa.",
        "Pedi a uma pessoa da equipa que se junte à conversa. A resposta virá aqui; entretanto pode continuar a "
        "perguntar-me.",
        "A equipa já foi avisada e vai responder aqui.",
        "Só respondo ao que é escrito aqui e não envio publicidade. Se não voltar a escrever, não receberá mais "
        "nada de mim.",
        "Isto foi o que encontrei:",
        "Neste momento não consigo escrever uma resposta completa, mas isto é o que dizem os nossos documentos:",
    ),
    "it": (
        "Va bene! Se le serve altro, chieda pure.",
        "Come posso aiutare? Mi scriva semplicemente la sua domanda.",
        "Non ho capito. Può dirlo con altre parole?",
        "Sono l'assistente automatico di {company}, non una persona. Rispondo alle domande con le informazioni che "
        "{company} "
        "mi ha dato. Se preferisce parlare con una persona, me lo dica e avviserò qualcuno del team.",
        "Ho chiesto a una persona del team di unirsi. Risponderà qui; nel frattempo può continuare a farmi domande.",
        "Il team è stato avvisato e risponderà qui.",
        "Rispondo solo a quello che viene scritto qui e non invio pubblicità. Se non scrive più, da me non riceverà "
        "altro.",
        "Ecco che cosa ho trovato:",
        "Al momento non posso scrivere una risposta completa, ma questo è ciò che dicono i nostri documenti:",
    ),
    "nl": (
        "Goed! Als er nog iets is, vraag het gerust.",
        "Waarmee kan ik helpen? Schrijf me gewoon uw vraag.",
        "Dat heb ik niet begrepen. Kunt u het anders zeggen?",
        "Ik ben de automatische assistent van {company}, geen mens. Ik beantwoord vragen met de informatie die "
        "{company} mij "
        "heeft gegeven. Als u liever met een mens praat, zeg het gerust, dan vraag ik een collega.",
        "Ik heb een collega gevraagd mee te kijken. Het antwoord komt hier; u kunt mij intussen verder vragen stellen.",
        "Mijn collega weet ervan en antwoordt hier.",
        "Ik antwoord alleen op wat hier wordt geschreven en stuur geen reclame. Zolang u niet opnieuw schrijft, "
        "hoort u niets "
        "meer van mij.",
        "Dit heb ik gevonden:",
        "Ik kan nu geen volledig antwoord schrijven, maar dit staat in onze documenten:",
    ),
    "pl": (
        "W porządku! W razie dalszych pytań proszę śmiało pisać.",
        "Jak mogę pomóc? Proszę po prostu napisać pytanie.",
        "Nie zrozumiałem tego. Czy można to powiedzieć inaczej?",
        "Jestem automatycznym asystentem firmy {company}, nie człowiekiem. Odpowiadam na pytania na podstawie "
        "informacji, "
        "które firma {company} mi przekazała. Jeśli potrzebna jest rozmowa z człowiekiem, proszę o tym napisać, a "
        "poproszę "
        "kogoś z zespołu.",
        "Poprosiłem kogoś z zespołu, aby dołączył. Odpowiedź pojawi się tutaj; tymczasem można pytać mnie dalej.",
        "Zespół już o tym wie i odpowie tutaj.",
        "Odpowiadam tylko na to, co jest tutaj pisane, i nie wysyłam reklam. Bez kolejnej wiadomości nic więcej ode "
        "mnie nie "
        "przyjdzie.",
        "Oto, co udało mi się znaleźć:",
        "Nie mogę teraz napisać pełnej odpowiedzi, ale tak mówią nasze dokumenty:",
    ),
    "ru": (
        "Хорошо! Если появятся ещё вопросы, пишите.",
        "Чем могу помочь? Просто напишите свой вопрос.",
        "Я этого не понял. Можете сказать другими словами?",
        "Я автоматический помощник компании {company}, не человек. Я отвечаю на вопросы по сведениям, которые дала "
        "мне "
        "компания {company}. Если вы хотите поговорить с человеком, скажите об этом, и я позову сотрудника.",
        "Я попросил сотрудника подключиться. Он ответит здесь; тем временем вы можете спрашивать меня дальше.",
        "Сотрудник уже знает и ответит здесь.",
        "Я отвечаю только на то, что пишут здесь, и не рассылаю рекламу. Пока вы снова не напишете, от меня больше "
        "ничего не "
        "придёт.",
        "Вот что я нашёл:",
        "Сейчас я не могу написать полный ответ, но вот что сказано в наших документах:",
    ),
    "uk": (
        "Гаразд! Якщо з'являться ще запитання, пишіть.",
        "Чим можу допомогти? Просто напишіть своє запитання.",
        "Я цього не зрозумів. Можете сказати іншими словами?",
        "Я автоматичний помічник компанії {company}, не людина. Я відповідаю на запитання за відомостями, які дала "
        "мені "
        "компанія {company}. Якщо ви хочете поговорити з людиною, скажіть про це, і я покличу співробітника.",
        "Я попросив співробітника долучитися. Він відповість тут; тим часом можете запитувати мене далі.",
        "Співробітник уже знає і відповість тут.",
        "Я відповідаю лише на те, що пишуть тут, і не надсилаю реклами. Поки ви знову не напишете, від мене більше "
        "нічого не "
        "надійде.",
        "Ось що я знайшов:",
        "Зараз я не можу написати повну відповідь, але ось що сказано в наших документах:",
    ),
    "tr": (
        "Tamamdır! Başka bir şey olursa yazmanız yeterli.",
        "Nasıl yardımcı olabilirim? Sorunuzu yazmanız yeterli.",
        "Bunu anlayamadım. Başka bir şekilde söyleyebilir misiniz?",
        "Ben {company} şirketinin otomatik asistanıyım, insan değilim. Soruları {company} şirketinin bana verdiği "
        "bilgilerle "
        "yanıtlıyorum. Bir insanla görüşmek isterseniz söylemeniz yeterli, bir ekip arkadaşıma haber veririm.",
        "Bir ekip arkadaşımdan katılmasını rica ettim. Yanıtı burada verecek; bu arada bana soru sormaya devam "
        "edebilirsiniz.",
        "Ekip arkadaşımın haberi var, burada yanıt verecek.",
        "Yalnızca burada yazılanlara yanıt veririm ve reklam göndermem. Siz yeniden yazmadıkça benden başka mesaj "
        "gelmez.",
        "Şunları buldum:",
        "Şu anda tam bir yanıt yazamıyorum, ancak belgelerimizde şunlar yazıyor:",
    ),
    "ar": (
        "حسنا! إذا احتجت إلى شيء آخر فاكتب لي.",
        "كيف يمكنني المساعدة؟ اكتب لي سؤالك فقط.",
        "لم أفهم ذلك. هل يمكنك أن تقوله بطريقة أخرى؟",
        "أنا المساعد الآلي لشركة {company} ولست إنسانا. أجيب عن الأسئلة بالمعلومات التي أعطتني إياها {company}. إذا "
        "كنت "
        "تفضل التحدث مع شخص فقل لي ذلك وسأطلب أحد الزملاء.",
        "طلبت من أحد الزملاء أن ينضم. سيأتي الرد هنا، ويمكنك أن تواصل سؤالي في هذه الأثناء.",
        "تم إبلاغ زميلي وسيرد هنا.",
        "أرد فقط على ما يكتب هنا ولا أرسل إعلانات. ما لم تكتب مجددا فلن يصلك مني شيء آخر.",
        "هذا ما وجدته:",
        "لا أستطيع كتابة إجابة كاملة الآن، لكن هذا ما تقوله وثائقنا:",
    ),
    "hi": (
        "ठीक है! कुछ और हो तो बस पूछिए।",
        "मैं कैसे मदद करूँ? बस अपना सवाल लिखिए।",
        "मैं यह नहीं समझा। क्या आप इसे दूसरे शब्दों में कह सकते हैं?",
        "मैं {company} का स्वचालित सहायक हूँ, इंसान नहीं। मैं {company} की दी हुई जानकारी से सवालों के जवाब देता हूँ। अगर आप किसी "
        "इंसान से बात करना चाहें तो बस कहिए, मैं टीम के किसी सदस्य को बुलाऊँगा।",
        "मैंने टीम के एक सदस्य से जुड़ने को कहा है। जवाब यहीं आएगा; तब तक आप मुझसे और सवाल पूछ सकते हैं।",
        "टीम को बता दिया गया है और जवाब यहीं आएगा।",
        "मैं केवल यहाँ लिखी बातों का जवाब देता हूँ और कोई विज्ञापन नहीं भेजता। जब तक आप फिर से नहीं लिखेंगे, मेरी ओर से कुछ नहीं आएगा।",
        "मुझे यह मिला:",
        "अभी मैं पूरा जवाब नहीं लिख सकता, लेकिन हमारे दस्तावेज़ों में यह लिखा है:",
    ),
    "id": (
        "Baik! Kalau ada hal lain, silakan tanya.",
        "Apa yang bisa saya bantu? Tulis saja pertanyaan Anda.",
        "Saya tidak memahaminya. Bisakah Anda mengatakannya dengan kata lain?",
        "Saya asisten otomatis {company}, bukan manusia. Saya menjawab pertanyaan dari informasi yang diberikan "
        "{company} "
        "kepada saya. Kalau Anda lebih suka berbicara dengan manusia, katakan saja, dan saya akan meminta rekan "
        "saya.",
        "Saya sudah meminta rekan saya untuk bergabung. Jawabannya akan datang di sini; sementara itu Anda boleh "
        "terus "
        "bertanya kepada saya.",
        "Rekan saya sudah diberi tahu dan akan menjawab di sini.",
        "Saya hanya membalas apa yang ditulis di sini dan tidak mengirim iklan. Selama Anda tidak menulis lagi, "
        "tidak ada "
        "pesan lain dari saya.",
        "Ini yang saya temukan:",
        "Saat ini saya tidak bisa menulis jawaban lengkap, tetapi inilah yang tertulis di dokumen kami:",
    ),
    "ja": (
        "承知しました。ほかに何かあればいつでもどうぞ。",
        "どのようなご用件でしょうか。ご質問をそのままお書きください。",
        "申し訳ありません、理解できませんでした。別の言い方をしていただけますか。",
        "私は{company}の自動応答アシスタントで、人間ではありません。"
        "{company}から提供された情報をもとにご質問にお答えします。"
        "担当者とのやり取りをご希望でしたら、そうお書きください。担当者に依頼します。",
        "担当者に対応を依頼しました。こちらでお返事しますので、その間もご質問を続けていただけます。",
        "担当者には伝えてあります。こちらでお返事します。",
        "こちらに書かれたことにだけお答えし、広告は送りません。再びお書きいただかない限り、私からは何も送りません。",
        "次の内容が見つかりました。",
        "ただいま詳しい回答を書くことができませんが、資料には次のように書かれています。",
    ),
    "ko": (
        "알겠습니다! 다른 궁금한 점이 있으면 언제든지 물어보세요.",
        "어떤 도움이 필요하신가요? 질문을 적어 주세요.",
        "이해하지 못했습니다. 다른 말로 표현해 주시겠어요?",
        "저는 사람이 아니라 {company}의 자동 응답 도우미입니다. {company}에서 제공한 정보로 질문에 답해 드립니다. "
        "담당자와 이야기하고 "
        "싶으시면 말씀해 주세요. 담당자에게 전달하겠습니다.",
        "담당자에게 참여를 부탁했습니다. 답변은 여기로 드리며, 그동안 저에게 계속 질문하셔도 됩니다.",
        "담당자에게 전달되었으며 여기에서 답변드리겠습니다.",
        "저는 여기에 쓰인 내용에만 답하며 광고를 보내지 않습니다. 다시 글을 남기지 않으시면 제가 더 보내는 메시지는 "
        "없습니다.",
        "다음 내용을 찾았습니다:",
        "지금은 자세한 답변을 드릴 수 없지만, 저희 문서에는 다음과 같이 나와 있습니다:",
    ),
    "zh": (
        "好的！如果还有别的问题，随时问我。",
        "有什么可以帮忙的？请直接写下您的问题。",
        "我没有理解。您能换一种说法吗？",
        "我是{company}的自动助手，不是真人。我根据{company}提供给我的信息回答问题。如果您想和真人交谈，请告诉我，"
        "我会通知同事。",
        "我已请同事加入。同事会在这里回复您；在此期间您可以继续向我提问。",
        "同事已经知道了，会在这里回复您。",
        "我只回复这里的消息，不发送广告。您不再写消息，我就不会再发任何内容。",
        "我找到了以下内容：",
        "我现在无法写出完整的回答，但我们的资料是这样说的：",
    ),
}
"""In each language: decline, clarify, rephrase, about, person, person_again, stop, found, model_away."""
