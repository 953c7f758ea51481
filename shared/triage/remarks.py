"""What people say beside questions and courtesies: yes and no, who are you, stop, help.

As in phrases.py: a message is one of these only if phrases cover all of it; `|` parts them.
"""

from __future__ import annotations

YES = {
    "en": "sure|yes|yeah|yep|yup|yes please|yes please do|please do|of course|definitely|absolutely"
    "|go ahead|please go ahead|yes go ahead|i would like that|id like that|id love that|i would love that"
    "|that would be great|that would be nice|that would be good|that would be lovely|yes id like that",
    "de": "ja|klar|na klar|jo|jup|gerne|ja gerne|ja bitte|einverstanden|unbedingt"
    "|gern|sehr gern|sehr gerne|ja gern|nur zu|mach das|machen sie das|das wäre gut|das wäre nett|das wäre schön"
    "|das wäre toll",
    "es": "sí|claro|dale|sí por favor|por supuesto|claro que sí"
    "|adelante|sí adelante|me gustaría|sí me gustaría|con gusto|estaría bien",
    "fr": "oui|oui merci|oui s'il vous plaît|oui svp|bien sûr|ouais"
    "|volontiers|avec plaisir|allez y|oui volontiers|oui je veux bien|je veux bien",
    "pt": "sim|combinado|sim por favor|claro|com certeza"
    "|pode ser|por favor sim|gostaria sim|pode sim|quero sim",
    "it": "sì|certo|sì per favore|sì grazie|certamente"
    "|volentieri|sì volentieri|con piacere|va bene grazie sì|mi farebbe piacere|fai pure|faccia pure",
    "nl": "ja|ja graag|jazeker|ja alstublieft"
    "|graag|heel graag|ga je gang|doe maar|dat zou fijn zijn",
    "pl": "tak|pewnie|jasne|tak proszę|oczywiście"
    "|chętnie|tak chętnie|bardzo chętnie|poproszę|tak poproszę",
    "ru": "да|ага|угу|договорились|да пожалуйста|конечно"
    "|давайте|да давайте|с удовольствием|было бы хорошо",
    "uk": "так|домовились|ага|угу|так будь ласка|звісно"
    "|давайте|так давайте|із задоволенням|було б добре",
    "tr": "evet|olur|tabii|tabi|evet lütfen"
    "|olur lütfen|memnuniyetle|isterim|evet isterim|çok iyi olur",
    "ar": "نعم|أجل|ايوه|نعم من فضلك|أكيد"
    "|تفضل|نعم تفضل|بالتأكيد|بكل سرور|يا ريت",
    "hi": "हाँ|जी|जी हाँ|हां|haan|ha ji"
    "|ज़रूर|हाँ ज़रूर|जी ज़रूर|हाँ कृपया|haan please|zaroor",
    "id": "ya|iya|ya tolong|tentu"
    "|boleh|ya boleh|silakan|ya silakan|mau|ya mau",
    "ja": "はい|うん|はいお願いします|ええ"
    "|ぜひ|ぜひお願いします|お願いします|そうしてください",
    "ko": "네|넵|넹|예|네네|ㅇㅇ|네 부탁드려요|응"
    "|부탁드립니다|네 부탁드립니다|부탁해요|그렇게 해주세요|좋습니다 부탁드려요",
    "zh": "是|是的|对|可以|行|嗯|好|好啊|对的|要"
    "|麻烦了|麻烦你了|麻烦您了|那就麻烦您了",
    "sv": "ja tack|ja gärna", "da": "ja tak", "cs": "ano|jo", "sk": "áno", "hu": "igen", "fi": "kyllä|joo",
    "el": "ναι", "he": "כן", "th": "ใช่|ครับ|ค่ะ", "vi": "vâng|có|dạ", "fa": "بله|آره",
}  # fmt: skip
"""What answers a question with a yes."""

