"""Looking for signs of risk in 100,000 characters of every kind, against folding the same text and finding its words.

The baseline is the least that any reading of a text costs: `unicodedata.normalize`, `casefold` and one `re.findall`.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter

from convend_tui.ending import risk
from tests.bench.table import Row, compare

LENGTH = 100_000
ROUNDS = 7
STARTS = 3

# Our own everyday sentences without any sign.
PROSE: Mapping[str, str] = {
    "en": "The ferry was late again, so we sat by the harbour and counted the boats coming in from the islands. My "
    "sister brought sandwiches. Could you check whether the second chapter still needs a summary? It rained all week.",
    "de": "Am Samstag fuhren wir mit dem Zug an den See und mieteten ein kleines Ruderboot. Das Wetter wechselte "
    "ständig, aber die Kinder hatten großen Spaß. Können Sie mir bitte erklären, wie man diese Tabelle sortiert?",
    "fr": "Le marché ouvre à sept heures et les étals débordent de légumes, de fromages et de fleurs. Ma voisine "
    "m'a prêté son vélo. Pourriez-vous relire ce paragraphe avant que je l'envoie à l'éditeur ? Il fait déjà nuit.",
    "es": "El tren llegó puntual y encontramos un café pequeño junto a la estación. Después paseamos por el jardín "
    "botánico. ¿Puedes explicarme cómo funciona esta fórmula? Mañana cocinaremos una sopa de verduras con garbanzos.",
    "it": "La biblioteca chiude alle sei, perciò ho preso in prestito due romanzi e una guida della città. Che cosa "
    "significa questa parola? Domenica abbiamo preparato gli gnocchi con la nonna, poi siamo andati al cinema.",
    "pt": "A reunião começou às nove e discutimos o orçamento do próximo trimestre. Você poderia corrigir a "
    "pontuação deste texto? No fim de semana fomos à praia, comemos pão de queijo e jogamos cartas até tarde.",
    "nl": "De fiets staat nog in de schuur, want het waaide gisteren te hard om te rijden. Kun je deze zin korter "
    "maken? We hebben soep gekookt, een oude film bekeken en de planten op het balkon water gegeven.",
    "pl": "W niedzielę poszliśmy do muzeum, żeby obejrzeć wystawę starych map i zegarów. Czy możesz sprawdzić, czy "
    "ta tabela jest poprawna? Później piliśmy gorącą herbatę, a dziadek opowiadał o swojej pierwszej pracy.",
    "ru": "Утром мы поехали на дачу, собрали яблоки и сварили варенье. Объясни, пожалуйста, как работает этот "
    "алгоритм сортировки. Вечером пошёл дождь, поэтому читали вслух рассказы и играли в шахматы на веранде.",
    "tr": "Sabah erkenden pazara gidip taze meyve, peynir ve zeytin aldık. Bu cümleyi daha kısa yazabilir misin? "
    "Öğleden sonra arkadaşlarımızla sahilde yürüdük, çay içtik ve yeni açılan müzeyi gezdik.",
    "ar": "ذهبنا في الصباح إلى السوق واشترينا الخبز والفواكه الطازجة. هل يمكنك أن تشرح لي هذه المعادلة؟ في المساء "
    "جلسنا في الحديقة مع الجيران وشربنا الشاي، ثم قرأت فصلاً من كتاب عن تاريخ المدينة القديمة.",
    "hi": "सुबह हम बाज़ार गए और ताज़ी सब्ज़ियाँ खरीदीं। क्या आप इस वाक्य को सरल भाषा में समझा सकते हैं? शाम को दादी ने कहानी सुनाई, "
    "फिर हमने चाय पी और बगीचे में पौधों को पानी दिया।",
    "ja": "朝早く駅まで歩いて、新しい図書館に行きました。この文章を短くまとめてください。昼には友達とラーメンを食べて、"
    "公園で写真を撮りました。夕方から雨が降ったので、家でゆっくり音楽を聴いています。",
    "zh": "早上我们坐地铁去了博物馆，看了一个关于古代地图的展览。请帮我检查这段代码的格式。中午在附近的小店吃面条，"
    "下午沿着河边散步，晚上回家整理照片，给奶奶打了电话。",
    "ko": "아침에 일찍 일어나 시장에서 과일과 빵을 샀습니다. 이 문장을 조금 더 짧게 다듬어 주세요. 오후에는 친구와 "
    "강가를 걷고 사진을 찍었으며, 저녁에는 된장찌개를 끓여 가족과 함께 먹었습니다.",
}
UNSPACED = ("ja", "zh")


def prose(language: str, length: int = LENGTH) -> str:
    """Sentences of the language in other orders, with every third word made up of two, for a rich vocabulary."""
    chance = random.Random(language)
    if language in UNSPACED:
        words, space = re.findall(r"\w{1,3}|[^\w\s]", PROSE[language]), ""
    else:
        words, space = PROSE[language].split(), " "
    made: list[str] = []
    size = 0
    while size < length:
        one, other = chance.choice(words), chance.choice(words)
        word = one[: len(one) // 2] + other[len(other) // 2 :] if space and chance.random() < 1 / 3 else one
        made.append(word)
        size += len(word) + len(space)
    return space.join(made)[:length]


def _repeated(text: str, length: int) -> str:
    return (text * (length // len(text) + 1))[:length]


def _characters(low: int, high: int) -> Callable[[int], str]:
    def make(length: int) -> str:
        chance = random.Random(low)
        return "".join(chr(c) for c in (chance.randrange(low, high) for _ in range(length)) if not 0xD800 <= c < 0xE000)

    return make


def _anchors(length: int) -> str:
    chance = random.Random(1)
    words = sorted({word for group in risk.load().groups for anchor in group.anchors for word in anchor.split()})
    return " ".join(chance.choices(words, k=length // 4))[:length]


def _log(length: int) -> str:
    chance = random.Random(2)
    line = "2026-11-22T12:07:{:02d}Z ERROR worker[{}]: process {} was killed by signal 9; its child died, id={:08x}\n"
    count = length // 90
    return "".join(line.format(i % 60, i, chance.randrange(99999), chance.getrandbits(32)) for i in range(count))


def _json(length: int) -> str:
    chance = random.Random(3)
    items = [{"id": i, "name": f"user{i}", "score": chance.random(), "tags": ["a1", None]} for i in range(length // 60)]
    return json.dumps(items, separators=(",", ":"))[:length]


def _numbers(length: int) -> str:
    chance = random.Random(4)
    return "\n".join(",".join(f"{chance.uniform(-999, 999):.4f}" for _ in range(9)) for _ in range(length // 80))


def _code(length: int) -> str:
    # A long module that is there with every Python.
    return _repeated(Path(str(subprocess.__file__)).read_text("utf-8"), length)


def _leet(length: int) -> str:
    chance, digits = random.Random(5), str.maketrans("aeios", "43105")
    return " ".join(w.translate(digits) if chance.random() < 0.5 else w for w in prose("en", length).split())


def _mixed(length: int) -> str:
    chance, alike = random.Random(6), str.maketrans("aeocp", "аеоср")
    return "".join(c.translate(alike) if chance.random() < 0.3 else c for c in prose("en", length))


def _starred(length: int) -> str:
    return " ".join(f"{w[0]}*{w[2:]}" if len(w) > 3 else w for w in prose("en", length).split())[:length]


KINDS: Mapping[str, Callable[[int], str]] = {
    **{f"prose, {language}": partial(prose, language) for language in PROSE},
    "code": _code,
    "a log": _log,
    "base64": lambda n: base64.b64encode(random.Random(7).randbytes(n)).decode()[:n],
    "base64 in lines": lambda n: base64.encodebytes(random.Random(7).randbytes(n)).decode()[:n],
    "minified JSON": _json,
    "CSV of numbers": _numbers,
    "one anchor, repeated": lambda n: _repeated("kill ", n),
    "`no one `, repeated": lambda n: _repeated("no one ", n),
    "near misses, repeated": lambda n: _repeated("i want i never i cant no point of my life ", n),
    "all anchors, shuffled": _anchors,
    "anchors of unspaced text": lambda n: _anchors(n).replace(" ", ""),
    "a sign every line": lambda n: _repeated("I want to die.\n", n),
    "l33t": _leet,
    "stars": _starred,
    "stars only": lambda n: _repeated("a*", n),
    "spaced letters": lambda n: " ".join(prose("en", n // 2).replace(" ", ""))[:n],
    "spaced words": lambda n: "  ".join(" ".join(w) for w in prose("en", n // 2).split())[:n],
    "mixed alphabets": _mixed,
    "split ideographs": lambda n: ".".join(prose("ja", n // 2)),
    "zero-width characters": lambda n: "\u200b".join(prose("en", n // 2)),
    "one word": lambda n: "".join(random.Random(8).choices(string.ascii_lowercase, k=n)),
    "one letter": lambda n: "a" * n,
    "line ends": lambda n: "\n" * n,
    "full stops": lambda n: _repeated("x. ", n),
    "any Unicode": _characters(32, 0x30000),
    "any ideographs": _characters(0x4E00, 0x9FFF),
    "any syllables": _characters(0xAC00, 0xD7A3),
    "emoji": _characters(0x1F300, 0x1F6FF),
    "accents only": lambda n: "\u0301" * n,
    "letters with accents": lambda n: _repeated("e\u0301a\u0308n ", n),
}


def baseline(text: str) -> int:
    """What any reading of a text costs."""
    return len(re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold()))


def measure() -> Iterator[Row]:
    """Every kind of text; how the time grows with ten times the text; and the first call of a process."""
    for name, make in KINDS.items():
        text = make(LENGTH)
        times = _in_turns(partial(baseline, text), partial(risk.find_signs, text), ROUNDS)
        size = f"{len(text) // 1000} K characters, {len(text.encode()) // 1000} KB"
        yield compare("signs", f"{name}: {size} / folding and finding words", *times, "ms")
    for name, make in KINDS.items():
        short, long = (partial(risk.find_signs, make(size)) for size in (LENGTH, 10 * LENGTH))
        yield compare("signs", f"{name}: 1 M / 100 K characters", *_in_turns(short, long, 1), "ms", 13)
    yield from _first()


def _in_turns(one: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds of each, after a call that compiles what is needed."""
    times: tuple[list[float], list[float]] = ([], [])
    one()
    other()
    for _ in range(rounds):
        for call, kept in zip((one, other), times, strict=True):
            begin = perf_counter()
            call()
            kept.append((perf_counter() - begin) * 1000)
    return times


def _first() -> Iterator[Row]:
    """The first call of a process, which imports, reads and compiles what it needs of the patterns."""
    code = (
        "import sys, time\n"
        "text = sys.stdin.read(); begin = time.perf_counter()\n"
        "import re, tomllib, unicodedata, importlib.resources; middle = time.perf_counter()\n"
        "from convend_tui.ending.risk import find_signs; find_signs(text)\n"
        "print((middle - begin) * 1000, (time.perf_counter() - begin) * 1000)"
    )
    for name, text in (("of a greeting", "Hello there!"), ("of all anchors", _anchors(LENGTH))):
        runs = [
            subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, encoding="utf-8", check=True)
            for _ in range(STARTS)
        ]
        base, value = zip(*(map(float, run.stdout.split()) for run in runs), strict=True)
        yield compare("signs", f"first call of a process, {name} / imports of the standard library", base, value, "ms")
