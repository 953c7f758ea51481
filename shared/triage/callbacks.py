"""More wishes for a person: somebody in charge, a call back, and help from a person. As in wishes.py."""

from __future__ import annotations

PERSONS = {
    "en": "boss|your boss|call me|call me back|callback|a callback|call back|phone me|ring me|ring me back"
    "|give me a call|can somebody call me|can somebody call me back|can someone call me|can someone call me back"
    "|can someone phone me|can somebody phone me|could someone call me|could somebody call me"
    "|could someone call me back|could somebody call me back|somebody call me|someone call me"
    "|somebody to call me|someone to call me"
    "|a call from somebody|a call from someone|team leader|complaints department|head of department",
    "de": "chef|chefin|vorgesetzten|vorgesetzter|vorgesetzte|geschäftsführer|geschäftsführung|geschäftsleitung"
    "|filialleiter|teamleiter|manager|leiter|mich zurückrufen|mich anrufen|mich jemand zurückrufen"
    "|mich jemand anrufen|kann mich jemand zurückrufen|kann mich jemand anrufen|können sie mich zurückrufen"
    "|können sie mich anrufen|könnten sie mich zurückrufen|könnten sie mich anrufen|könnt ihr mich zurückrufen"
    "|könnt ihr mich anrufen|kannst du mich zurückrufen|rufen sie mich an|rufen sie mich zurück"
    "|rufen sie mich bitte an|rufen sie mich bitte zurück|ruf mich an|ruf mich zurück|ruft mich an|ruft mich zurück"
    "|rückruf|um rückruf|um einen rückruf|zurückgerufen werden|jemand der mir hilft",
    "es": "jefe|jefa|gerente|supervisor|supervisora|director|llámame|llámeme|llámenme|me pueden llamar|me puede llamar"
    "|me puedes llamar|pueden llamarme|puede llamarme|alguien puede llamarme|alguien me puede llamar"
    "|puede alguien llamarme|me llamen|que me llamen|que alguien me llame|devuélvame la llamada"
    "|me devuelven la llamada",
    "fr": "chef|patron|directeur|directrice|supérieur|manager|gérant|rappelez moi|rappelle moi|appelez moi|me rappeler"
    "|pouvez vous me rappeler|pouvez vous m'appeler|quelqu'un peut il me rappeler|quelqu'un peut il m'appeler"
    "|quelqu'un peut me rappeler|quelqu'un peut m'appeler|est ce que quelqu'un peut me rappeler|être rappelé"
    "|être rappelée",
    "pt": "chefe|gerente|supervisor|supervisora|diretor|me liga|me ligue|me liguem|liguem para mim|podem me ligar"
    "|pode me ligar|podem me ligar de volta|pode me ligar de volta|alguém pode me ligar|alguém pode me ligar de volta"
    "|podem ligar me|que me liguem|retornar a ligação",
    "it": "capo|direttore|direttrice|titolare|superiore|manager|richiamatemi|mi richiami|richiamami|mi chiami"
    "|chiamatemi|potete richiamarmi|può richiamarmi|puoi richiamarmi|potete chiamarmi|può chiamarmi"
    "|qualcuno può richiamarmi|qualcuno può chiamarmi|essere richiamato|essere richiamata",
    "nl": "baas|chef|manager|leidinggevende|bel me|bel mij|bel me terug|bel mij terug|belt u mij|belt u mij terug"
    "|kan iemand mij terugbellen|kan iemand me terugbellen|kan iemand mij bellen|kan iemand me bellen"
    "|kunt u mij terugbellen|kunt u mij bellen|kun je me terugbellen|kunnen jullie me bellen"
    "|kunnen jullie mij terugbellen|teruggebeld worden",
    "pl": "kierownik|kierownikiem|kierownika|szef|szefem|szefa|przełożony|przełożonym|przełożonego|menedżer"
    "|menedżerem|managerem|dyrektorem|oddzwońcie|proszę oddzwonić|zadzwońcie do mnie|proszę do mnie zadzwonić"
    "|proszę o telefon|proszę o kontakt telefoniczny|czy ktoś może do mnie oddzwonić|czy ktoś może do mnie zadzwonić"
    "|czy ktoś może oddzwonić|ktoś może do mnie zadzwonić",
    "ru": "начальник|начальника|начальником|начальство|начальством|руководитель|руководителя|руководителем"
    "|руководством|директор|директора|директором|шефом|перезвоните|перезвоните мне|позвоните мне"
    "|может кто нибудь мне перезвонить|кто нибудь может мне перезвонить|может кто нибудь мне позвонить"
    "|можете мне перезвонить|можете перезвонить|можете мне позвонить|вы можете мне перезвонить",
    "uk": "начальник|начальника|начальником|керівник|керівника|керівником|керівництвом|директором|шефом|передзвоніть"
    "|передзвоніть мені|зателефонуйте мені|хтось може мені передзвонити|хтось може мені зателефонувати"
    "|можете мені передзвонити|можете передзвонити|чи можете мені передзвонити",
    "tr": "müdür|müdürle|müdürünüz|müdürünüzle|müdüre|patron|patronunuzla|yönetici|yöneticiyle|yöneticinizle"
    "|beni arayın|beni geri arayın|biri beni arayabilir mi|biri beni geri arayabilir mi|beni arayabilir misiniz"
    "|beni geri arayabilir misiniz|beni arar mısınız|temsilcinin yardımına",
    "ar": "مدير|المدير|مديرك|مديركم|المسؤول|مسؤول|المشرف|مشرف|اتصلوا بي|اتصل بي|هل يمكن لأحد أن يتصل بي"
    "|هل يمكنكم الاتصال بي|ممكن تتصلوا بي|ممكن أحد يتصل بي|مساعدة من موظف|معاودة الاتصال بي",
    "hi": "मैनेजर|मैनेजर से|अधिकारी|वरिष्ठ अधिकारी|मुझे कॉल करें|मुझे कॉल करो|मुझे फोन करें|मुझे वापस कॉल करें"
    "|क्या कोई मुझे कॉल कर सकता है|क्या आप मुझे कॉल कर सकते हैं|कर्मचारी की मदद|इंसान की मदद|manager",
    "id": "manajer|atasan|atasan anda|bos|supervisor|telepon saya|tolong telepon saya|hubungi saya"
    "|bisakah seseorang menelepon saya|bisa telepon saya|bisakah anda menelepon saya"
    "|ada yang bisa menelepon saya|tolong hubungi saya",
    "ja": "責任者|責任者の方|上司|店長|マネージャー|電話をください|電話ください|お電話ください|お電話をください"
    "|折り返し電話をください|折り返しお電話ください|折り返しお電話をください|電話してください"
    "|誰か電話してくれませんか|電話してもらえますか|電話をもらえますか|折り返し電話してください",
    "ko": "책임자|책임자와|책임자랑|책임자를|매니저|매니저와|매니저랑|매니저를|점장|점장님|상담원의|직원의"
    "|전화 주세요|전화해 주세요|전화해주세요|전화주세요|다시 전화해 주세요"
    "|누가 다시 전화해 주실 수 있나요|전화해 주실 수 있나요"
    "|다시 전화해 주실 수 있나요|누가 전화해 주실 수 있나요",
    "zh": "经理|你们经理|主管|你们主管|领导|老板|负责人|给我打电话|请给我打电话|给我回电话|给我回电|请给我回电话"
    "|可以给我打电话吗|可以给我回电话吗|能给我回电话吗|能给我打电话吗|打电话给我|请打电话给我",
}  # fmt: skip