DECLINES = {
    "en": "no|nope|nah|no thanks|no thank you|no thx|no ty|no im good|no im fine|no i am good|no i am fine"
    "|im fine thanks"
    "|im good thanks|no its fine|no thats all|no that is all|no thats it|no that is it|no all good|not now"
    "|not really|no need"
    "|no not now|maybe later|not today|no more|no more questions|no more questions thanks|no nothing else"
    "|no thats fine"
    "|thanks but no thanks|no thats ok|no its ok|not right now|not at the moment|no im ok|no worries no",
    "de": "nein|nein danke|nein vielen dank|nee|nee danke|nö|nö danke|nein alles gut|nein das wars|nein das war alles"
    "|nicht nötig|jetzt nicht|gerade nicht|nein nichts mehr|kein bedarf|vielleicht später|danke nein|nein passt schon"
    "|nein passt|nein schon gut|nicht jetzt|danke aber nein danke",
    "es": "no|no gracias|no muchas gracias|ahora no|no hace falta|no por ahora|por ahora no|no nada más"
    "|no es necesario"
    "|nada más gracias|no eso es todo|no está bien|gracias pero no|quizás más tarde",
    "fr": "non|non merci|pas maintenant|non c'est bon|non ça va|pas besoin|non pas besoin|non rien d'autre|ça ira"
    "|non c'est tout|non merci beaucoup|merci non|pas pour le moment|plus tard peut être|nan",
    "pt": "não|não obrigado|não obrigada|agora não|não precisa|não é necessário|por enquanto não|não é só isso"
    "|não muito obrigado|não muito obrigada|talvez mais tarde|nao obg",
    "it": "no|no grazie|non ora|adesso no|non serve|no va bene così|no basta così|no è tutto|per ora no"
    "|non c'è bisogno"
    "|no grazie mille|magari più tardi|no nient'altro",
    "nl": "nee|nee dank je|nee dank u|nee bedankt|nee hoor|niet nu|nee dat was het|niet nodig|nee dankjewel"
    "|nee hoeft niet|nee dank u wel|nee dank je wel|misschien later",
    "pl": "nie|nie dziękuję|nie dzięki|nie teraz|nie trzeba|nie to wszystko|dziękuję nie|nie dziękuję bardzo"
    "|może później",
    "ru": "нет|нет спасибо|не нужно|не сейчас|нет не надо|нет не нужно|спасибо нет|спасибо не надо|неа|нет это все"
    "|не надо спасибо|может позже",
    "uk": "ні|ні дякую|не треба|не потрібно|не зараз|нє|дякую ні|ні не треба|ні це все|може пізніше",
    "tr": "hayır|hayır teşekkürler|yok|yok teşekkürler|gerek yok|şimdi değil|hayır teşekkür ederim|yok sağol"
    "|istemiyorum"
    "|hayır sağol|belki sonra",
    "ar": "لا|لا شكرا|كلا|ليس الآن|لا داعي|لا حاجة|لا شكرا لك|لا شكرا جزيلا|ربما لاحقا",
    "hi": "नहीं|नहीं धन्यवाद|जी नहीं|नहीं शुक्रिया|अभी नहीं|ज़रूरत नहीं|नहीं चाहिए|nahi|nahin|nahi chahiye"
    "|nahi dhanyavad",
    "id": "tidak|tidak terima kasih|tidak makasih|nggak|gak|enggak|ngga|tidak usah|tidak perlu|gak usah"
    "|tidak sekarang"
    "|nanti saja",
    "ja": "いいえ|いや|いりません|いいえ結構です|いいえ大丈夫です|いえ|いえ大丈夫です|ううん|不要です|今はいいです"
    "|いいえありがとう",
    "ko": "아니요|아니오|아뇨|아니|아니에요|아니요 괜찮아요|아니요 괜찮습니다|아뇨 괜찮아요|아니요 감사합니다"
    "|됐습니다"
    "|필요 없어요|나중에요",
    "zh": "不|不用|不用了|不用谢谢|不用了谢谢|不要|不需要|没有|不了|不了谢谢|暂时不用|不需要谢谢|不谢谢",
    "sv": "nej|nej tack",
    "da": "nej|nej tak",
    "no": "nei|nei takk",
    "fi": "ei|ei kiitos",
    "cs": "ne|ne děkuji|ne díky",
    "sk": "nie|nie ďakujem", "ro": "nu|nu mulțumesc|nu mersi", "hu": "nem|nem köszönöm", "el": "όχι|όχι ευχαριστώ",
    "he": "לא|לא תודה", "th": "ไม่|ไม่ครับ|ไม่ค่ะ|ไม่เป็นไร", "vi": "không|không cảm ơn|không cần", "bg": "не"
    "|не благодаря",
    "sr": "ne|ne hvala|не|не хвала", "fa": "نه|نه ممنون|نه مرسی",
}  # fmt: skip

