"""What people say that is no question: greetings, thanks, goodbyes, acknowledgements, and the words around them.

A message is one of these only if these phrases cover all of it. Spelled as people write it; accents and case do not
matter. `|` parts phrases.
"""

from __future__ import annotations

GREETINGS = {
    "en": "hope youre doing well|hope you are doing great|hope youre having a good day|hey buddy|"
    "hi guys|hello guys|"
    "heyo|hiya there|good mornin|gud morning|gm|morning all|good morning all|how ya doin|"
    "how ya doing|how ya been|how have you been|howve you been|how you doing|how you been|"
    "how are you good|hows it hanging|how is your day|hows your day|hows your day going|"
    "pleased to meet you|good to see you|hi|hello|hey|hiya|howdy|yo|hullo|heya|greetings|good morning|morning"
    "|good afternoon|good evening|evening"
    "|good day|gday|hi there|hello there|hey there|how are you|how are you doing|how are you today|how r u"
    "|how do you do"
    "|hows it going|how is it going|whats up|what is up|wassup|sup|nice to meet you|anyone there|anybody there"
    "|is anyone there|is anybody there|are you there|is somebody there|hope you are well|hope youre well"
    "|hope you are doing well|hello again|hi again",
    "de": "servus miteinander|hallo miteinander|guten tag miteinander|grüß gott miteinander|"
    "guten morgen zusammen|guten abend zusammen|na du|moinsen|gude|mahlzeit|hallo|hallöchen|hi|hey|moin"
    "|moin moin|servus|grüezi|grüß gott|gruess gott|grüß dich|grüß euch|guten morgen"
    "|guten tag|guten abend|morgen|tag|tach|na|schönen guten tag|schönen guten morgen|schönen guten abend|wie gehts"
    "|wie geht es|wie geht es dir|wie geht es ihnen|wie gehts dir|wie gehts ihnen|hallo zusammen|ist da jemand"
    "|jemand da|schönen tag",
    "es": "hola|holi|buenas|buenos días|buenas tardes|buenas noches|buen día|muy buenas|qué tal|cómo estás|cómo está"
    "|cómo están|cómo te va|qué hay|saludos|hey|hay alguien|hay alguien ahí|muy buenos días|muy buenas tardes",
    "fr": "cc|cc cv|"
    "bonjour à vous|bonsoir à vous|salut à tous|bonjour tout le monde|"
    "bonjour|salut|coucou|bonsoir|bjr|slt|allô|rebonjour|bon matin|ça va|comment ça va|comment allez vous"
    "|comment vas tu|il y a quelqu'un|quelqu'un",
    "pt": "td bem|oi td bem|tdb|"
    "olá|oi|oie|bom dia|boa tarde|boa noite|boas|tudo bem|tudo bom|como vai|como vai você|como está|e aí|opa"
    "|alô|tem alguém aí|alguém aí",
    "it": "ciao|salve|buongiorno|buon giorno|buonasera|buona sera|buon pomeriggio|come stai|come sta|come va"
    "|tutto bene|ehi|c'è qualcuno|ciao a tutti",
    "nl": "hallo|hoi|hoi hoi|hey|hi|dag|goedemorgen|goede morgen|goeiemorgen|goedemiddag|goede middag|goedenavond"
    "|goede avond|goedendag|hoe gaat het|hoe gaat het met u|hoe gaat het met je|hoe is het|is daar iemand",
    "pl": "witam serdecznie|witam państwa|dzień dobry państwu|"
    "dzień doberek|doberek|dobry dobry|cześć|hej|hejka|dzień dobry|dobry wieczór|witam|witaj|siema|siemka"
    "|dobry|halo|jak się masz|co słychać"
    "|jest tam ktoś|hejo",
    "ru": "привет|здравствуйте|здравствуй|здрасьте|здрасте|здрасти|приветик|приветствую|хай|хелло|хей|добрый день"
    "|доброе утро|добрый вечер|доброго дня|доброго времени суток|доброго времени|как дела|как вы|как жизнь|ку|алло"
    "|есть кто|есть кто нибудь|всем привет|дд",
    "uk": "привітики|привітик|привітулі|"
    "вітаю вас|вітаємо|доброго вам дня|"
    "привіт|вітаю|добрий день|доброго дня|добридень|добрий ранок|доброго ранку|добрий вечір|доброго вечора"
    "|здрастуйте|як справи|як ви|слава україні|є хто|хай|здоровенькі були",
    "tr": "merhaba|merhabalar|selam|selamlar|selamun aleyküm|selamünaleyküm|sa|günaydın|iyi günler|iyi akşamlar"
    "|tünaydın|nasılsın|nasılsınız|naber|slm|mrb|kimse var mı|alo",
    "ar": "مرحبا|مرحبًا|اهلا|أهلا وسهلا|أهلا بك|هلا|هلا والله|السلام عليكم|السلام عليكم ورحمة الله"
    "|السلام عليكم ورحمة الله وبركاته|سلام|سلام عليكم|وعليكم السلام|صباح الخير|صباح النور|مساء الخير|مساء النور"
    "|كيف حالك|كيفك|كيف الحال|هاي|هالو|الو|تحية طيبة",
    "hi": "नमस्ते|नमस्कार|नमस्ते जी|हैलो|हेलो|हाय|प्रणाम|सुप्रभात|शुभ प्रभात|शुभ संध्या|आप कैसे हैं|कैसे हैं आप|कैसे हो"
    "|क्या हाल है|राम राम|जय हिंद|namaste|namaskar|kaise ho|kaise ho aap|aap kaise ho|aap kaise hain",
    "id": "halo|hai|hallo|hei|selamat pagi|selamat siang|selamat sore|selamat malam|pagi|siang|sore|malam|apa kabar"
    "|assalamualaikum|permisi|met pagi|halo kak|salam",
    "ja": "こんちは|こんちわ|ちわ|ちわっす|"
    "こんにちは|こんにちわ|こんばんは|こんばんわ|おはよう|おはようございます|はじめまして|初めまして|もしもし"
    "|やあ|どうも"
    "|ハロー|ハイ|お世話になっております|お世話になります|お疲れ様です|お元気ですか|元気ですか|よろしくお願いします"
    "|よろしくお願いいたします|よろしく|どうぞよろしくお願いします|失礼いたします|ごめんください",
    "ko": "안뇽하세요|안뇽|안농|안녕하세용|"
    "안녕하세용|안녕하세여|안뇽|하이|하이요|안녕|안녕하세요|안녕하십니까|하이|헬로|여보세요|반갑습니다|반가워요|처음 뵙겠습니다"
    "|좋은 아침"
    "|좋은 아침입니다"
    "|좋은 아침이에요|잘 지내세요|잘 지내|수고하십니다|계세요|안뇽",
    "zh": "你好呀|你好啊|您好呀|哈喽|哈啰|嗨喽|你好|您好|你好啊|妳好|你们好|大家好|哈喽|哈啰|嗨|嘿|喂|早上好|早|早安|上午好|中午好|下午好|晚上好"
    "|在吗"
    "|在么|在不在"
    "|有人吗|有人在吗|你好吗|您好吗|哈罗|早上好啊|午安",
}

