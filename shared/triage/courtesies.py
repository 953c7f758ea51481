"""Courtesies of languages in which there are no texts yet: they are known as such, and answered in another language."""

from __future__ import annotations

GREETINGS = {
    "sv": "hej|hejsan|hej hej|tjena|tja|hallå|god morgon|god kväll|god dag|goddag|hej där|hur mår du|hej igen"
    "|god eftermiddag",
    "da": "hej|hejsa|halløj|godmorgen|god morgen|godaften|god aften|goddag|god dag|hej med dig|hvordan går det|dav"
    "|hej igen",
    "no": "hei|heisann|hallo|god morgen|god kveld|god dag|goddag|hei der|hvordan går det|hei igjen|morn|heia",
    "fi": "hei|moi|terve|moikka|hyvää huomenta|hyvää iltaa|hyvää päivää|huomenta|päivää|iltaa|heippa|mitä kuuluu|moro",
    "cs": "ahoj|dobrý den|dobré ráno|dobrý večer|dobré odpoledne|čau|nazdar|zdravím|jak se máte|jak se máš|hezký den",
    "sk": "ahoj|dobrý deň|dobré ráno|dobrý večer|čau|čaute|zdravím|ahojte|servus|ako sa máte|ako sa máš",
    "ro": "bună|bună ziua|bună dimineața|bună seara|salut|salutare|buna ziua|ce mai faci|ce faci|noroc|alo",
    "hu": "szia|sziasztok|szervusz|jó napot|jó reggelt|jó estét|jó napot kívánok|üdvözlöm|üdv|hogy vagy|hogy van|hali",
    "el": "γεια|γεια σας|γεια σου|καλημέρα|καλησπέρα|χαίρετε|καλημέρα σας|καλησπέρα σας|τι κάνετε|τι κάνεις",
    "he": "שלום|היי|הי|בוקר טוב|ערב טוב|צהריים טובים|אהלן|מה שלומך|מה נשמע|הלו",
    "th": "สวัสดี|สวัสดีครับ|สวัสดีค่ะ|สวัสดีคะ|หวัดดี|หวัดดีครับ|หวัดดีค่ะ|ดีครับ|ดีค่ะ|ฮัลโหล",
    "vi": "xin chào|chào|chào bạn|chào anh|chào chị|chào em|chào shop|chào ad|alo|a lô|chào buổi sáng|chào buổi tối"
    "|hello shop"
    "|xin chào shop|dạ chào",
    "bg": "здравей|здравейте|здрасти|добър ден|добро утро|добър вечер|привет|как сте|как си",
    "sr": "zdravo|ćao|dobar dan|dobro jutro|dobro veče|dobra večer|bok|pozdrav|здраво|ћао|добар дан|добро јутро"
    "|добро вече|kako ste"
    "|dobro večer|poštovani",
    "fa": "سلام|درود|سلام وقت بخیر|وقت بخیر|صبح بخیر|عصر بخیر|شب بخیر|روز بخیر|سلام خوبی|خوبی|حال شما چطور است"
    "|سلام علیکم",
}

