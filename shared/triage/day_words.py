"""A day and a time of day in words, as a sentence takes them up: "on Monday at 9:00"."""

from __future__ import annotations

from datetime import datetime

_DAYS: dict[str, tuple[str, str]] = {
    "en": (
        "today|tomorrow|on Monday|on Tuesday|on Wednesday|on Thursday|on Friday|on Saturday|on Sunday",
        "{day} at {time}",
    ),
    "de": (
        "heute|morgen|am Montag|am Dienstag|am Mittwoch|am Donnerstag|am Freitag|am Samstag|am Sonntag",
        "{day} um {time} Uhr",
    ),
    "es": (
        "hoy|mañana|el lunes|el martes|el miércoles|el jueves|el viernes|el sábado|el domingo",
        "{day} a las {time}",
    ),
    "fr": (
        "aujourd'hui|demain|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche",
        "{day} à {time}",
    ),
    "pt": (
        "hoje|amanhã|na segunda-feira|na terça-feira|na quarta-feira|na quinta-feira|na sexta-feira"
        "|no sábado|no domingo",
        "{day} às {time}",
    ),
    "it": (
        "oggi|domani|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica",
        "{day} alle {time}",
    ),
    "nl": (
        "vandaag|morgen|maandag|dinsdag|woensdag|donderdag|vrijdag|zaterdag|zondag",
        "{day} om {time}",
    ),
    "pl": (
        "dzisiaj|jutro|w poniedziałek|we wtorek|w środę|w czwartek|w piątek|w sobotę|w niedzielę",
        "{day} o {time}",
    ),
    "ru": (
        "сегодня|завтра|в понедельник|во вторник|в среду|в четверг|в пятницу|в субботу|в воскресенье",
        "{day} в {time}",
    ),
    "uk": (
        "сьогодні|завтра|у понеділок|у вівторок|у середу|у четвер|у п'ятницю|у суботу|у неділю",
        "{day} о {time}",
    ),
    "tr": (
        "bugün|yarın|pazartesi günü|salı günü|çarşamba günü|perşembe günü|cuma günü|cumartesi günü|pazar günü",
        "{day} saat {time} itibarıyla",
    ),
    "ar": (
        "اليوم|غدا|يوم الاثنين|يوم الثلاثاء|يوم الأربعاء|يوم الخميس|يوم الجمعة|يوم السبت|يوم الأحد",
        "{day} في الساعة {time}",
    ),
    "hi": (
        "आज|कल|सोमवार को|मंगलवार को|बुधवार को|गुरुवार को|शुक्रवार को|शनिवार को|रविवार को",
        "{day} {time} बजे",
    ),
    "id": (
        "hari ini|besok|hari Senin|hari Selasa|hari Rabu|hari Kamis|hari Jumat|hari Sabtu|hari Minggu",
        "{day} pukul {time}",
    ),
    "ja": (
        "本日|明日|月曜日|火曜日|水曜日|木曜日|金曜日|土曜日|日曜日",
        "{day}{time}以降",
    ),
    "ko": (
        "오늘|내일|월요일|화요일|수요일|목요일|금요일|토요일|일요일",
        "{day} {time} 이후",
    ),
    "zh": (
        "今天|明天|星期一|星期二|星期三|星期四|星期五|星期六|星期日",
        "{day}{time}",
    ),
}
"""By language: today, tomorrow, Monday to Sunday; how a day and a time go together."""

_NEXT_WEEK = {
    "en": "{day} next week", "de": "{day} nächster Woche", "es": "{day} de la semana que viene",
    "fr": "{day} de la semaine prochaine", "pt": "{day} da próxima semana", "it": "{day} della prossima settimana",
    "nl": "{day} volgende week", "pl": "{day} w przyszłym tygodniu", "ru": "{day} на следующей неделе",
    "uk": "{day} наступного тижня", "tr": "gelecek hafta {day}", "ar": "{day} من الأسبوع القادم",
    "hi": "अगले सप्ताह {day}", "id": "{day} minggu depan", "ja": "来週の{day}", "ko": "다음 주 {day}", "zh": "下周{day}",
}  # fmt: skip
"""Of a day that has the name of today."""
_WEEK = 7


def spoken(at: datetime, now: datetime, language: str) -> str:
    """When that is, seen from now. Both in the same time zone; at is a week ahead at most. language:
    as ISO 639-1, English where there are no words in it."""
    days, together = _DAYS.get(language, _DAYS["en"])
    ahead = (at.date() - now.date()).days
    day = days.split("|")[ahead if ahead < 2 else 2 + at.weekday()]
    if ahead >= _WEEK:
        day = _NEXT_WEEK.get(language, _NEXT_WEEK["en"]).format(day=day)
    return together.format(day=day, time=f"{at.hour}:{at.minute:02}")