ABOUT = {
    "en": "r u a bot|are u a bot|u a bot|r u human|are u human|r u real|are u real|"
    "am i speaking with a real person|am i speaking to a real person|are you a robot or a human|are you a bot"
    "|are you bot|are you a robot|are you a human|are you human|are you a person"
    "|are you a real person"
    "|are you a human being|are you a real human|are you real|are you an ai|are you ai|are you a machine"
    "|are you a chatbot"
    "|are you chatgpt|are you a computer|are you a live person|is this a bot|is this a robot|is this a real person"
    "|is this a human|is this a person|is this an ai|is this a chatbot|is this automated|am i talking to a bot"
    "|am i talking to a robot|am i talking to a human|am i talking to a person|am i talking to a real person"
    "|am i speaking to a bot|am i speaking to a human|am i speaking to a person|am i speaking to a real person"
    "|am i speaking with a human|am i speaking with a bot|am i speaking with a real person|am i chatting with a bot"
    "|am i chatting with a human|am i chatting with a person|who are you|what are you|who is this|whos this"
    "|who am i talking to|who am i talking with|who am i speaking to|who am i speaking with|who am i chatting with"
    "|whats your name|what is your name|do you have a name|what can you do|what do you do|what can you do for me"
    "|what can you help with|what can you help me with|what can i ask|what can i ask you|how can you help"
    "|how can you help me|what do you know|what are you able to do|bot or human|human or bot|human or robot"
    "|robot or human"
    "|tell me about yourself|who r u|r u a bot|r u human|are you an actual person|are you a live agent",
    "de": "bist du ein bot|sind sie ein bot|bist du ein roboter|sind sie ein roboter|bist du ein mensch"
    "|sind sie ein mensch|bist du ein echter mensch|sind sie ein echter mensch|bist du echt|sind sie echt"
    "|bist du eine ki"
    "|sind sie eine ki|ist das ein bot|ist das eine ki|ist das ein mensch|bist du eine maschine"
    "|sind sie eine maschine"
    "|wer bist du|wer sind sie|was bist du|was sind sie|wer ist da|spreche ich mit einem menschen"
    "|spreche ich mit einem bot"
    "|rede ich mit einem menschen|rede ich mit einem bot|schreibe ich mit einem menschen|schreibe ich mit einem bot"
    "|mit wem spreche ich|mit wem schreibe ich|mit wem rede ich|was kannst du|was können sie|was kannst du alles"
    "|was können sie alles|was kannst du tun|was können sie tun|was kannst du für mich tun"
    "|was können sie für mich tun"
    "|wobei kannst du helfen|wobei können sie helfen|wobei kannst du mir helfen|wobei können sie mir helfen"
    "|wie heißt du"
    "|wie heißen sie|wie kannst du mir helfen|wie können sie mir helfen|bot oder mensch|mensch oder bot|was machst du"
    "|was kann ich dich fragen|was kann ich sie fragen|was kann ich fragen",
    "es": "eres un bot|es usted un bot|eres un robot|es usted un robot|eres humano|eres una persona"
    "|es usted una persona"
    "|eres real|eres una persona real|es usted una persona real|eres una ia|eres una máquina|quién eres"
    "|quién es usted"
    "|qué eres|hablo con un bot|hablo con una persona|estoy hablando con un bot|estoy hablando con una persona"
    "|con quién hablo|con quién estoy hablando|qué puedes hacer|qué puede hacer|qué sabes hacer"
    "|en qué me puedes ayudar"
    "|en qué puedes ayudarme|en qué me puede ayudar|cómo te llamas|cómo se llama usted|esto es un bot|bot o humano"
    "|qué puedo preguntarte|qué puedo preguntar",
    "fr": "t'es un robot|t'es un bot|tu es un robot|t'es humain|t'es une vraie personne|es tu un bot"
    "|êtes vous un bot|tu es un bot|vous êtes un bot|es tu un robot|êtes vous un robot"
    "|tu es un robot"
    "|vous êtes un robot|es tu humain|êtes vous humain|tu es humain|vous êtes humain|êtes vous une vraie personne"
    "|es tu une vraie personne|vous êtes une vraie personne|êtes vous une personne|es tu une ia|êtes vous une ia"
    "|qui es tu"
    "|qui êtes vous|tu es qui|vous êtes qui|c'est un bot|c'est un robot|c'est qui|est ce que je parle à un robot"
    "|est ce que je parle à un humain|je parle à un robot|je parle à un humain|à qui je parle|à qui ai je affaire"
    "|que peux tu faire|que pouvez vous faire|que sais tu faire|tu peux faire quoi|vous pouvez faire quoi"
    "|comment pouvez vous m'aider|comment peux tu m'aider|comment t'appelles tu|comment vous appelez vous"
    "|est ce que tu es un robot|est ce que vous êtes un robot",
    "pt": "você é um bot|és um bot|é um bot|você é um robô|és um robô|é um robô|você é humano|és humano"
    "|você é uma pessoa"
    "|você é real|você é uma pessoa real|é uma pessoa real|você é uma ia|quem é você|quem és|quem és tu|o que é você"
    "|estou falando com um robô|estou falando com uma pessoa|estou a falar com uma pessoa|com quem estou falando"
    "|com quem falo|o que você pode fazer|o que você faz|o que podes fazer|o que pode fazer|como você pode me ajudar"
    "|como pode me ajudar|em que pode me ajudar|qual é o seu nome|qual seu nome|como se chama|como te chamas"
    "|o que posso perguntar",
    "it": "sei un bot|è un bot|sei un robot|è un robot|sei umano|sei una persona|sei una persona vera"
    "|sei una persona reale"
    "|sei reale|sei vero|sei una ia|sei un'ia|chi sei|chi è lei|cosa sei|che cosa sei|sto parlando con un bot"
    "|sto parlando con un robot|sto parlando con una persona|parlo con una persona|con chi parlo|con chi sto parlando"
    "|cosa puoi fare|che cosa puoi fare|cosa sai fare|cosa può fare|come puoi aiutarmi|come può aiutarmi"
    "|come ti chiami"
    "|come si chiama|in cosa puoi aiutarmi|cosa posso chiederti",
    "nl": "ben je een bot|bent u een bot|ben jij een bot|ben je een robot|bent u een robot|ben jij een robot"
    "|ben je een mens"
    "|bent u een mens|ben jij een mens|ben je echt|bent u echt|ben je een echt persoon|bent u een echt persoon"
    "|is dit een bot"
    "|is dit een robot|ben je een ai|wie ben je|wie bent u|wie ben jij|wat ben je|met wie spreek ik|met wie praat ik"
    "|praat ik met een mens|praat ik met een bot|spreek ik met een mens|wat kun je|wat kan je|wat kun je doen"
    "|wat kunt u doen"
    "|wat kan je doen|waarmee kun je helpen|waarmee kunt u helpen|hoe kun je me helpen|hoe heet je|hoe heet u",
    "pl": "jesteś botem|czy jesteś botem|jesteś robotem|czy jesteś robotem|jesteś człowiekiem|czy jesteś człowiekiem"
    "|czy to bot|czy to robot|to bot|jesteś prawdziwy|czy jesteś ai|czy jesteś sztuczną inteligencją|kim jesteś"
    "|kto to"
    "|kim pan jest|kim pani jest|czym jesteś|z kim rozmawiam|z kim piszę|czy rozmawiam z człowiekiem"
    "|czy rozmawiam z botem|co potrafisz|co umiesz|co możesz zrobić|w czym możesz pomóc|jak możesz mi pomóc"
    "|jak się nazywasz|jak masz na imię|o co mogę zapytać",
    "ru": "ты бот|вы бот|ты робот|вы робот|ты человек|вы человек|вы живой человек|ты живой человек|ты живой|вы живой"
    "|вы настоящий человек|это бот|это робот|это человек|вы ии|ты ии|ты кто|кто ты|вы кто|кто вы|кто вы такой"
    "|кто ты такой"
    "|что ты такое|я говорю с ботом|я говорю с человеком|я общаюсь с ботом|с кем я говорю|с кем я общаюсь"
    "|что ты умеешь"
    "|что вы умеете|что ты можешь|что вы можете|чем вы можете помочь|чем ты можешь помочь|чем можете помочь"
    "|как тебя зовут"
    "|как вас зовут|что можно спросить|бот или человек",
    "uk": "ти бот|ви бот|ти робот|ви робот|ти людина|ви людина|ви жива людина|ти жива людина|це бот|це робот"
    "|це людина"
    "|ви ші|ти ші|ти хто|хто ти|ви хто|хто ви|я говорю з ботом|я говорю з людиною|я спілкуюсь з ботом|з ким я говорю"
    "|з ким я спілкуюсь|що ти вмієш|що ви вмієте|що ти можеш|що ви можете|чим ви можете допомогти"
    "|чим можете допомогти"
    "|як тебе звати|як вас звати|що можна запитати|чи ви бот|чи ви людина|чи ти бот",
    "tr": "bot musun|bot musunuz|sen bot musun|siz bot musunuz|robot musun|robot musunuz|sen robot musun|insan mısın"
    "|insan mısınız|sen insan mısın|gerçek misin|gerçek bir insan mısın|gerçek biri misin|yapay zeka mısın|kimsin"
    "|kimsiniz"
    "|sen kimsin|siz kimsiniz|nesin|kiminle konuşuyorum|kiminle görüşüyorum|bir botla mı konuşuyorum"
    "|bir insanla mı konuşuyorum|ne yapabilirsin|ne yapabilirsiniz|neler yapabilirsin|neler yapabilirsiniz"
    "|bana nasıl yardımcı olabilirsin|bana nasıl yardımcı olabilirsiniz|adın ne|adınız ne|ismin ne",
    "ar": "هل أنت روبوت|هل انت روبوت|هل أنت بوت|هل انت بوت|انت بوت|أنت روبوت|هل أنت إنسان|هل انت انسان|هل أنت بشر"
    "|هل أنت حقيقي|هل أنت شخص حقيقي|هل انت شخص حقيقي|هل أنت ذكاء اصطناعي|من أنت|من انت|مين انت|ما أنت|مع من أتحدث"
    "|مع من اتحدث|هل أتحدث مع إنسان|هل أتحدث مع روبوت|ماذا يمكنك أن تفعل|ماذا تستطيع أن تفعل|ماذا تفعل"
    "|كيف يمكنك مساعدتي|بماذا تساعدني|ما اسمك",
    "hi": "क्या आप बॉट हैं|क्या तुम बॉट हो|क्या आप रोबोट हैं|क्या आप इंसान हैं|क्या तुम इंसान हो"
    "|क्या आप असली हैं|आप कौन हैं|आप कौन हो"
    "|तुम कौन हो|कौन हैं आप|क्या यह बॉट है|मैं किससे बात कर रहा हूँ|मैं किससे बात कर रही हूँ"
    "|आप क्या कर सकते हैं|आप क्या करते हैं"
    "|तुम क्या कर सकते हो|आप मेरी क्या मदद कर सकते हैं|आपका नाम क्या है|तुम्हारा नाम क्या है|aap kaun hain|aap kaun ho"
    "|tum kaun ho|kya aap bot hain|aap kya kar sakte hain",
    "id": "apakah anda bot|apakah kamu bot|kamu bot|anda bot|apakah anda robot|apakah kamu robot|kamu robot|ini bot"
    "|ini robot"
    "|apakah ini bot|apakah anda manusia|apakah kamu manusia|kamu manusia|anda manusia|apakah kamu orang asli"
    "|siapa kamu"
    "|siapa anda|kamu siapa|anda siapa|ini siapa|dengan siapa saya bicara|saya bicara dengan siapa"
    "|apa yang bisa kamu lakukan"
    "|apa yang bisa anda lakukan|kamu bisa apa|bisa apa saja|siapa nama kamu|siapa namamu"
    "|apa yang bisa saya tanyakan",
    "ja": "あなたはボットですか|ボットですか|ボット|ロボットですか|あなたはロボットですか|人間ですか"
    "|あなたは人間ですか|本物の人ですか"
    "|AIですか|あなたはAIですか|あなたは誰ですか|誰ですか|あなたは誰|だれですか|どなたですか|何ができますか"
    "|何ができるの"
    "|あなたは何ができますか|お名前は|名前は何ですか|何を聞けますか|機械ですか",
    "ko": "봇이에요|봇인가요|봇이야|봇입니까|로봇이에요|로봇인가요|로봇이야|사람이에요|사람인가요|사람이야"
    "|사람입니까|진짜 사람이에요"
    "|진짜 사람인가요|ai예요|ai인가요|누구세요|누구야|누구예요|누구인가요|넌 누구야|당신은 누구세요"
    "|당신은 누구입니까|당신은 봇인가요"
    "|무엇을 할 수 있나요|뭘 할 수 있어요|뭐 할 수 있어|뭘 할 수 있나요|무엇을 도와줄 수 있나요|이름이 뭐예요"
    "|이름이 뭐야",
    "zh": "你是机器人吗|您是机器人吗|你是机器人|你是人吗|你是真人吗|您是真人吗|是真人吗|是机器人吗|这是机器人吗"
    "|你是人工智能吗|你是ai吗"
    "|你是谁|您是谁|你是誰|你是什么|你叫什么|你叫什么名字|您叫什么名字|我在和谁说话|我在跟谁说话|我在和机器人说话吗"
    "|我在和真人说话吗"
    "|你能做什么|您能做什么|你会什么|你可以做什么|你能帮我什么|你会做什么|你有什么功能|我可以问什么|你是客服吗"
    "|人工还是机器人",
}

