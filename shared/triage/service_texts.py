"""What customers are told of the bot itself: help, pause, return, and what went wrong, by language and name."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "paused": "All right, I am silent from now on. Write /start, or call me {name}, when I am to answer again.",
        "help": (
            "I am {name}, the automated assistant of {company}. Just write me your question. If you would rather talk "
            "to a person, say so; /stop silences me, and /start brings me back."
        ),
        "returned": (
            "Nobody has written here for a while, so I answer questions again. Just ask, or say so if you would still "
            "like to talk to a person."
        ),
        "failed": "Something went wrong here and I could not answer. I have told a colleague, who will reply here.",
        "notice": "I can only read text so far. Could you describe in words what you need?",
        "overload": (
            "Sorry, so many people are writing to us just now that I cannot answer in time. A colleague will reply "
            "here."
        ),
        "limit": (
            "You have had a lot of answers from me within an hour, so I pause here for a while. Your messages are "
            "kept, our team can read them, and later I answer again."
        ),
    },
    "de": {
        "paused": (
            "In Ordnung, ich schreibe ab jetzt nichts mehr. Schreiben Sie /start oder sprechen Sie mich mit {name} "
            "an, wenn ich wieder antworten soll."
        ),
        "help": (
            "Ich bin {name}, der automatische Assistent von {company}. Schreiben Sie mir einfach Ihre Frage. Wenn Sie "
            "lieber mit einem Menschen sprechen möchten, sagen Sie es; mit /stop schweige ich, mit /start bin ich "
            "wieder da."
        ),
        "returned": (
            "Hier hat eine Weile niemand geschrieben, deshalb beantworte ich wieder Fragen. Fragen Sie einfach, oder "
            "sagen Sie, wenn Sie weiter mit einem Menschen sprechen möchten."
        ),
        "failed": (
            "Hier ist etwas schiefgegangen und ich konnte nicht antworten. Ich habe dem Team Bescheid gegeben; die "
            "Antwort kommt hier."
        ),
        "notice": "Bisher kann ich nur Text lesen. Könnten Sie in Worten beschreiben, was Sie brauchen?",
        "overload": (
            "Entschuldigung, gerade schreiben uns so viele, dass ich nicht rechtzeitig antworten kann. Jemand aus dem "
            "Team antwortet hier."
        ),
        "limit": (
            "Sie haben innerhalb einer Stunde sehr viele Antworten von mir bekommen, deshalb mache ich hier eine "
            "Pause. Ihre Nachrichten bleiben erhalten, das Team kann sie lesen, und später antworte ich wieder."
        ),
    },
    "es": {
        "paused": (
            "De acuerdo, a partir de ahora no escribo más. Escriba /start o llámeme {name} cuando quiera que vuelva a "
            "responder."
        ),
        "help": (
            "Soy {name}, el asistente automático de {company}. Escríbame simplemente su pregunta. Si prefiere hablar "
            "con una persona, dígamelo; /stop me silencia y /start me devuelve."
        ),
        "returned": (
            "Hace un rato que nadie escribe aquí, así que vuelvo a responder preguntas. Pregunte sin problema, o "
            "dígame si todavía quiere hablar con una persona."
        ),
        "failed": (
            "Algo ha fallado y no he podido responder. He avisado a una persona del equipo, que le responderá aquí."
        ),
        "notice": "Por ahora solo puedo leer texto. ¿Podría describir con palabras lo que necesita?",
        "overload": (
            "Lo siento, nos escribe tanta gente en este momento que no puedo responder a tiempo. Una persona del "
            "equipo le responderá aquí."
        ),
        "limit": (
            "Le he dado muchas respuestas en una hora, así que hago una pausa aquí. Sus mensajes se conservan, el "
            "equipo puede leerlos y más tarde volveré a responder."
        ),
    },
    "fr": {
        "paused": (
            "D'accord, je n'écris plus à partir de maintenant. Écrivez /start ou appelez-moi {name} quand je dois "
            "répondre de nouveau."
        ),
        "help": (
            "Je suis {name}, l'assistant automatique de {company}. Écrivez-moi simplement votre question. Si vous "
            "préférez parler à une personne, dites-le ; /stop me fait taire et /start me fait revenir."
        ),
        "returned": (
            "Personne n'a écrit ici depuis un moment, je réponds donc de nouveau aux questions. Posez-les-moi, ou "
            "dites-le si vous souhaitez toujours parler à une personne."
        ),
        "failed": (
            "Un problème est survenu et je n'ai pas pu répondre. J'ai prévenu une personne de l'équipe, qui vous "
            "répondra ici."
        ),
        "notice": (
            "Pour l'instant, je ne peux lire que du texte. Pourriez-vous décrire avec des mots ce dont vous avez "
            "besoin ?"
        ),
        "overload": (
            "Désolé, tant de personnes nous écrivent en ce moment que je ne peux pas répondre à temps. Une personne "
            "de l'équipe vous répondra ici."
        ),
        "limit": (
            "Je vous ai donné beaucoup de réponses en une heure, je fais donc une pause ici. Vos messages sont "
            "conservés, l'équipe peut les lire, et je répondrai de nouveau plus tard."
        ),
    },
    "pt": {
        "paused": (
            "Está bem, a partir de agora não escrevo mais. Escreva /start ou chame-me {name} quando quiser que volte "
            "a responder."
        ),
        "help": (
            "Sou {name}, o assistente automático de {company}. Basta escrever a sua pergunta. Se preferir falar com "
            "uma pessoa, diga; /stop silencia-me e /start traz-me de volta."
        ),
        "returned": (
            "Há algum tempo que ninguém escreve aqui, por isso volto a responder a perguntas. Pergunte, ou diga se "
            "ainda quer falar com uma pessoa."
        ),
        "failed": "Algo correu mal e não consegui responder. Avisei uma pessoa da equipa, que vai responder aqui.",
        "notice": "Por enquanto só consigo ler texto. Pode descrever por palavras o que precisa?",
        "overload": (
            "Lamento, há tanta gente a escrever-nos neste momento que não consigo responder a tempo. Uma pessoa da "
            "equipa vai responder aqui."
        ),
        "limit": (
            "Recebeu muitas respostas minhas numa hora, por isso faço aqui uma pausa. As suas mensagens ficam "
            "guardadas, a equipa pode lê-las e mais tarde volto a responder."
        ),
    },
    "it": {
        "paused": "Va bene, da ora non scrivo più. Scriva /start o mi chiami {name} quando devo rispondere di nuovo.",
        "help": (
            "Sono {name}, l'assistente automatico di {company}. Mi scriva semplicemente la sua domanda. Se preferisce "
            "parlare con una persona, me lo dica; /stop mi fa tacere e /start mi fa tornare."
        ),
        "returned": (
            "Da un po' nessuno scrive qui, quindi rispondo di nuovo alle domande. Chieda pure, o mi dica se vuole "
            "ancora parlare con una persona."
        ),
        "failed": (
            "Qualcosa è andato storto e non ho potuto rispondere. Ho avvisato una persona del team, che risponderà qui."
        ),
        "notice": "Per ora posso leggere solo testo. Può descrivere a parole che cosa le serve?",
        "overload": (
            "Mi dispiace, in questo momento ci scrivono così tante persone che non riesco a rispondere in tempo. Una "
            "persona del team risponderà qui."
        ),
        "limit": (
            "In un'ora le ho dato molte risposte, quindi qui faccio una pausa. I suoi messaggi restano "
            "conservati, il team può leggerli e più tardi risponderò di nuovo."
        ),
    },
    "nl": {
        "paused": "Goed, ik schrijf vanaf nu niets meer. Schrijf /start of noem me {name} als ik weer moet antwoorden.",
        "help": (
            "Ik ben {name}, de automatische assistent van {company}. Schrijf me gewoon uw vraag. Als u liever met een "
            "mens praat, zeg het; met /stop zwijg ik, met /start ben ik terug."
        ),
        "returned": (
            "Hier heeft een tijd niemand geschreven, dus ik beantwoord weer vragen. Vraag gerust, of zeg het als u "
            "nog steeds met een mens wilt praten."
        ),
        "failed": (
            "Er ging hier iets mis en ik kon niet antwoorden. Ik heb het een collega verteld, die hier antwoordt."
        ),
        "notice": "Ik kan tot nu toe alleen tekst lezen. Kunt u in woorden beschrijven wat u nodig heeft?",
        "overload": (
            "Sorry, er schrijven nu zoveel mensen dat ik niet op tijd kan antwoorden. Een collega antwoordt hier."
        ),
        "limit": (
            "U hebt binnen een uur veel antwoorden van mij gekregen, daarom pauzeer ik hier even. Uw berichten "
            "blijven bewaard, ons team kan ze lezen en later antwoord ik weer."
        ),
    },
    "pl": {
        "paused": (
            "Dobrze, od teraz nic nie piszę. Aby znów dostawać odpowiedzi, proszę napisać /start albo zwrócić się do "
            "mnie: {name}."
        ),
        "help": (
            "Jestem {name}, automatyczny asystent firmy {company}. Proszę po prostu napisać pytanie. Jeśli woli "
            "Pan/Pani rozmowę z człowiekiem, proszę to napisać; /stop mnie ucisza, a /start przywołuje."
        ),
        "returned": (
            "Od jakiegoś czasu nikt tu nie pisał, więc znów odpowiadam na pytania. Proszę pytać albo napisać, jeśli "
            "nadal potrzebna jest rozmowa z człowiekiem."
        ),
        "failed": (
            "Coś poszło nie tak i nie mogłem odpowiedzieć. Powiadomiłem kogoś z zespołu; odpowiedź pojawi się tutaj."
        ),
        "notice": "Na razie potrafię czytać tylko tekst. Czy można opisać słowami, czego potrzeba?",
        "overload": (
            "Przepraszam, pisze do nas teraz tak wiele osób, że nie zdążę odpowiedzieć. Ktoś z zespołu odpowie tutaj."
        ),
        "limit": (
            "W ciągu godziny padło tu bardzo wiele moich odpowiedzi, dlatego robię przerwę. Wiadomości są "
            "zachowane, zespół może je przeczytać, a później znów odpowiem."
        ),
    },
    "ru": {
        "paused": "Хорошо, больше я не пишу. Напишите /start или обратитесь ко мне: {name}, когда я снова понадоблюсь.",
        "help": (
            "Я {name}, автоматический помощник компании {company}. Просто напишите свой вопрос. Если хотите "
            "поговорить с человеком, скажите об этом; /stop отключает меня, /start возвращает."
        ),
        "returned": (
            "Здесь давно никто не писал, поэтому я снова отвечаю на вопросы. Спрашивайте или скажите, если всё ещё "
            "хотите поговорить с человеком."
        ),
        "failed": "Что-то пошло не так, и я не смог ответить. Я сообщил сотруднику, он ответит здесь.",
        "notice": "Пока я умею читать только текст. Опишите, пожалуйста, словами, что вам нужно?",
        "overload": "Извините, сейчас нам пишет так много людей, что я не успеваю ответить. Сотрудник ответит здесь.",
        "limit": (
            "За час вы получили от меня очень много ответов, поэтому здесь я делаю перерыв. Ваши сообщения "
            "сохраняются, сотрудники могут их прочитать, а позже я снова буду отвечать."
        ),
    },
    "uk": {
        "paused": "Гаразд, відтепер я мовчу. Напишіть /start або зверніться до мене: {name}, коли я знову знадоблюся.",
        "help": (
            "Я {name}, автоматичний помічник компанії {company}. Просто напишіть своє запитання. Якщо хочете "
            "поговорити з людиною, скажіть про це; /stop вимикає мене, /start повертає."
        ),
        "returned": (
            "Тут давно ніхто не писав, тому я знову відповідаю на запитання. Запитуйте або скажіть, якщо все ще "
            "хочете поговорити з людиною."
        ),
        "failed": "Щось пішло не так, і я не зміг відповісти. Я повідомив співробітника, він відповість тут.",
        "notice": "Поки що я вмію читати лише текст. Опишіть, будь ласка, словами, що вам потрібно?",
        "overload": (
            "Вибачте, зараз нам пише так багато людей, що я не встигаю відповісти. Співробітник відповість тут."
        ),
        "limit": (
            "За годину ви отримали від мене дуже багато відповідей, тому тут я роблю перерву. Ваші повідомлення "
            "зберігаються, співробітники можуть їх прочитати, а пізніше я знову відповідатиму."
        ),
    },
    "tr": {
        "paused": (
            "Tamam, bundan sonra yazmıyorum. Yeniden yanıt vermemi istediğinizde /start yazın ya da bana {name} diye "
            "seslenin."
        ),
        "help": (
            "Ben {name}, {company} firmasının otomatik asistanıyım. Sorunuzu yazmanız yeterli. Bir insanla konuşmak "
            "isterseniz söyleyin; /stop beni susturur, /start geri getirir."
        ),
        "returned": (
            "Burada bir süredir kimse yazmadı, bu yüzden soruları yeniden yanıtlıyorum. Sorunuzu yazın ya da hâlâ bir "
            "insanla konuşmak istiyorsanız söyleyin."
        ),
        "failed": "Bir şeyler ters gitti ve yanıt veremedim. Bir ekip arkadaşıma haber verdim; burada yanıtlayacak.",
        "notice": "Şimdilik yalnızca yazı okuyabiliyorum. Neye ihtiyacınız olduğunu sözcüklerle anlatır mısınız?",
        "overload": (
            "Üzgünüm, şu anda bize o kadar çok kişi yazıyor ki zamanında yanıt veremiyorum. Ekipten biri burada "
            "yanıtlayacak."
        ),
        "limit": (
            "Bir saat içinde benden çok sayıda yanıt aldınız, bu yüzden burada bir süre ara veriyorum. "
            "Mesajlarınız saklanıyor, ekibimiz onları okuyabilir ve daha sonra yeniden yanıt veririm."
        ),
    },
    "ar": {
        "paused": "حسنا، لن أكتب شيئا من الآن. اكتب /start أو نادني باسم {name} عندما تريد أن أجيب من جديد.",
        "help": (
            "أنا {name}، المساعد الآلي لشركة {company}. اكتب لي سؤالك. إذا كنت تفضل التحدث مع شخص فقل ذلك؛ الأمر "
            "/stop يسكتني والأمر /start يعيدني."
        ),
        "returned": (
            "لم يكتب أحد هنا منذ فترة، لذلك أجيب عن الأسئلة من جديد. اسأل، أو قل إن كنت لا تزال تريد التحدث مع شخص."
        ),
        "failed": "حدث خطأ ما ولم أتمكن من الإجابة. أبلغت أحد الزملاء وسيرد هنا.",
        "notice": "أستطيع قراءة النصوص فقط حتى الآن. هل يمكنك أن تصف بالكلمات ما تحتاج إليه؟",
        "overload": (
            "عذرا، يكتب إلينا الآن عدد كبير من الناس فلا أستطيع الإجابة في الوقت المناسب. سيرد أحد الزملاء هنا."
        ),
        "limit": (
            "تلقيت مني إجابات كثيرة خلال ساعة، لذلك أتوقف هنا لبعض الوقت. رسائلك محفوظة ويستطيع فريقنا قراءتها، "
            "وسأجيب من جديد لاحقا."
        ),
    },
    "hi": {
        "paused": ("ठीक है, अब से मैं कुछ नहीं लिखूँगा। जब मुझे फिर जवाब देना हो तो /start लिखिए या मुझे {name} कहकर बुलाइए।"),
        "help": (
            "मैं {name} हूँ, {company} का स्वचालित सहायक। बस अपना सवाल लिखिए। अगर आप किसी इंसान से बात करना चाहें तो "
            "बताइए; /stop से मैं चुप हो जाता हूँ और /start से लौट आता हूँ।"
        ),
        "returned": (
            "यहाँ कुछ समय से किसी ने नहीं लिखा, इसलिए मैं फिर से सवालों के जवाब दे रहा हूँ। पूछिए, या बताइए अगर आप अब "
            "भी किसी इंसान से बात करना चाहते हैं।"
        ),
        "failed": "कुछ गड़बड़ हो गई और मैं जवाब नहीं दे सका। मैंने टीम के एक सदस्य को बता दिया है, वे यहीं जवाब देंगे।",
        "notice": "अभी मैं केवल लिखा हुआ पढ़ सकता हूँ। क्या आप शब्दों में बता सकते हैं कि आपको क्या चाहिए?",
        "overload": ("माफ़ कीजिए, अभी इतने लोग हमें लिख रहे हैं कि मैं समय पर जवाब नहीं दे सकता। टीम का कोई सदस्य यहीं जवाब देगा।"),
        "limit": (
            "एक घंटे में आपको मुझसे बहुत सारे जवाब मिल चुके हैं, इसलिए मैं यहाँ थोड़ी देर रुकता हूँ। आपके संदेश "
            "सुरक्षित हैं, हमारी टीम उन्हें पढ़ सकती है, और बाद में मैं फिर जवाब दूँगा।"
        ),
    },
    "id": {
        "paused": (
            "Baik, mulai sekarang saya diam. Tulis /start atau panggil saya {name} kalau saya perlu menjawab lagi."
        ),
        "help": (
            "Saya {name}, asisten otomatis {company}. Tulis saja pertanyaan Anda. Kalau lebih suka berbicara dengan "
            "orang, katakan saja; /stop membuat saya diam, /start memanggil saya kembali."
        ),
        "returned": (
            "Sudah beberapa waktu tidak ada yang menulis di sini, jadi saya menjawab pertanyaan lagi. Silakan tanya, "
            "atau katakan kalau Anda masih ingin berbicara dengan orang."
        ),
        "failed": (
            "Terjadi kesalahan dan saya tidak bisa menjawab. Saya sudah memberi tahu rekan saya, yang akan menjawab "
            "di sini."
        ),
        "notice": (
            "Untuk saat ini saya hanya bisa membaca teks. Bisakah Anda menjelaskan dengan kata-kata apa yang Anda "
            "butuhkan?"
        ),
        "overload": (
            "Maaf, saat ini begitu banyak orang menulis kepada kami sehingga saya tidak bisa menjawab tepat waktu. "
            "Rekan saya akan menjawab di sini."
        ),
        "limit": (
            "Dalam satu jam Anda sudah menerima banyak jawaban dari saya, jadi saya berhenti sejenak di sini. "
            "Pesan Anda tetap tersimpan, tim kami dapat membacanya, dan nanti saya menjawab lagi."
        ),
    },
    "ja": {
        "paused": (
            "承知しました。これからは返信しません。再びご利用の際は「/start」と書くか、「{name}」とお呼びください。"
        ),
        "help": (
            "{company}の自動アシスタント「{name}」です。ご質問をそのままお書きください。担当者と話したい場合はその旨を"
            "お知らせください。/stop で停止し、/start で再開します。"
        ),
        "returned": (
            "しばらくどなたからも書き込みがないため、再びご質問にお答えします。引き続き担当者をご希望の場合はお知らせ"
            "ください。"
        ),
        "failed": "問題が発生し、お答えできませんでした。担当者に伝えましたので、こちらでお返事します。",
        "notice": "今のところ文字しか読めません。ご用件を言葉でお書きいただけますか。",
        "overload": (
            "申し訳ありません。ただいまお問い合わせが非常に多く、すぐにお答えできません。担当者がこちらでお返事します。"
        ),
        "limit": (
            "1時間にたくさんのお返事をしましたので、こちらでの返信をしばらくお休みします。"
            "メッセージは保存され、担当者が読むことができます。後ほどまたお答えします。"
        ),
    },
    "ko": {
        "paused": (
            "알겠습니다. 이제부터 답하지 않겠습니다. 다시 필요하시면 /start를 쓰시거나 {name}(이)라고 불러 주세요."
        ),
        "help": (
            "저는 {company}의 자동 도우미 {name}입니다. 질문을 그대로 써 주세요. 사람과 이야기하고 싶으시면 말씀해 "
            "주세요. /stop은 저를 멈추고 /start는 다시 부릅니다."
        ),
        "returned": (
            "한동안 아무도 글을 쓰지 않아 제가 다시 질문에 답합니다. 질문하시거나, 아직 사람과 이야기하고 싶으시면 "
            "말씀해 주세요."
        ),
        "failed": "문제가 생겨 답하지 못했습니다. 담당자에게 알렸으며 여기에서 답변드리겠습니다.",
        "notice": "지금은 글만 읽을 수 있습니다. 무엇이 필요하신지 글로 설명해 주시겠어요?",
        "overload": "죄송합니다. 지금 문의가 너무 많아 제때 답하지 못합니다. 담당자가 여기에서 답변드리겠습니다.",
        "limit": (
            "한 시간 동안 답변을 많이 드렸기 때문에 여기에서는 잠시 쉬겠습니다. "
            "보내신 메시지는 보관되며 담당자가 읽을 수 있고, 나중에 다시 답변드리겠습니다."
        ),
    },
    "zh": {
        "paused": "好的，从现在起我不再回复。需要我时，请写 /start 或叫我“{name}”。",
        "help": (
            "我是{company}的自动助理“{name}”。请直接写下您的问题。如果想与真人交谈，请告诉我；/stop "
            "让我停止回复，/start 让我回来。"
        ),
        "returned": "这里有一段时间没有人写消息了，所以我重新为您解答问题。请提问；如果仍想与真人交谈，请告诉我。",
        "failed": "出了点问题，我没能回答。我已告诉同事，他们会在这里答复。",
        "notice": "目前我只能阅读文字。您能用文字描述一下需要什么吗？",
        "overload": "抱歉，现在给我们写消息的人太多，我无法及时回答。同事会在这里答复。",
        "limit": "一小时内我已经给您很多答复，所以我在这里先暂停一会儿。您的消息会保留，团队可以看到，稍后我会再回答。",
    },
}
