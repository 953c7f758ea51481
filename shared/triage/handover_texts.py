"""What customers are told where the bot has no answer and where a person is asked, by language and name."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "unknown": (
            "I could not find a reliable answer to that. Would you like me to hand you over to a colleague? Just "
            "answer yes, or ask me something else."
        ),
        "unknown_again": "I do not know that either. Shall I hand you over to a colleague?",
        "unknown_still": "I am afraid I cannot answer that one. If you like, a colleague takes over: just answer yes.",
        "missed": "I could not find a reliable answer to that, so I have handed you over to a colleague.",
        "person": "I have handed you over to a colleague.",
        "replies_here": "They will reply here.",
        "replies_at": "They will reply {opens}.",
        "asked": "I have asked a colleague to join. They will reply here; you can go on asking me in the meantime.",
        "asked_again": "My colleague has been told and will reply here.",
    },
    "de": {
        "unknown": (
            "Darauf habe ich keine verlässliche Antwort gefunden. Soll ich Sie an jemanden aus dem Team übergeben? "
            "Antworten Sie einfach mit Ja oder fragen Sie mich etwas anderes."
        ),
        "unknown_again": "Das weiß ich leider auch nicht. Soll ich Sie an jemanden aus dem Team übergeben?",
        "unknown_still": (
            "Auch hier muss ich passen. Wenn Sie möchten, übernimmt jemand aus dem Team: Antworten Sie einfach mit Ja."
        ),
        "missed": (
            "Darauf habe ich keine verlässliche Antwort gefunden und Sie deshalb an jemanden aus dem Team übergeben."
        ),
        "person": "Ich habe Sie an jemanden aus dem Team übergeben.",
        "replies_here": "Die Antwort kommt hier.",
        "replies_at": "Die Antwort kommt {opens}.",
        "asked": (
            "Ich habe jemanden aus dem Team dazugebeten. Die Antwort kommt hier; Sie können mich inzwischen gern "
            "weiter fragen."
        ),
        "asked_again": "Das Team weiß Bescheid und antwortet hier.",
    },
    "es": {
        "unknown": (
            "No he encontrado una respuesta fiable a eso. ¿Quiere que le pase con una persona del equipo? Responda sí "
            "o pregúnteme otra cosa."
        ),
        "unknown_again": "Eso tampoco lo sé. ¿Le paso con una persona del equipo?",
        "unknown_still": (
            "Lo siento, a eso no puedo responder. Si quiere, una persona del equipo se hace cargo: responda sí."
        ),
        "missed": "No he encontrado una respuesta fiable a eso, así que le he pasado con una persona del equipo.",
        "person": "Le he pasado con una persona del equipo.",
        "replies_here": "Le responderá aquí.",
        "replies_at": "Le responderá {opens}.",
        "asked": (
            "He pedido a una persona del equipo que se incorpore. Le responderá aquí; mientras tanto puede seguir "
            "preguntándome."
        ),
        "asked_again": "El equipo ya está avisado y le responderá aquí.",
    },
    "fr": {
        "unknown": (
            "Je n'ai pas trouvé de réponse fiable à cela. Voulez-vous que je vous passe une personne de l'équipe ? "
            "Répondez oui, ou posez-moi une autre question."
        ),
        "unknown_again": "Cela non plus, je ne le sais pas. Voulez-vous que je vous passe une personne de l'équipe ?",
        "unknown_still": (
            "Je ne peux malheureusement pas répondre à cela. Si vous le souhaitez, une personne de l'équipe prend le "
            "relais : répondez oui."
        ),
        "missed": "Je n'ai pas trouvé de réponse fiable à cela, je vous ai donc passé une personne de l'équipe.",
        "person": "Je vous ai passé une personne de l'équipe.",
        "replies_here": "Elle vous répondra ici.",
        "replies_at": "Elle vous répondra {opens}.",
        "asked": (
            "J'ai demandé à une personne de l'équipe de nous rejoindre. Elle vous répondra ici ; en attendant, vous "
            "pouvez continuer à me poser des questions."
        ),
        "asked_again": "L'équipe est prévenue et vous répondra ici.",
    },
    "pt": {
        "unknown": (
            "Não encontrei uma resposta fiável para isso. Quer que o passe a uma pessoa da equipa? Basta responder "
            "sim, ou pergunte-me outra coisa."
        ),
        "unknown_again": "Isso também não sei. Quer que o passe a uma pessoa da equipa?",
        "unknown_still": (
            "Infelizmente não consigo responder a isso. Se quiser, uma pessoa da equipa continua: basta responder sim."
        ),
        "missed": "Não encontrei uma resposta fiável para isso, por isso passei a conversa a uma pessoa da equipa.",
        "person": "Passei a conversa a uma pessoa da equipa.",
        "replies_here": "A resposta virá aqui.",
        "replies_at": "A resposta virá {opens}.",
        "asked": (
            "Pedi a uma pessoa da equipa que se junte à conversa. A resposta virá aqui; entretanto pode continuar a "
            "perguntar-me."
        ),
        "asked_again": "A equipa já foi avisada e vai responder aqui.",
    },
    "it": {
        "unknown": (
            "Non ho trovato una risposta affidabile. Vuole che la passi a una persona del team? Risponda sì, oppure "
            "mi chieda qualcos'altro."
        ),
        "unknown_again": "Non so neanche questo. La passo a una persona del team?",
        "unknown_still": (
            "Purtroppo non posso rispondere a questa domanda. Se vuole, continua una persona del team: risponda sì."
        ),
        "missed": "Non ho trovato una risposta affidabile, quindi ho passato la conversazione a una persona del team.",
        "person": "Ho passato la conversazione a una persona del team.",
        "replies_here": "Le risponderà qui.",
        "replies_at": "Le risponderà {opens}.",
        "asked": (
            "Ho chiesto a una persona del team di unirsi. Risponderà qui; nel frattempo può continuare a farmi domande."
        ),
        "asked_again": "Il team è stato avvisato e risponderà qui.",
    },
    "nl": {
        "unknown": (
            "Daar heb ik geen betrouwbaar antwoord op gevonden. Zal ik u doorgeven aan een collega? Antwoord gewoon "
            "ja, of vraag me iets anders."
        ),
        "unknown_again": "Dat weet ik ook niet. Zal ik u doorgeven aan een collega?",
        "unknown_still": (
            "Daar kan ik helaas geen antwoord op geven. Als u wilt, neemt een collega het over: antwoord gewoon ja."
        ),
        "missed": "Daar heb ik geen betrouwbaar antwoord op gevonden, dus ik heb u doorgegeven aan een collega.",
        "person": "Ik heb u doorgegeven aan een collega.",
        "replies_here": "Het antwoord komt hier.",
        "replies_at": "Het antwoord komt {opens}.",
        "asked": (
            "Ik heb een collega gevraagd mee te kijken. Het antwoord komt hier; u kunt mij intussen verder vragen "
            "stellen."
        ),
        "asked_again": "Mijn collega weet ervan en antwoordt hier.",
    },
    "pl": {
        "unknown": (
            "Nie znalazłem na to wiarygodnej odpowiedzi. Czy przekazać rozmowę komuś z zespołu? Wystarczy "
            "odpowiedzieć „tak” albo zapytać mnie o coś innego."
        ),
        "unknown_again": "Tego też nie wiem. Czy przekazać rozmowę komuś z zespołu?",
        "unknown_still": (
            "Na to niestety nie potrafię odpowiedzieć. Jeśli trzeba, przejmie ktoś z zespołu: wystarczy odpowiedzieć "
            "„tak”."
        ),
        "missed": "Nie znalazłem na to wiarygodnej odpowiedzi, więc przekazałem rozmowę komuś z zespołu.",
        "person": "Przekazałem rozmowę komuś z zespołu.",
        "replies_here": "Odpowiedź pojawi się tutaj.",
        "replies_at": "Odpowiedź pojawi się {opens}.",
        "asked": (
            "Poprosiłem kogoś z zespołu, aby dołączył. Odpowiedź pojawi się tutaj; tymczasem można pytać mnie dalej."
        ),
        "asked_again": "Zespół już o tym wie i odpowie tutaj.",
    },
    "ru": {
        "unknown": (
            "Я не нашёл надёжного ответа на этот вопрос. Передать разговор сотруднику? Просто ответьте «да» или "
            "спросите о чём-нибудь другом."
        ),
        "unknown_again": "Этого я тоже не знаю. Передать разговор сотруднику?",
        "unknown_still": (
            "К сожалению, на это я ответить не могу. Если хотите, подключится сотрудник: просто ответьте «да»."
        ),
        "missed": "Я не нашёл надёжного ответа на этот вопрос и передал разговор сотруднику.",
        "person": "Я передал разговор сотруднику.",
        "replies_here": "Ответ придёт сюда.",
        "replies_at": "Ответ придёт {opens}.",
        "asked": "Я попросил сотрудника подключиться. Он ответит здесь; тем временем вы можете спрашивать меня дальше.",
        "asked_again": "Сотрудник уже знает и ответит здесь.",
    },
    "uk": {
        "unknown": (
            "Я не знайшов надійної відповіді на це. Передати розмову співробітнику? Просто дайте відповідь «так» або "
            "запитайте про щось інше."
        ),
        "unknown_again": "Цього я теж не знаю. Передати розмову співробітнику?",
        "unknown_still": (
            "На жаль, на це я не можу відповісти. Якщо хочете, долучиться співробітник: просто дайте відповідь «так»."
        ),
        "missed": "Я не знайшов надійної відповіді на це і передав розмову співробітнику.",
        "person": "Я передав розмову співробітнику.",
        "replies_here": "Відповідь надійде сюди.",
        "replies_at": "Відповідь надійде {opens}.",
        "asked": "Я попросив співробітника долучитися. Він відповість тут; тим часом можете запитувати мене далі.",
        "asked_again": "Співробітник уже знає і відповість тут.",
    },
    "tr": {
        "unknown": (
            "Bunun için güvenilir bir yanıt bulamadım. Sizi bir ekip arkadaşıma aktarmamı ister misiniz? Evet "
            "yazmanız yeterli; isterseniz başka bir şey de sorabilirsiniz."
        ),
        "unknown_again": "Bunu da bilmiyorum. Sizi bir ekip arkadaşıma aktarayım mı?",
        "unknown_still": (
            "Ne yazık ki buna yanıt veremiyorum. İsterseniz bir ekip arkadaşım devralsın: evet yazmanız yeterli."
        ),
        "missed": "Bunun için güvenilir bir yanıt bulamadım ve sizi bir ekip arkadaşıma aktardım.",
        "person": "Sizi bir ekip arkadaşıma aktardım.",
        "replies_here": "Yanıt burada verilecek.",
        "replies_at": "Yanıt {opens} verilecek.",
        "asked": (
            "Bir ekip arkadaşımdan katılmasını rica ettim. Yanıtı burada verecek; bu arada bana soru sormaya devam "
            "edebilirsiniz."
        ),
        "asked_again": "Ekip arkadaşımın haberi var, burada yanıt verecek.",
    },
    "ar": {
        "unknown": "لم أجد إجابة موثوقة عن ذلك. هل تود أن أحولك إلى أحد الزملاء؟ أجب بنعم أو اسألني عن شيء آخر.",
        "unknown_again": "هذا أيضا لا أعرفه. هل أحولك إلى أحد الزملاء؟",
        "unknown_still": "للأسف لا أستطيع الإجابة عن هذا. إن أردت يتولى أحد الزملاء الأمر: أجب بنعم.",
        "missed": "لم أجد إجابة موثوقة عن ذلك، فحولتك إلى أحد الزملاء.",
        "person": "حولتك إلى أحد الزملاء.",
        "replies_here": "سيأتي الرد هنا.",
        "replies_at": "سيأتي الرد {opens}.",
        "asked": "طلبت من أحد الزملاء أن ينضم. سيأتي الرد هنا، ويمكنك أن تواصل سؤالي في هذه الأثناء.",
        "asked_again": "تم إبلاغ زميلي وسيرد هنا.",
    },
    "hi": {
        "unknown": (
            "मुझे इसका कोई भरोसेमंद जवाब नहीं मिला। क्या मैं आपको टीम के किसी सदस्य को सौंप दूँ? बस हाँ लिखिए, या मुझसे कुछ और पूछिए।"
        ),
        "unknown_again": "यह भी मुझे नहीं पता। क्या मैं आपको टीम के किसी सदस्य को सौंप दूँ?",
        "unknown_still": ("माफ़ कीजिए, इसका जवाब मैं नहीं दे सकता। आप चाहें तो टीम का कोई सदस्य सँभाल लेगा: बस हाँ लिखिए।"),
        "missed": "मुझे इसका कोई भरोसेमंद जवाब नहीं मिला, इसलिए मैंने आपको टीम के एक सदस्य को सौंप दिया है।",
        "person": "मैंने आपको टीम के एक सदस्य को सौंप दिया है।",
        "replies_here": "जवाब यहीं आएगा।",
        "replies_at": "जवाब {opens} आएगा।",
        "asked": "मैंने टीम के एक सदस्य से जुड़ने को कहा है। जवाब यहीं आएगा; तब तक आप मुझसे और सवाल पूछ सकते हैं।",
        "asked_again": "टीम को बता दिया गया है और जवाब यहीं आएगा।",
    },
    "id": {
        "unknown": (
            "Saya tidak menemukan jawaban yang dapat diandalkan. Apakah Anda ingin saya teruskan kepada rekan saya? "
            "Cukup jawab ya, atau tanyakan hal lain."
        ),
        "unknown_again": "Itu juga saya tidak tahu. Apakah saya teruskan kepada rekan saya?",
        "unknown_still": (
            "Maaf, yang ini tidak bisa saya jawab. Kalau Anda mau, rekan saya akan melanjutkan: cukup jawab ya."
        ),
        "missed": (
            "Saya tidak menemukan jawaban yang dapat diandalkan, jadi percakapan ini saya teruskan kepada rekan saya."
        ),
        "person": "Percakapan ini sudah saya teruskan kepada rekan saya.",
        "replies_here": "Jawabannya akan datang di sini.",
        "replies_at": "Jawabannya akan datang {opens}.",
        "asked": (
            "Saya sudah meminta rekan saya untuk bergabung. Jawabannya akan datang di sini; sementara itu Anda boleh "
            "terus bertanya kepada saya."
        ),
        "asked_again": "Rekan saya sudah diberi tahu dan akan menjawab di sini.",
    },
    "ja": {
        "unknown": (
            "確かな答えが見つかりませんでした。担当者におつなぎしましょうか。「はい」とお答えいただくか、ほかのことを"
            "お尋ねください。"
        ),
        "unknown_again": "申し訳ありませんが、それも分かりません。担当者におつなぎしましょうか。",
        "unknown_still": "こちらもお答えできません。ご希望でしたら担当者が代わります。「はい」とお答えください。",
        "missed": "確かな答えが見つからなかったため、担当者に引き継ぎました。",
        "person": "担当者に引き継ぎました。",
        "replies_here": "こちらでお返事します。",
        "replies_at": "{opens}にお返事します。",
        "asked": "担当者に対応を依頼しました。こちらでお返事しますので、その間もご質問を続けていただけます。",
        "asked_again": "担当者には伝えてあります。こちらでお返事します。",
    },
    "ko": {
        "unknown": (
            "확실한 답을 찾지 못했습니다. 담당자에게 연결해 드릴까요? 「네」라고 답하시거나 다른 것을 물어보세요."
        ),
        "unknown_again": "그것도 제가 알지 못합니다. 담당자에게 연결해 드릴까요?",
        "unknown_still": (
            "죄송하지만 이 질문에는 답할 수 없습니다. 원하시면 담당자가 이어받습니다. 「네」라고 답해 주세요."
        ),
        "missed": "확실한 답을 찾지 못해 담당자에게 연결했습니다.",
        "person": "담당자에게 연결했습니다.",
        "replies_here": "답변은 여기로 드립니다.",
        "replies_at": "답변은 {opens}에 드립니다.",
        "asked": "담당자에게 참여를 부탁했습니다. 답변은 여기로 드리며, 그동안 저에게 계속 질문하셔도 됩니다.",
        "asked_again": "담당자에게 전달되었으며 여기에서 답변드리겠습니다.",
    },
    "zh": {
        "unknown": "这个问题我没有找到可靠的答案。要帮您转给同事吗？回复“是”即可，也可以问我别的问题。",
        "unknown_again": "这个我也不知道。要帮您转给同事吗？",
        "unknown_still": "抱歉，这个问题我无法回答。如果您愿意，可以由同事接手：回复“是”即可。",
        "missed": "这个问题我没有找到可靠的答案，已为您转给同事。",
        "person": "已为您转给同事。",
        "replies_here": "答复会发在这里。",
        "replies_at": "同事将于{opens}答复。",
        "asked": "我已请同事加入。同事会在这里回复您；在此期间您可以继续向我提问。",
        "asked_again": "同事已经知道了，会在这里回复您。",
    },
}
