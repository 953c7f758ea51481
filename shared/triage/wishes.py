"""What people say who want a person: what they call one, the words around it, and what begins their reason.

As in phrases.py: a message is a wish only if phrases cover all of it, up to the reason; `|` parts them.
"""

from __future__ import annotations

PERSONS = {
    "en": "can somebody from your team help me|can someone from your team help me|"
    "can someone from support help me|somebody from support|someone from support|"
    "human|humans|human being|real human|real person|real people|live person|actual person|actual human"
    "|person|agent"
    "|human agent|live agent|real agent|support agent|operator|representative|rep|customer service|customer support"
    "|customer care|colleague|your colleague|your colleagues|staff member|employee|live chat|live support"
    "|human support"
    "|human help|manager|supervisor|advisor|adviser|people|member of staff|someone real|somebody real|talk to someone"
    "|speak to someone|speak with someone|talk with someone|chat with someone|talk to somebody|speak to somebody"
    "|speak with somebody|talk to anyone|someone from your team|somebody from your team|a real one|real someone"
    "|someone in charge|somebody in charge|soul|living soul"
    "|customer service agent|customer service representative|consultant",
    "de": "mensch|menschen|richtigen menschen|wem echtes|echter mensch|echten menschen|mitarbeiter"
    "|mitarbeiterin|mitarbeitern|echte person"
    "|echten person"
    "|person|jemandem|jemand echtes|kundenservice|kundendienst|kundenbetreuung|berater|beraterin|kundenberater"
    "|kundenberaterin|ansprechpartner|ansprechpartnerin|kollegen|kollegin|operator|sachbearbeiter|sachbearbeiterin"
    "|support mitarbeiter|servicemitarbeiter|kundenbetreuer|jemand aus dem team|jemandem aus dem team",
    "es": "persona|persona real|humano|ser humano|agente|agente humano|asesor|asesora|operador|operadora|alguien real"
    "|hablar con alguien|representante|atención al cliente|servicio al cliente|empleado|empleada|encargado|encargada"
    "|alguien del equipo|persona de verdad",
    "fr": "humain|être humain|personne réelle|vraie personne|une personne|agent|agent humain|conseiller|conseillère"
    "|opérateur|opératrice|quelqu'un de réel|parler à quelqu'un|parler a qqn|parler à qqn|parler avec qqn"
    "|parler avec quelqu'un|service client|service clients"
    "|employé|collègue|responsable|quelqu'un de l'équipe|vrai humain",
    "pt": "pessoa|pessoa real|pessoa de verdade|humano|ser humano|atendente|atendente humano|agente|operador"
    "|operadora"
    "|falar com alguém|alguém de verdade|funcionário|funcionária|suporte humano|representante|atendimento humano"
    "|humana",
    "it": "persona|persona reale|persona vera|umano|essere umano|operatore|operatrice|operatore umano|agente|addetto"
    "|parlare con qualcuno|servizio clienti|assistenza clienti|consulente|responsabile|qualcuno del team",
    "nl": "mens|echt mens|medewerker|medewerkster|persoon|echt persoon|echte persoon|iemand spreken|iemand praten"
    "|met iemand"
    "|klantenservice|collega|agent|adviseur|operator|iemand van het team|menselijke medewerker",
    "pl": "człowiek|człowiekiem|człowieka|osobą|osoba|konsultant|konsultantem|konsultanta|konsultantką|pracownik"
    "|pracownikiem|pracownika|agent|agentem|agenta|z kimś|obsługa klienta|obsługą klienta|operator|operatorem",
    "ru": "человек|человеком|человека|живой человек|живым человеком|оператор|оператором|оператора|сотрудник"
    "|сотрудником"
    "|сотрудника|менеджер|менеджером|менеджера|с кем нибудь|специалист|специалистом|специалиста|консультант"
    "|консультантом"
    "|консультанта|служба поддержки|службой поддержки|техподдержка|людьми",
    "uk": "людина|людиною|людину|оператор|оператором|оператора|співробітник|співробітником|менеджер|менеджером"
    "|менеджера"
    "|консультант|консультантом|консультанта|спеціаліст|спеціалістом|фахівцем|з кимось|служба підтримки",
    "tr": "insan|insanla|insana|gerçek kişi|bir kişiyle|kişiyle|müşteri temsilcisi|müşteri temsilcisine"
    "|müşteri temsilcisiyle|müşteri temsilcisi ile|temsilci|temsilciye|temsilciyle|yetkili|yetkiliyle|yetkiliye"
    "|operatör"
    "|operatöre|biriyle|canlı destek|müşteri hizmetleri|müşteri hizmetlerine",
    "ar": "شخص|شخص حقيقي|إنسان|انسان|موظف|موظف بشري|وكيل|ممثل|خدمة العملاء|موظف خدمة العملاء|أحد الموظفين|بشر|مندوب"
    "|ممثل خدمة العملاء|الدعم",
    "hi": "इंसान से बात करवाओ|किसी इंसान से बात करवाओ|इंसान से बात कराओ|इंसान से बात करवाइए|"
    "इंसान|व्यक्ति|एजेंट|आदमी|कर्मचारी|प्रतिनिधि|ग्राहक सेवा|कस्टमर केयर|असली इंसान|insan|insaan|aadmi"
    "|agent|customer care",
    "id": "orang|manusia|orang asli|agen|petugas|cs|customer service|operator|staf|karyawan|agen manusia",
    "ja": "人間|担当者|担当の方|オペレーター|オペレータ|スタッフ|有人|人と話したい|人と話したいです|人と話せますか"
    "|人間と話したい"
    "|有人チャット|有人対応|カスタマーサービス",
    "ko": "사람|사람과|사람이랑|사람하고|상담원|상담원과|상담원이랑|상담사|상담사와|직원|직원과|직원분|직원분과"
    "|담당자|담당자와|상담원이"
    "|상담원을|실제 사람|상담원에게|고객센터",
    "zh": "人工|人工客服|转人工|转人工客服|真人|真人客服|客服人员|工作人员|和人说话|找人工|找客服|人工服务|转接人工"
    "|转真人|和真人"
    "|联系客服",
    "sv": "människa|en människa|riktig person|kundtjänst|handläggare", "da": "menneske|rigtig person|kundeservice",
    "no": "menneske|ekte person|kundeservice", "fi": "ihminen|ihmisen|asiakaspalvelija|asiakaspalvelu",
    "cs": "člověk|člověkem|operátor|operátorem", "ro": "om|persoană reală|operator uman|persoană",
    "hu": "ember|emberrel|ügyintéző|ügyintézővel", "el": "άνθρωπο|άνθρωπος|εκπρόσωπο|υπάλληλο",
}  # fmt: skip