THANKS = {
    "en": "thanx|thankx|thnks|thank uu|thanks for helping me out|thanks for helping me|"
    "thanks for the assist|thanks for the assistance|thank you for your assistance|"
    "youve been a big help|you have been a big help|you have been very helpful|"
    "youve been very helpful|you have my gratitude|im thankful|i am thankful|"
    "im thankful for your help|i owe you one|special thanks to you|many thanks to you|"
    "i appreciate your help|appreciate it|i really appreciate it|thank you for the chat|"
    "thanks for the chat|thank you for chatting with me|thanks for chatting|thanks|thank you|thankyou|thx|thnx"
    "|tnx|tx|ty|tysm|tyvm|thank u|thanku|thnks|ta|cheers|much appreciated"
    "|many thanks|thanks a lot|thanks so much|thanks very much|thanks a million|thanks a bunch|thanks a ton"
    "|thank you so much|thank you very much|i appreciate it|appreciate it|appreciated|really appreciate it"
    "|i really appreciate it|thanks for your help|thank you for your help|thanks for the help|thank you for the help"
    "|thanks for helping|thank you for helping|thanks for helping me|thank you for helping me|for your help"
    "|thanks for the info|thank you for the info|thanks for the information|thank you for the information"
    "|thanks for the quick reply|thanks for the quick response|thank you for the quick reply|for the quick reply"
    "|thank you for your time|thanks for your time|thanks for letting me know|thank you for letting me know"
    "|thanks for that|thank you for that|thanks in advance|thank you in advance|that helps|that helped"
    "|that was helpful"
    "|that helps a lot|that helped a lot|very helpful|you are very helpful|youre very helpful|youve been very helpful"
    "|you have been very helpful|thats very helpful|that is very helpful|youre the best|you are the best|you rock"
    "|youre a star|you are a star|lifesaver|bless you|god bless you|you helped me|you helped me a lot"
    "|you helped me so much"
    "|you helped a lot|you really helped me|you have helped me|you have helped me a lot|youve helped me"
    "|youve helped me a lot"
    "|you were very helpful|you were really helpful|you were so helpful|you are so helpful|youre so helpful"
    "|so helpful"
    "|really helpful|this was helpful|this was very helpful|that was very helpful|this helps|this helps a lot"
    "|this helped"
    "|this helped a lot|this helped me|that helped me|that helped me a lot|great help|you are a great help"
    "|you were a great help"
    "|thats all i needed|that is all i needed|thats all i wanted to know|thats all i needed to know"
    "|that answers my question"
    "|that answered my question|you answered my question|you saved me|you saved my day|you made my day|youre awesome"
    "|you are awesome|youre amazing|you are amazing|youre great|you are great|very kind of you|so kind of you"
    "|thats so kind"
    "|for all your help|thanks for everything|thank you for everything|thanks for answering|thank you for answering"
    "|thanks for the answer|thank you for the answer|thank you for the quick response|for helping me|for the help"
    "|i am grateful"
    "|im grateful|im so grateful|i am very grateful|thanks a bundle|thanks heaps|thanks loads|heaps|loads"
    "|thanks very kindly",
    "de": "merci dir|dank euch|ich danke vielmals|vielen herzlichen dank|danke für ihre zeit|"
    "danke für deine zeit|danke|dankeschön|danke schön|danke dir|danke ihnen|danke euch|vielen dank"
    "|vielen lieben dank|lieben dank"
    "|herzlichen dank|besten dank|tausend dank|danke sehr|danke vielmals|ich danke ihnen|ich danke dir|dank dir|merci"
    "|danke für die hilfe|danke für ihre hilfe|danke für deine hilfe|vielen dank für die hilfe|für die hilfe"
    "|vielen dank für ihre hilfe|vielen dank für deine hilfe|danke für die info|danke für die information"
    "|danke für die auskunft|vielen dank für die auskunft|danke für die schnelle antwort|für die schnelle antwort"
    "|vielen dank im voraus|danke im voraus|danke schon mal|sehr hilfreich|das hilft mir weiter|das hat geholfen"
    "|vergelts gott|thx|du hast mir geholfen|du hast mir sehr geholfen|sie haben mir geholfen"
    "|sie haben mir sehr geholfen"
    "|du hast mir echt geholfen|sie haben mir wirklich geholfen|sie haben mir sehr weitergeholfen"
    "|du hast mir weitergeholfen"
    "|das hat mir geholfen|das hat mir sehr geholfen|das hilft mir sehr|das hilft mir|das hilft|das war hilfreich"
    "|das war sehr hilfreich|sehr nett|sehr nett von ihnen|sehr nett von dir|sehr freundlich|danke für alles"
    "|vielen dank für alles|danke für die antwort|vielen dank für die antwort|vielen dank für die schnelle antwort"
    "|danke für die schnelle hilfe|das wollte ich wissen|mehr wollte ich nicht wissen|du bist super|sie sind super"
    "|du bist toll|ganz lieben dank|ich bedanke mich|ich danke euch|hat mir sehr geholfen|hat mir geholfen",
    "es": "grasias|muchisimas grasias|muchas grasias|grax|"
    "gracias|muchas gracias|muchísimas gracias|mil gracias|gracias por todo|gracias por su ayuda"
    "|gracias por tu ayuda|gracias por la ayuda|muchas gracias por su ayuda|muchas gracias por tu ayuda"
    "|muchas gracias por la ayuda|gracias por la información|gracias por la info|muchas gracias por la información"
    "|gracias por responder|se lo agradezco|te lo agradezco|le agradezco|te agradezco|muy agradecido|muy agradecida"
    "|muy amable|de gran ayuda|gracias de antemano|me ayudaste|me ayudaste mucho|me ha ayudado|me ha ayudado mucho"
    "|me has ayudado|me has ayudado mucho|me ayudó mucho|fue de gran ayuda|ha sido de gran ayuda|muy útil"
    "|fue muy útil"
    "|gracias por la respuesta|muchas gracias por todo|muchas gracias por la respuesta|gracias por ayudarme"
    "|eres genial"
    "|eso era todo lo que quería saber|tantas gracias|muy agradecidos",
    "fr": "merci|merci beaucoup|merci bien|merci bcp|mille mercis|un grand merci|grand merci|merci infiniment"
    "|je vous remercie|je te remercie|merci à vous|merci à toi|merci pour tout|merci pour votre aide"
    "|merci de votre aide"
    "|merci pour ton aide|merci pour l'aide|merci beaucoup pour votre aide|merci pour l'info|merci pour les infos"
    "|merci pour votre réponse|merci pour la réponse|merci de votre réponse|merci d'avance|c'est gentil"
    "|c'est très gentil"
    "|remerciements|vous m'avez aidé|vous m'avez beaucoup aidé|tu m'as aidé|tu m'as beaucoup aidé|ça m'aide"
    "|ça m'aide beaucoup"
    "|ça m'a aidé|ça m'a beaucoup aidé|vous m'avez bien aidé|très utile|c'est très utile|merci de m'avoir aidé"
    "|merci beaucoup pour tout|merci pour l'information|merci beaucoup pour votre réponse|très gentil"
    "|vous êtes génial"
    "|vous êtes très gentil|merci mille fois",
    "pt": "brigadão|brigadao|vlw brigado|"
    "obrigado|obrigada|muito obrigado|muito obrigada|obg|obgd|brigado|brigada|valeu|vlw|agradecido|agradecida"
    "|agradeço|obrigado pela ajuda|obrigada pela ajuda|muito obrigado pela ajuda|muito obrigada pela ajuda"
    "|obrigado por tudo|obrigada por tudo|obrigado pela informação|obrigada pela informação|grato|grata"
    "|desde já obrigado"
    "|desde já agradeço|você me ajudou|você me ajudou muito|me ajudou|me ajudou muito|ajudou muito|ajudou bastante"
    "|muito útil|foi muito útil|ajudou me muito|obrigado pela resposta|obrigada pela resposta|muito gentil"
    "|obrigado por me ajudar"
    "|obrigada por me ajudar|era isso que eu queria saber|muito agradecido|muito agradecida",
    "it": "grz|grz mille|"
    "grazie dell'aiuto|grazie della risposta|grazie delle informazioni|grazie per tutto|"
    "grazie|grazie mille|mille grazie|tante grazie|grazie tante|grazie infinite|molte grazie|ti ringrazio"
    "|la ringrazio|vi ringrazio|grazie per l'aiuto|grazie per il tuo aiuto|grazie per il suo aiuto|grazie di tutto"
    "|grazie per l'informazione|grazie per le informazioni|grazie di cuore|molto gentile|gentilissimo|gentilissima"
    "|grazie in anticipo|grazie per la risposta|mi hai aiutato|mi hai aiutato molto|mi ha aiutato|mi ha aiutato molto"
    "|mi sei stato di grande aiuto|mi è stato di grande aiuto|di grande aiuto|molto utile|è stato molto utile"
    "|utilissimo"
    "|grazie per avermi aiutato|grazie davvero|era quello che volevo sapere|molto disponibile|sei stato gentilissimo",
    "nl": "hartstikke bedankt|enorm bedankt|dankjulliewel|dank jullie wel|bedankt|dank je|dank je wel|dankjewel"
    "|dank u|dank u wel|dankuwel|dankje|hartelijk dank|heel erg bedankt"
    "|hartelijk bedankt|erg bedankt|super bedankt|alvast bedankt|bedankt voor de hulp|bedankt voor je hulp"
    "|bedankt voor uw hulp|dank je wel voor je hulp|dank u wel voor uw hulp|bedankt voor de info|thanks|top bedankt"
    "|bedankt voor de informatie|bedankt voor het antwoord|je hebt me geholpen|je hebt me goed geholpen"
    "|u heeft me geholpen"
    "|u heeft me goed geholpen|u hebt me goed geholpen|dat helpt|dat helpt me|heel behulpzaam|erg behulpzaam"
    "|dat was nuttig"
    "|je hebt me enorm geholpen|bedankt voor alles|dank voor je hulp|dank voor uw hulp|heel vriendelijk|heel aardig",
    "pl": "dziękuję|dzięki|dziękuje|dziękujemy|dziękuję bardzo|bardzo dziękuję|wielkie dzięki|serdecznie dziękuję"
    "|dziękuję pięknie|dziękuję za pomoc|dzięki za pomoc|bardzo dziękuję za pomoc|dziękuję za informację"
    "|dzięki za info"
    "|dziękuję za odpowiedź|dzięki za odpowiedź|dziękuję z góry|z góry dziękuję|dziękówka|dzięks|dzięki wielkie"
    "|bardzo mi pan pomógł|bardzo mi pani pomogła|bardzo mi pomogłeś|bardzo mi pomogłaś|pomogłeś mi|bardzo pomocne"
    "|to pomogło"
    "|to bardzo pomogło|bardzo mi to pomogło|dziękuję za wszystko|bardzo pan miły|bardzo miło",
    "ru": "спасибо|спасиб|спс|большое спасибо|спасибо большое|огромное спасибо|спасибо огромное|благодарю"
    "|благодарю вас|спасибо вам|спасибо вам большое|спасибо за помощь|большое спасибо за помощь|спасибо за ответ"
    "|спасибо за информацию|спасибо за инфу|спасибки|спасибочки|пасиб|пасибо|благодарен|благодарна"
    "|премного благодарен"
    "|спасибо заранее|заранее спасибо|вы очень помогли|очень помогли|вы мне очень помогли|ты мне очень помог"
    "|вы мне помогли"
    "|ты мне помог|очень полезно|это помогло|это очень помогло|помогло|спасибо за все|очень любезно|вы очень любезны"
    "|спасибо за быстрый ответ|это все что я хотел узнать",
    "uk": "дякую|дяки|дякую вам|дуже дякую|щиро дякую|велике дякую|дякую дуже|спасибі|дякую за допомогу|щиро вдячний"
    "|щиро вдячна|дякую за відповідь|дякую за інформацію|красно дякую|дякую велике|дуже вдячний|дуже вдячна"
    "|наперед дякую|ви мені дуже допомогли|ви дуже допомогли|ви мені допомогли|ти мені допоміг|дуже корисно"
    "|це допомогло"
    "|дякую за все|дуже люб'язно|ви дуже люб'язні",
    "tr": "teşekkürler|teşekkür ederim|teşekkür ederiz|çok teşekkürler|çok teşekkür ederim|tşk|tşkler|tesekkurler"
    "|sağol"
    "|sağ ol|sağolun|sağ olun|çok sağol|çok sağolun|eyvallah|teşekkür|yardımınız için teşekkürler|eksik olmayın"
    "|yardımınız için teşekkür ederim|minnettarım|allah razı olsun|bilgi için teşekkürler|şimdiden teşekkürler|mersi"
    "|çok yardımcı oldunuz|çok yardımcı oldun|bana çok yardımcı oldunuz|bana yardımcı oldunuz|çok faydalı oldu"
    "|işime yaradı"
    "|her şey için teşekkürler|çok naziksiniz|cevap için teşekkürler",
    "ar": "شكرا|شكرا لك|شكرا لكم|شكرا جزيلا|شكرا جزيلا لك|جزاك الله خيرا|جزاكم الله خيرا|مشكور|مشكورين|مشكورة|ألف شكر"
    "|الف شكر|يعطيك العافية|الله يعطيك العافية|ممنون|أشكرك|اشكرك|أشكركم|تسلم|تسلمي|تسلم ايدك|شكرا على المساعدة"
    "|شكرا لمساعدتك|شكرا على مساعدتك|شكرا جزيلا على المساعدة|بارك الله فيك|شكرا كثيرا|ثانكس|لقد ساعدتني"
    "|لقد ساعدتني كثيرا|ساعدتني كثيرا"
    "|أفدتني|مفيد جدا|شكرا على كل شيء|شكرا على الرد|هذا لطف منك",
    "hi": "धन्यवाद|बहुत धन्यवाद|बहुत बहुत धन्यवाद|शुक्रिया|बहुत शुक्रिया|बहुत बहुत शुक्रिया|आपका धन्यवाद|आभार|थैंक्स"
    "|थैंक यू|थैंक्यू|मदद के लिए धन्यवाद|आपकी मदद के लिए धन्यवाद|सहायता के लिए धन्यवाद|आपका बहुत धन्यवाद|dhanyavad"
    "|dhanyawad|dhanyavaad|shukriya|bahut dhanyavad|bahut shukriya|आपने मेरी बहुत मदद की|आपने मेरी मदद की"
    "|आपने बहुत मदद की|बहुत मदद मिली|बहुत उपयोगी|जवाब के लिए धन्यवाद|सब कुछ के लिए धन्यवाद",
    "id": "terima kasih|terimakasih|makasih|makasi|mksh|trims|tq|terima kasih banyak|terimakasih banyak"
    "|makasih banyak"
    "|makasih ya|terima kasih atas bantuannya|terima kasih atas infonya|terima kasih infonya|makasih infonya|thanks"
    "|makasih atas bantuannya|makasih bantuannya|terima kasih atas informasinya|thank you|trimakasih|tengkyu|suwun"
    "|matur nuwun|hatur nuhun|anda sangat membantu|kamu sangat membantu|sangat membantu"
    "|ini sangat membantu|itu membantu|terima kasih atas jawabannya|terima kasih untuk semuanya"
    "|terima kasih sudah membantu",
    "ja": "ありがとう|ありがとうございます|ありがとうございました|どうもありがとう|どうもありがとうございます"
    "|感謝します|感謝"
    "|助かりました|助かります|大変助かりました|サンキュー|誠にありがとうございます|本当にありがとうございます"
    "|ありがと"
    "|本当にありがとうございました|どうもありがとうございました|有難うございます|有難う|お手数をおかけしました"
    "|恐れ入ります"
    "|とても助かりました|本当に助かりました|とても役に立ちました|役に立ちました|参考になりました"
    "|色々ありがとうございました",
    "ko": "감사합니다|감사해요|감사|고맙습니다|고마워요|고마워|감사드립니다|대단히 감사합니다|정말 감사합니다"
    "|정말 고마워요"
    "|정말 고맙습니다|ㄱㅅ|땡큐|도와주셔서 감사합니다|도와줘서 고마워요|답변 감사합니다|너무 감사합니다|감사용"
    "|감사함다"
    "|수고하셨습니다|수고하세요|친절한 답변 감사합니다"
    "|많은 도움이 되었습니다|많은 도움이 됐어요|도움이 되었어요|도움이 됐어요|큰 도움이 되었습니다"
    "|정말 도움이 됐어요",
    "zh": "谢谢谢|谢谢|谢谢你|谢谢您|谢谢啦|谢谢了|多谢|多谢你|多谢了|非常感谢|非常感谢您|感谢|感谢你|感谢您|十分感谢"
    "|太感谢了|谢了|谢啦"
    "|謝謝|謝謝你|謝謝您|多謝|感謝|非常感謝|辛苦了|谢谢你的帮助|谢谢您的帮助|感谢你的帮助|感谢您的帮助|谢谢帮助"
    "|感激不尽|麻烦了"
    "|谢谢你的回复|谢谢您的回复|谢谢哈|谢谢哦|谢谢大家|麻烦你了|麻烦您了|唔該|唔该"
    "|你帮了我很多|你帮了我大忙|您帮了我大忙|帮了我大忙|很有帮助|非常有帮助|太有用了|很有用|谢谢你帮我|谢谢您帮我"
    "|你真好",
}