THANKS = {
    "sv": "tack|tack så mycket|tusen tack|tackar|stort tack|tack för hjälpen|tack för svaret|tack snälla"
    "|tack ska du ha",
    "da": "tak|mange tak|tusind tak|tak for hjælpen|tak skal du have|tak for svaret|tak for det",
    "no": "takk|tusen takk|mange takk|takk for hjelpen|takk skal du ha|takk for svaret|takk så mye",
    "fi": "kiitos|kiitti|kiitoksia|paljon kiitoksia|kiitos paljon|kiitos avusta|suuret kiitokset|kiitos vastauksesta",
    "cs": "děkuji|děkuju|díky|dík|mockrát děkuji|moc děkuji|děkuji moc|děkuji vám|díky moc|děkuji za pomoc|děkujeme",
    "sk": "ďakujem|vďaka|ďakujem pekne|veľmi pekne ďakujem|ďakujem veľmi pekne|ďakujem vám|ďakujem za pomoc|diky",
    "ro": "mulțumesc|mulţumesc|multumesc|mersi|mulțumesc mult|multumesc mult|mulțumesc frumos|vă mulțumesc"
    "|va multumesc"
    "|mulțumesc pentru ajutor|mersi mult|mersi frumos",
    "hu": "köszönöm|köszi|kösz|köszönöm szépen|nagyon köszönöm|köszönjük|köszi szépen|köszönöm a segítséget|kössz",
    "el": "ευχαριστώ|ευχαριστώ πολύ|σας ευχαριστώ|σε ευχαριστώ|ευχαριστούμε|ευχαριστώ για τη βοήθεια"
    "|σας ευχαριστώ πολύ",
    "he": "תודה|תודה רבה|המון תודה|תודה לך|תודה על העזרה|תודה רבה לך",
    "th": "ขอบคุณ|ขอบคุณครับ|ขอบคุณค่ะ|ขอบคุณมาก|ขอบคุณมากครับ|ขอบคุณมากค่ะ|ขอบใจ|ขอบคุณคะ|ขอบคุณมากๆ",
    "vi": "cảm ơn|cám ơn|cảm ơn bạn|cảm ơn nhiều|cảm ơn rất nhiều|cám ơn bạn|cám ơn nhiều|cảm ơn shop|xin cảm ơn"
    "|cảm ơn ạ"
    "|cảm ơn anh|cảm ơn chị|cảm ơn bạn nhiều",
    "bg": "благодаря|благодаря ви|много благодаря|благодаря много|мерси|благодаря за помощта|благодаря ти|мерси много",
    "sr": "hvala|hvala vam|hvala puno|puno hvala|hvala lepo|hvala lijepa|hvala lijepo|mnogo hvala|hvala na pomoći"
    "|najlepše hvala"
    "|хвала|хвала вам|хвала пуно|хвала лепо|hvala ti",
    "fa": "ممنون|متشکرم|مرسی|سپاس|سپاسگزارم|خیلی ممنون|خیلی متشکرم|ممنونم|دستت درد نکنه|تشکر|با تشکر|ممنون از شما"
    "|مرسی ممنون",
}

GOODBYES = {
    "sv": "hej då|hejdå|adjö|vi ses|ha det bra|god natt|ha en bra dag|ha en trevlig dag|hörs|vi hörs|ha en fin dag",
    "da": "farvel|hej hej|vi ses|hav en god dag|god nat|godnat|ha det godt|god weekend|fortsat god dag|vi tales ved",
    "no": "ha det|ha det bra|farvel|adjø|vi sees|ha en fin dag|god natt|ha en god dag|vi snakkes|god helg",
    "fi": "näkemiin|hei hei|moi moi|heippa|nähdään|hyvää yötä|hyvää päivänjatkoa|hyvää viikonloppua|moikka",
    "cs": "na shledanou|nashledanou|ahoj|čau|dobrou noc|hezký den|měj se|mějte se|pěkný den|nashle|sbohem|hezký víkend",
    "sk": "dovidenia|do videnia|ahoj|čau|dobrú noc|pekný deň|majte sa|maj sa|zbohom|pekný víkend",
    "ro": "la revedere|pa|pe curând|o zi bună|o zi frumoasă|noapte bună|o seară bună|numai bine|ne vedem|pa pa",
    "hu": "viszlát|viszontlátásra|szia|sziasztok|jó éjszakát|szép napot|szép napot kívánok|további szép napot"
    "|minden jót",
    "el": "αντίο|γεια σας|τα λέμε|καλή συνέχεια|καληνύχτα|καλό βράδυ|καλή σας μέρα|στο καλό|καλή μέρα",
    "he": "להתראות|ביי|לילה טוב|יום טוב|יום נעים|שבוע טוב|סוף שבוע נעים|ביי ביי",
    "th": "ลาก่อน|บาย|บ๊ายบาย|แล้วเจอกัน|ราตรีสวัสดิ์|ฝันดี|ลาก่อนครับ|ลาก่อนค่ะ",
    "vi": "tạm biệt|hẹn gặp lại|chúc ngủ ngon|chào tạm biệt|chúc một ngày tốt lành|bái bai|tạm biệt bạn",
    "bg": "довиждане|чао|лека нощ|приятен ден|хубав ден|до скоро|лек ден|приятна вечер|всичко хубаво",
    "sr": "doviđenja|do viđenja|vidimo se|prijatno|laku noć|prijatan dan|ugodan dan|lep pozdrav|lijep pozdrav|bok|ćao"
    "|довиђења|видимо се|лаку ноћ|srdačan pozdrav|lep dan|adio",
    "fa": "خداحافظ|خدانگهدار|فعلا|شب بخیر|روز خوش|به امید دیدار|بدرود|خدا حافظ|بای",
}