WISHES = (
    "help from|help from a|help of|the help of|help of a|in charge|i demand|demand|i demand to|request|i request"
    "|i want a|for|back|today|tomorrow|and i want"
    "|gib mir|geben sie mir|gebt mir|hilfe von|hilfe|ihr|ihre|dein|deinen|deinem|euren|eurem|den|dem|verlange"
    "|ich verlange|brauche|ich bitte|holen sie|hol"
    "|dame|deme|denme|póngame con|ayuda de|su|tu|exijo|hable con"
    "|donnez moi|donne moi|votre|ton|l'aide|l'aide d'un|l'aide d'une|j'ai besoin de l'aide d'un"
    "|j'ai besoin de l'aide d'une|j'ai besoin de l'aide|d'un|exige|j'exige"
    "|me dá|me dê|dê me|me passe para|seu|ajuda de|exijo|o seu|a sua"
    "|dammi|mi dia|datemi|il|lo|la|il suo|il vostro|aiuto da|aiuto di|esigo|da|un"
    "|geef me|geef mij|geeft u mij|uw|je|hulp van|hulp nodig van|ik heb hulp nodig van|ik eis"
    "|daj mi|dajcie mi|proszę mi dać|pomocy|potrzebuję pomocy|żądam|waszym|pana|państwa"
    "|дайте|дайте мне|дай|дай мне|ваш|вашего|помощь|мне нужна помощь|нужна помощь|требую"
    "|дайте мені|дай мені|вашого|вашим|допомога|мені потрібна допомога|потрібна допомога|вимагаю"
    "|bana|bana bir|ver|verin|bağlasın|yardımına ihtiyacım var"
    "|أعطني|اعطني|أعطوني|التحدث إلى|أتحدث إلى|أحتاج|أحتاج إلى|احتاج|مساعدة|مساعدة من"
    "|दो|दीजिए|दे दो|की मदद|की मदद चाहिए|बुलाओ|बुलाइए|आपके"
    "|beri saya|berikan saya|kasih saya|bantuan dari|butuh bantuan dari|saya butuh bantuan dari"
    "|saya perlu bantuan dari|anda|panggilkan|kasih|beri"
    "|出して|出してください|出せ|に助けてほしい|助けてほしい|助けてほしいです|ください|呼んで|話をさせてください"
    "|바꿔 주세요|바꿔줘|도움이 필요해요|도움이 필요합니다|불러 주세요|해 주세요|통화하고 싶습니다"
    "|你们|你们的|帮助|来|叫你们|请叫|给我一个"
)
"""Words of which such a wish is made; by themselves they say nothing."""