GOODBYES = {
    "en": "peace out|good talk|nice talking to you|nice chatting with you|nice to talk to you|"
    "this was a nice chat|this was a nice conversation|it was a pleasure talking to you|"
    "it was nice talking to you|it was lovely to speak with you|it was nice to speak with you|"
    "i enjoyed our talk|i enjoyed speaking with you|i enjoyed talking to you|see you around|"
    "goodbye now|catch you later|gn|bye|goodbye|good bye|bye bye|byebye|bye now|see you|see ya|see you later"
    "|see you soon|see you tomorrow|cya"
    "|later|laters|take care|good night|goodnight|night night|nite|have a nice day|have a good day|have a great day"
    "|have a nice evening|have a good evening|have a good one|have a nice weekend|have a good weekend"
    "|have a great weekend"
    "|have a lovely day|farewell|ttyl|talk to you later|talk to you soon|talk soon|so long|you too|same to you"
    "|cheerio"
    "|until next time|best regards|kind regards|regards|best wishes|all the best|warm regards",
    "de": "schönes wochenende noch|ein schönes wochenende noch|schönen feierabend|"
    "bis zum nächsten mal dann|tschüss|tschüß|tschuess|tschau|ciao|auf wiedersehen|aufwiedersehen"
    "|auf wiederhören|bis bald|bis dann"
    "|bis später|bis morgen|bis zum nächsten mal|gute nacht|schönen tag noch|einen schönen tag noch|einen schönen tag"
    "|schönen abend|schönen abend noch|einen schönen abend|schönes wochenende|ein schönes wochenende|ade|servus"
    "|machs gut"
    "|mach's gut|mfg|lg|vg|mit freundlichen grüßen|freundliche grüße|viele grüße|liebe grüße|beste grüße|gruß|grüße"
    "|ebenso|ihnen auch|dir auch|bye|tschüssi",
    "es": "adiós|chao|chau|hasta luego|hasta pronto|hasta mañana|hasta la vista|hasta la próxima|nos vemos|bye"
    "|que tenga buen día|que tengas buen día|que tenga un buen día|que tengas un buen día|que le vaya bien"
    "|que te vaya bien"
    "|buenas noches|un saludo|saludos cordiales|cuídate|cuídese|igualmente|feliz día",
    "fr": "au revoir|à bientôt|à plus|à plus tard|à demain|à la prochaine|bonne journée|bonne soirée|bonne nuit"
    "|bon week end|bon weekend|adieu|salutations|cordialement|bien cordialement|bien à vous|ciao|tchao|bye"
    "|bonne fin de journée|bonne continuation|à vous aussi|vous aussi|pareillement",
    "pt": "tchau|tchauzinho|xau|adeus|até logo|até mais|até amanhã|até breve|até já|até à próxima|até a próxima"
    "|tenha um bom dia|tenha um ótimo dia|bom fim de semana|boa noite|falou|flw|abraço|abraços|atenciosamente"
    "|cumprimentos|igualmente|bye",
    "it": "arrivederci|arrivederla|a presto|a dopo|a domani|ci vediamo|addio|buona giornata|buona serata|buonanotte"
    "|buona notte|buon weekend|buon fine settimana|alla prossima|cordiali saluti|saluti|distinti saluti|ciao ciao"
    "|altrettanto|anche a lei|anche a te",
    "nl": "doei|doeg|doeidoei|tot ziens|tot later|tot straks|tot morgen|tot de volgende keer|dag|daag|goedenacht"
    "|goede nacht|welterusten|fijne dag|fijne dag nog|fijne avond|fijn weekend|prettige dag|prettig weekend"
    "|prettige dag verder|een fijne dag|een fijne dag nog|met vriendelijke groet|vriendelijke groet|mvg|groetjes"
    "|groeten"
    "|insgelijks|u ook|jij ook|doe doei",
    "pl": "do widzenia|pa|papa|pa pa|do zobaczenia|na razie|narazie|nara|żegnam|dobranoc|miłego dnia|miłego wieczoru"
    "|miłego weekendu|życzę miłego dnia|do usłyszenia|do jutra|pozdrawiam|pozdrowienia|z poważaniem|trzymaj się"
    "|nawzajem|wzajemnie",
    "ru": "пока|пока пока|до свидания|досвидания|до встречи|до скорого|до завтра|всего доброго|всего хорошего"
    "|хорошего дня|хорошего вечера|хороших выходных|доброй ночи|спокойной ночи|прощайте|удачи|увидимся|бай|чао"
    "|с уважением|и вам|вам тоже|взаимно|счастливо|всех благ",
    "uk": "до побачення|бувай|бувайте|па|папа|до зустрічі|до завтра|всього найкращого|всього доброго|гарного дня"
    "|гарного вечора|гарних вихідних|на добраніч|добраніч|щасливо|з повагою|навзаєм|і вам|прощавайте|хай щастить",
    "tr": "hoşça kal|hoşçakal|hoşça kalın|hoşçakalın|güle güle|görüşürüz|görüşmek üzere|iyi geceler"
    "|iyi günler dilerim"
    "|iyi akşamlar dilerim|kendine iyi bak|kendinize iyi bakın|bay bay|bb|baybay|kolay gelsin|iyi çalışmalar"
    "|hayırlı günler|saygılarımla|size de|sana da|iyi hafta sonları|allaha ısmarladık",
    "ar": "مع السلامة|وداعا|الى اللقاء|إلى اللقاء|في أمان الله|باي|باي باي|تصبح على خير|تصبحون على خير|يومك سعيد"
    "|نهارك سعيد|طاب يومك|الله معك|أراك لاحقا|أراك قريبا|مع تحياتي|تحياتي|طابت ليلتك|استودعك الله",
    "hi": "अलविदा|फिर मिलेंगे|बाय|बाय बाय|टाटा|शुभ रात्रि|आपका दिन शुभ हो|शुभ दिन|नमस्ते फिर मिलेंगे|alvida"
    "|phir milenge"
    "|आपका दिन मंगलमय हो|गुड नाईट|गुड बाय|चलता हूँ",
    "id": "dadah|dah|da da|sampai jumpa|sampai nanti|sampai ketemu|sampai ketemu lagi|sampai besok|selamat tinggal"
    "|selamat jalan|selamat tidur|bye|bye bye|semoga harimu menyenangkan|salam hormat|hormat saya|sama sama|dadaah",
    "ja": "さようなら|さよなら|またね|また今度|じゃあね|じゃね|バイバイ|ばいばい|おやすみ|おやすみなさい|失礼します"
    "|失礼しました"
    "|ではまた|それではまた|それでは失礼します|では失礼します|またお願いします|また明日|良い一日を|よい一日を"
    "|ごきげんよう|お疲れ様でした",
    "ko": "안녕히 계세요|안녕히 가세요|잘 가|잘가|잘 있어|잘있어요|바이|바이바이|빠이|다음에 봐요|나중에 봐요"
    "|또 봐요|내일 봐요"
    "|좋은 하루 되세요|좋은 하루 보내세요|좋은 저녁 되세요|좋은 주말 보내세요|안녕히 주무세요|잘 자|잘자|잘자요"
    "|들어가세요",
    "zh": "再见|再見|拜拜|拜|回见|回头见|明天见|晚安|下次见|回聊|祝你愉快|祝您愉快|祝你一天愉快|祝您生活愉快|慢走"
    "|先这样|保重"
    "|再会|告辞|掰掰|下次再聊|祝好|后会有期|祝您工作顺利",
}