STOPS = {
    "en": "stop|/stop|unsubscribe|opt out|optout|stop messaging me|stop texting me|stop writing|stop writing to me"
    "|stop it"
    "|stop all|leave me alone|dont write to me|do not write to me|do not message me|dont message me|dont contact me"
    "|do not contact me|stop sending messages|stop sending me messages|no more messages|unsubscribe me|remove me"
    "|stop messages",
    "de": "stopp|abmelden|abbestellen|aufhören|hör auf|hören sie auf|lass mich in ruhe|lassen sie mich in ruhe"
    "|nicht mehr schreiben|schreib mir nicht mehr|schreiben sie mir nicht mehr|keine nachrichten mehr|austragen",
    "es": "basta|para ya|darse de baja|darme de baja|baja|deja de escribirme|no me escribas|no me escriban"
    "|no más mensajes",
    "fr": "arrêt|arrête|arrêtez|désabonner|se désabonner|me désabonner|désinscription|désinscrire|ne m'écrivez plus"
    "|laissez moi tranquille|plus de messages",
    "pt": "parar|pare|descadastrar|cancelar inscrição|não me escreva|pare de enviar mensagens|me deixe em paz",
    "it": "fermati|basta|disiscrivimi|disiscrizione|annulla iscrizione|non scrivetemi più|non scrivermi più"
    "|lasciami in pace",
    "nl": "afmelden|uitschrijven|hou op|houd op|stop ermee|schrijf me niet meer|laat me met rust",
    "pl": "zatrzymaj|wypisz mnie|przestań|przestańcie|rezygnacja|nie piszcie do mnie|nie pisz do mnie|wyłącz",
    "ru": "стоп|отписаться|отпишите меня|хватит|прекратите|не пишите мне|не пишите мне больше|отписка|отстаньте",
    "uk": "стоп|відписатися|відпишіть мене|досить|припиніть|не пишіть мені|не пишіть мені більше|відписка",
    "tr": "dur|durdur|abonelikten çık|yeter|bana yazmayın|mesaj atmayın|rahat bırak",
    "ar": "توقف|قف|إلغاء الاشتراك|الغاء الاشتراك|كفى|لا تراسلني|أوقف الرسائل",
    "hi": "रुको|बंद करो|बंद करें|रोको|अनसब्सक्राइब|स्टॉप|मुझे मैसेज मत करो|band karo",
    "id": "berhenti|hentikan|berhenti berlangganan|jangan kirim pesan lagi|jangan hubungi saya",
    "ja": "停止|配信停止|やめて|やめてください|ストップ|もう送らないで|もう送らないでください",
    "ko": "그만|중지|수신거부|수신 거부|구독취소|멈춰|그만해|그만하세요|정지|그만 보내세요",
    "zh": "停|停止|退订|取消订阅|别发了|不要再发了|別發了|退訂|停下",
    "sv": "avsluta prenumeration|sluta",
    "da": "afmeld|stop venligst",
    "no": "avmeld",
    "fi": "lopeta",
    "ro": "dezabonare",
    "cs": "odhlásit", "hu": "leiratkozás", "el": "σταμάτα", "fa": "توقف کن",
}  # fmt: skip