WISHES = (
    "i|i want|i want to|i want a|i wanna|i would like|i would like to|id like|id like to|i need|i need to|i wish to"
    "|i prefer"
    "|i would rather|i'd rather|can i|could i|may i|can you|could you|let me|please|pls|talk|talk to|talk with|speak"
    "|speak to|speak with|chat with|chat to|get|get me|give me|connect|connect me|connect me to|connect me with"
    "|transfer"
    "|transfer me|transfer me to|put me through|put me through to|contact|want|want to|need|need to|a|an|the|with"
    "|to|your"
    "|one of|instead|now|real|live|actual|is there|is there a|do you have|rather|proper|not a bot|not a robot"
    "|directly|in person"
    "|ich|ich will|ich möchte|ich möchte gerne|ich würde gerne|ich würde lieber|ich brauche|kann ich|könnte ich"
    "|darf ich"
    "|bitte|mit|einem|einer|einen|eine|ein|sprechen|reden|schreiben|chatten|verbinden|verbinden sie mich"
    "|verbinde mich"
    "|echten|echter|echte|richtigen|mal|gern|gerne|lieber|an|hätte gern|will|möchte|gibt es|aus dem team|von ihnen"
    "|direkt|statt bot|kein bot|ihrem|ihren|weiterleiten|einen echten"
    "|quiero|quisiera|quiero hablar|hablar|hablar con|puedo|podría|me gustaría|necesito|por favor|con|un|una|el|la"
    "|real"
    "|de verdad|pásame|páseme|pásame con|páseme con|comuníqueme|comunícame|me comunica|me pasa|me atienda|a"
    "|pasarme con|que"
    "|contactar|contactar con|de carne y hueso"
    "|je veux|je voudrais|je souhaite|j'aimerais|parler|parler à|parler avec|puis je|est ce que je peux|pouvez vous"
    "|je peux"
    "|à|avec|une|le|vrai|vraie|réel|réelle|s'il vous plaît|svp|stp|s'il te plaît|discuter avec|passez moi|passe moi"
    "|mettez moi en relation avec|me mettre en relation avec|vous me mettre en relation avec"
    "|pouvez vous me mettre en relation avec|me passer|mettez moi en contact avec|besoin de|j'ai besoin de"
    "|j'ai besoin d'un"
    "|j'ai besoin d'une|d'un"
    "|d'une|du|au|contacter|contacter un"
    "|quero|queria|gostaria de|falar|falar com|posso|preciso|preciso de|por favor|com|um|uma|o|me passa"
    "|me transfere para"
    "|me transfira para|transferir para|gostaria"
    "|voglio|vorrei|parlare|parlare con|posso|ho bisogno di|per favore|con|un|una|mi passi|mi passi un|passami"
    "|mi metta in contatto con|vero|vera|reale|potrei"
    "|ik|ik wil|ik wil graag|ik zou graag|kan ik|mag ik|praten|spreken|chatten|met|een|de|echte|echt|alstublieft"
    "|alsjeblieft"
    "|aub|graag|verbind me|verbind mij|verbind me door met|doorverbinden|ik heb|nodig"
    "|chcę|chciałbym|chciałabym|chce|porozmawiać|rozmawiać|mogę|czy mogę|potrzebuję|proszę|z|ze|o|prawdziwym"
    "|prawdziwą"
    "|żywym|połącz mnie|proszę połączyć mnie|połączyć|kontakt|połączenie"
    "|я|хочу|хотел бы|хотела бы|можно|могу я|мне нужен|мне нужно|нужен|нужна|поговорить|говорить|пообщаться|связаться"
    "|соедините|соедините меня|соедини|переключите|переключите меня|позовите|позови|пожалуйста|с|со|на|живым|живой"
    "|живого"
    "|реальным|настоящим|вашим|переведите на|мне"
    "|хотів би|хотіла б|можна|чи можу|мені потрібен|потрібен|потрібна|поговорити|говорити|поспілкуватися|з|із|зі"
    "|з'єднайте|з'єднайте мене|покличте|будь ласка|живою|жива|живий|реальною|справжньою|мені|зв'язатися"
    "|istiyorum|lütfen|ile|bir|konuşmak|görüşmek|bağla|bağlayın|bağlar mısınız|beni|gerçek|konuşabilir miyim"
    "|görüşebilir miyim|ihtiyacım var|canlı|bağlanmak"
    "|أريد|اريد|أود|أن|التحدث|أتحدث|أتكلم|أكلم|مع|إلى|من فضلك|لو سمحت|هل يمكنني|ممكن|ابغى|عايز|حقيقي|حقيقية|بشري|في"
    "|تحويلي"
    "|मैं|मुझे|किसी|एक|से|को|बात|बात करनी है|बात करना चाहता हूँ|बात करना चाहती हूँ|बात करना है|बात करवा दो"
    "|बात कराइए|बात कराओ"
    "|चाहिए|कृपया"
    "|असली|क्या|क्या मैं|कर सकता हूँ|कर सकती हूँ|mujhe|kisi|se|baat karni hai|baat karna hai|baat|chahiye"
    "|saya|saya ingin|saya mau|mau|ingin|bicara|berbicara|ngobrol|bisa|bisakah saya|dengan|tolong|hubungkan"
    "|sambungkan"
    "|butuh|sama|asli|ke|hubungi"
    "|私|は|と|に|を|話したい|話したいです|話せますか|話がしたい|話がしたいです|つないで|つないでください|繋いで"
    "|繋いでください|お願いします"
    "|代わってください|お話ししたい|お話ししたいです|本物の|チャットしたい|呼んでください|相談したい|の方|が|いい"
    "|対応"
    "|이야기하고|대화하고|싶어요|싶습니다|싶어|통화하고|얘기하고|말하고|연결|연결해|연결해주세요|연결해줘|주세요"
    "|진짜|실제|바꿔주세요"
    "|부탁해요|부탁드립니다|상담하고|원해요|필요해요|불러주세요|좀|연결하고"
    "|我要|我想|我想要|请|和|跟|与|找|转|转接|说话|聊天|聊|谈|一下|能|吗|说|一个|一位|帮我|给我|我|需要|想|要|可以"
    "|能不能|叫|人"
    "|plz|pleaz|gimme|lemme|u|asap|w|chat|actually|proper|living|gotta|just|dont wanna talk to a bot"
    "|dont want to talk to a bot|i dont want to talk to a bot|i dont wanna talk to a bot|no bot|no bots"
    "|mit nem|mit ner|mit nen|quatschen|labern|sofort|keinen bot|nicht mit einem bot"
    "|xfa|porfa|pls|ya|ahora|no un bot|no con un bot|quiero hablar ya"
    "|jveux|jvoudrais|jpeux|je peux|a|pas un robot|pas un bot|maintenant|qqn|quelqu'un"
    "|pf|pfv|agora|nao com um robo|quero falar logo"
    "|x favore|perfavore|xfavore|subito|adesso|non un bot"
    "|ff|even|nu|geen bot|pogadać|pogadac|pilnie|teraz|nie z botem"
    "|плиз|плз|срочно|сейчас|не с ботом|дайте|терміново|зараз|lutfen|acil|hemen|şimdi|simdi"
    "|ngomong|omong|dong|sekarang|langsung|bukan bot|今すぐ|ボットじゃなく"
    "|jag vill|prata med|tala med|jeg vil|jeg vil gerne|tale med|snakke med|snakke|haluan|puhua|chci|mluvit|s|vreau"
    "|vreau să vorbesc cu|vorbesc cu|cu|o|szeretnék|beszélni|egy|θέλω|να μιλήσω|με|έναν"
)
"""Words of which a wish for a person is made; by themselves they say nothing."""

TOPICS = (
    "about|regarding|concerning|because|wegen|bezüglich|über|weil|sobre|acerca|porque|concernant|parce|riguardo"
    "|perché|over"
    "|omdat|o|w|насчет|про|о|об|по|потому|щодо|бо|بخصوص|بشأن|tentang|soal|mengenai|karena"
)
"""What begins the reason for a wish."""