ACKNOWLEDGEMENTS = {
    "en": "okie dokie|okey dokey|okie|okey doke|oki doki|"
    "alright then|ok then fine|mm ok|mmm ok|mhm ok|hmm okay|aha ok|ah ok|oh ok|ah okay|oh okay|"
    "ok then|ok|okay|okey|okie|okies|k|kk|okk|okay then|alright|all right|alrighty|right|sure|fine|great|good"
    "|cool|nice"
    "|perfect|awesome|excellent|wonderful|amazing|super|brilliant|fantastic|lovely|got it|gotcha|understood|i see"
    "|i understand|noted|makes sense|sounds good|sounds great|good to know|ok good|thats great|thats good|thats fine"
    "|thats ok|that is fine|that is great|no problem|no worries|never mind|nevermind|nvm|fair enough|roger|will do"
    "|ah|ah ok"
    "|oh|oh ok|oh i see|aha|hm|hmm|mhm|haha|hahaha|hehe|lol|lmao|rofl|wow|yay|all good|all clear|oki|okidoki"
    "|okey dokey"
    "|no questions|nothing else|thats all|that is all|thats it|that will be all|im good|i am good|not needed"
    "|done|solved|its solved|it works|it works now|works now|all set|very good|very nice|so good|well done|good job"
    "|great job|bravo",
    "de": "alles klärchen|alles klaro|klaro|okidoki|"
    "ok dann|okay dann|gut dann|ok|okay|oki|okidoki|alles klar|klar|na klar|gut|sehr gut|super|toll|prima"
    "|perfekt|klasse|spitze|genial"
    "|wunderbar|verstanden|verstehe|ich verstehe|ach so|achso|aha|passt|das passt|passt schon|geht klar|einverstanden"
    "|in ordnung|kein problem|schon gut|schon ok|in ordnung so|alles gut|erledigt|hat sich erledigt|das wars"
    "|das war alles|mehr nicht|jo|jup|top|cool|mega|sehr schön|schön|fein|hab ich verstanden|na gut|na dann",
    "es": "ok entonces|vale|ok|okay|de acuerdo|bien|muy bien|perfecto|genial|estupendo|excelente|entendido|entiendo"
    "|claro|listo"
    "|bueno|está bien|súper|fantástico|ya|ya veo|comprendo|comprendido|no hay problema|no pasa nada|nada más"
    "|eso es todo"
    "|jaja|jajaja|jajajaja|okey|dale|qué bien|qué bueno|maravilloso|ya está",
    "fr": "ok alors|ok|d'accord|daccord|dac|très bien|bien|parfait|super|génial|excellent|compris|j'ai compris"
    "|je comprends"
    "|je vois|entendu|c'est noté|noté|c'est bon|ça marche|pas de souci|pas de problème|pas de soucis|c'est tout|mdr"
    "|ah"
    "|ah ok|ah bon|top|nickel|cool|impeccable|bien reçu|bien compris|c'est parfait|formidable",
    "pt": "ok|okay|certo|tá|tá bom|tá bem|tá certo|beleza|blz|perfeito|ótimo|legal|entendi|entendido|compreendido"
    "|compreendo|show|joia|combinado|claro|muito bem|muito bom|bom|bem|excelente|maravilha|sem problema|sem problemas"
    "|é isso|só isso|era só isso|kkk|kkkk|kkkkk|rsrs|top|fixe|está bem|tranquilo|massa",
    "it": "ok|okay|va bene|bene|benissimo|molto bene|perfetto|ottimo|capito|ho capito|capisco|d'accordo|certo|chiaro"
    "|tutto chiaro|fantastico|eccellente|bello|nessun problema|non c'è problema|è tutto|nient'altro|ah|ah ok|ahah"
    "|ahaha"
    "|inteso|ricevuto|bravo|grande|super|a posto|tutto ok",
    "nl": "ok|oke|oké|okee|goed|prima|perfect|top|mooi|super|duidelijk|begrepen|ik begrijp het|helder|fijn|is goed"
    "|dat is goed|geen probleem|snap ik|ik snap het|akkoord|oké dan|dat was het|dat is alles|heel goed|uitstekend"
    "|geweldig|leuk|lekker|fijn zo|komt goed",
    "pl": "ok|okej|oki|dobra|dobrze|w porządku|super|świetnie|rozumiem|zrozumiano|zrozumiałem|zrozumiałam|jasne|spoko"
    "|idealnie|doskonale|ekstra|fajnie|nie ma problemu|to wszystko|nic więcej|aha|ach tak|no dobrze|no dobra|git"
    "|pewnie|haha|bardzo dobrze|niech będzie|gotowe",
    "ru": "ок тогда|хорошо тогда|ок|окей|оки|хорошо|ладно|понятно|понял|поняла|ясно|отлично|супер|класс|круто|ага"
    "|угу|принято|договорились"
    "|идет|замечательно|прекрасно|здорово|все понятно|все ясно|без проблем|не надо|это все|хаха|лол|норм|хор"
    "|очень хорошо|ну ладно|ну хорошо|отл|пон|понятненько|ясненько|ok|годится|пойдет",
    "uk": "ок|окей|добре|гаразд|зрозуміло|зрозумів|зрозуміла|ясно|чудово|супер|клас|круто|ага|угу|домовились"
    "|прийнято|відмінно|без проблем|це все|все зрозуміло|дуже добре|ну добре|прекрасно|файно|ok",
    "tr": "tamam|tamamdır|tmm|tm|ok|oke|peki|anladım|anlaşıldı|süper|harika|mükemmel|güzel|çok güzel|çok iyi|iyi|olur"
    "|tabii|tabi|sorun değil|sorun yok|bu kadar|hepsi bu|okey|eyv|ha|haha|hıhı|anladım tamam|tamam anladım"
    "|bir şey değil",
    "ar": "تمام|حسنا|حسنًا|طيب|ماشي|اوكي|أوكي|اوك|ممتاز|رائع|جيد|جيد جدا|فهمت|مفهوم|واضح|لا مشكلة|ما في مشكلة|خلاص|زين"
    "|عظيم|حلو|هههه|ههه|ههههه|كويس|هذا كل شيء|تمام التمام|على راسي|ان شاء الله|إن شاء الله|الحمد لله",
    "hi": "ठीक है|ठीक|अच्छा|ओके|बढ़िया|बहुत बढ़िया|बहुत अच्छा|समझ गया|समझ गई|समझ गये|कोई बात नहीं|सही|सही है|हाँ ठीक है"
    "|जी ठीक है|अच्छा जी|शानदार|theek hai|thik hai|thik h|accha|acha|achha|samajh gaya|बस|badhiya",
    "id": "ok|oke|okey|okay|baik|baiklah|siap|sip|mantap|bagus|bagus sekali|mengerti|saya mengerti|paham|saya paham"
    "|noted|oh begitu|begitu ya|oh|oh ya|tidak apa apa|gapapa|gpp|tidak masalah|itu saja|sudah|sudah cukup|cukup"
    "|wkwk|wkwkwk|haha|hehe|keren|oke deh|oke siap|ok siap|oke baik",
    "ja": "はい|わかりました|分かりました|了解|了解です|了解しました|承知しました|承知いたしました|かしこまりました"
    "|なるほど"
    "|オッケー|オーケー|いいね|いいですね|大丈夫|大丈夫です|そうですか|そうなんですね|わかった|分かった|りょうかい"
    "|りょ|すごい|素晴らしい"
    "|以上です|ok|okです|問題ありません|結構です|解決しました|ふむ|へえ|うん",
    "ko": "네|넵|넹|예|네네|알겠습니다|알겠어요|알겠어|알았어|알았어요|오케이|ㅇㅋ|ㅇㅇ|좋아|좋아요|좋습니다"
    "|그렇군요|그렇구나"
    "|확인했습니다|이해했습니다|이해했어요|괜찮아요|괜찮습니다|ㅋㅋ|ㅋㅋㅋ|ㅎㅎ|ㅎㅎㅎ|굿|훌륭해요|아하|아 네"
    "|아 그렇군요|됐어요|해결됐어요",
    "zh": "好|好的|好吧|好啊|好滴|好哒|行|行吧|可以|嗯|嗯嗯|哦|噢|喔|知道了|我知道了|明白|明白了|了解|了解了|收到"
    "|懂了|没问题|沒問題"
    "|没事|沒事|没事了|ok|okay|哈哈|哈哈哈|呵呵|嘿嘿|不错|很好|太好了|太棒了|棒|厉害|原来如此|可以了|就这样|清楚了"
    "|没关系|没有了|好的好的",
}