NEEDS = {
    "en": "help|help me|please help|please help me|i need help|i need some help|need help|can you help"
    "|can you help me"
    "|could you help me|can you please help me|i have a question|i have some questions|i have a few questions"
    "|question|a question"
    "|quick question|i have a quick question|i got a question|can i ask something|can i ask you something"
    "|can i ask you a question|can i ask a question|may i ask a question|may i ask something|i want to ask something"
    "|i want to ask a question|i would like to ask a question|i need assistance|i need support|please"
    "|i have a problem"
    "|i have an issue|can someone help me|can anyone help me|i have another question|another question"
    "|one more question",
    "de": "hilfe|hilf mir|helfen sie mir|bitte helfen|bitte helfen sie mir|ich brauche hilfe|brauche hilfe"
    "|kannst du helfen"
    "|kannst du mir helfen|können sie helfen|können sie mir helfen|könnten sie mir helfen|ich habe eine frage"
    "|ich habe mal eine frage|ich hätte eine frage|ich hätte mal eine frage|habe eine frage|hab eine frage"
    "|hab ne frage"
    "|frage|eine frage|kurze frage|ich habe eine kurze frage|darf ich etwas fragen|darf ich was fragen"
    "|kann ich etwas fragen"
    "|kann ich was fragen|ich habe fragen|ich habe ein problem|ich habe noch eine frage|noch eine frage|bitte",
    "es": "ayuda|ayúdame|ayúdeme|necesito ayuda|me puedes ayudar|me puede ayudar|puedes ayudarme|puede ayudarme"
    "|tengo una pregunta|tengo una duda|una pregunta|una duda|pregunta|quiero preguntar algo|puedo preguntar algo"
    "|puedo hacer una pregunta|tengo un problema|tengo otra pregunta|por favor|tengo una consulta|una consulta",
    "fr": "aide|à l'aide|aidez moi|aide moi|j'ai besoin d'aide|besoin d'aide|pouvez vous m'aider|peux tu m'aider"
    "|j'ai une question|une question|question|petite question|j'ai une petite question|puis je poser une question"
    "|je peux poser une question|j'ai un problème|j'ai un souci|j'ai une autre question|j'aurais une question"
    "|s'il vous plaît|svp",
    "pt": "ajuda|me ajuda|me ajude|preciso de ajuda|pode me ajudar|podem me ajudar|pode ajudar|tenho uma pergunta"
    "|tenho uma dúvida|uma pergunta|uma dúvida|pergunta|dúvida|posso perguntar|posso fazer uma pergunta"
    "|tenho um problema"
    "|tenho outra dúvida|por favor|você pode me ajudar",
    "it": "aiuto|aiutami|mi aiuti|ho bisogno di aiuto|può aiutarmi|puoi aiutarmi|mi può aiutare|mi puoi aiutare"
    "|ho una domanda"
    "|una domanda|domanda|avrei una domanda|posso fare una domanda|posso chiedere una cosa|ho un problema|per favore"
    "|ho un'altra domanda|vorrei un'informazione",
    "nl": "hulp|help mij|ik heb hulp nodig|hulp nodig|kunt u helpen|kunt u mij helpen|kun je helpen|kun je me helpen"
    "|kan je me helpen|ik heb een vraag|ik heb een vraagje|een vraag|vraag|vraagje|mag ik iets vragen"
    "|ik heb een probleem"
    "|ik heb nog een vraag|nog een vraag|alstublieft|alsjeblieft",
    "pl": "pomocy|pomoc|pomóż mi|proszę o pomoc|potrzebuję pomocy|możesz mi pomóc|czy możesz mi pomóc"
    "|czy może mi pan pomóc"
    "|czy może mi pani pomóc|mam pytanie|pytanie|mam jedno pytanie|mogę o coś zapytać|czy mogę o coś zapytać"
    "|mam problem"
    "|mam jeszcze jedno pytanie|mam jeszcze pytanie|proszę",
    "ru": "помощь|помогите|помоги|нужна помощь|мне нужна помощь|можете помочь|вы можете помочь|вы можете мне помочь"
    "|помогите пожалуйста|у меня вопрос|у меня есть вопрос|есть вопрос|вопрос|можно вопрос|можно спросить"
    "|хочу спросить"
    "|у меня проблема|ещё вопрос|у меня ещё вопрос|подскажите|подскажите пожалуйста",
    "uk": "допомога|допоможіть|допоможи|потрібна допомога|мені потрібна допомога|можете допомогти|ви можете допомогти"
    "|допоможіть будь ласка|у мене питання|у мене є питання|маю питання|є питання|питання|можна питання"
    "|можна запитати"
    "|хочу запитати|у мене проблема|підкажіть|підкажіть будь ласка|маю запитання",
    "tr": "yardım|yardım edin|yardım et|yardıma ihtiyacım var|yardımcı olur musunuz|yardım eder misiniz"
    "|bana yardım eder misiniz|yardımcı olabilir misiniz|bir sorum var|sorum var|soru|bir soru|bir şey soracağım"
    "|bir şey sorabilir miyim|soru sorabilir miyim|bir sorunum var|lütfen|bir sorum daha var",
    "ar": "مساعدة|ساعدني|ساعدوني|أحتاج مساعدة|أحتاج إلى مساعدة|احتاج مساعدة|هل يمكنك مساعدتي|ممكن مساعدة|لدي سؤال"
    "|عندي سؤال"
    "|سؤال|ممكن سؤال|هل يمكنني أن أسأل|لدي مشكلة|عندي مشكلة|من فضلك|لدي استفسار|عندي استفسار|استفسار",
    "hi": "मदद|मदद करो|मदद कीजिए|मेरी मदद करो|मेरी मदद कीजिए|मुझे मदद चाहिए|मदद चाहिए|क्या आप मदद कर सकते हैं"
    "|क्या आप मेरी मदद कर सकते हैं|मेरा एक सवाल है|एक सवाल है|सवाल|एक सवाल|मुझे कुछ पूछना है|कुछ पूछना है"
    "|मेरा एक प्रश्न है|कृपया"
    "|madad|madad chahiye|mujhe madad chahiye|ek sawal hai",
    "id": "bantuan|bantu|bantu saya|tolong|tolong bantu|tolong bantu saya|butuh bantuan|saya butuh bantuan"
    "|saya perlu bantuan"
    "|bisa bantu|bisa bantu saya|bisakah anda membantu saya|saya punya pertanyaan|saya ada pertanyaan|ada pertanyaan"
    "|pertanyaan|mau tanya|saya mau tanya|boleh tanya|boleh bertanya|saya ingin bertanya|numpang tanya"
    "|saya ada masalah",
    "ja": "助けて|助けてください|ヘルプ|手伝ってください|質問があります|質問|質問です|質問していいですか"
    "|質問してもいいですか"
    "|聞きたいことがあります|お聞きしたいことがあります|教えてください|困っています|お尋ねします|ちょっと質問"
    "|すみません質問です",
    "ko": "도움|도와주세요|도와줘|도와주실 수 있나요|도움이 필요해요|도움이 필요합니다|질문|질문이요|질문 있어요"
    "|질문이 있어요"
    "|질문이 있습니다|질문 있습니다|질문해도 될까요|물어볼 게 있어요|문의드립니다|문의|문의가 있습니다|문제가 있어요",
    "zh": "帮助|帮我|帮帮我|请帮我|请帮帮我|救命|我需要帮助|需要帮助|你能帮我吗|您能帮我吗|可以帮我吗|能帮忙吗"
    "|我有问题|我有一个问题"
    "|我有个问题|有个问题|问题|问一下|请问|请问一下|想问一下|我想问一下|可以问一下吗|咨询|咨询一下|我想咨询一下|求助",
}
"""Somebody wants something and has not said yet what."""
