"""Exports with something wrong in them, made from good ones: what they say, their bytes, and the zip round them."""

from __future__ import annotations

import copy
import io
import json
import random
import re
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from tests.faults import mutating

FOLDER: Final = mutating.CORPUS / "imports"
PNG: Final = b"\x89PNG\r\n\x1a\n" + bytes(40)
ASSETS: Final = {"3f0c9a11-77aa-pic.png": PNG, "file_0000000012345678-cat.png": PNG, "note.txt": b"Words.\n"}
"""What the good exports name, and have only in a zip."""

IDS: Sequence[Any] = (
    *(
        "",
        " ",
        ".",
        "..",
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "CON",
        "x" * 300,
        "汉" * 300,
        "a\0b",
        "\n",
        "#0",
        "h1#2",
    ),
    *(
        "\ud800",
        "\u202ex",
        "\x1b]52;c;eA==\x07",
        "\u00e9",
        "e\u0301",
        "H1",
        "A1",
        "h1",
        "a1",
        "u1",
        "client-created-root",
    ),
    *("00000000-0000-4000-8000-000000000000", "00000000-0000-0000-0000-000000000000", "20261122T000000-00000000"),
    *("20261120T101112-0A1B2C3D", "20261120t101112-0a1b2c3d", "20261120T101112-0a1b2c3d", "٢٠٢٦1120T101112-0a1b2c3d"),
)
TIMES: Sequence[Any] = (
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2199-12-31T23:59:59.999Z", "now"),
    *("2026-02-30T00:00:00Z", "2026-11-22", "2026-W01-1", "20261122T000000", "2026-11-22T00:00:00+23:59", "\u0661970"),
    *(1e300, -1e300, 0, -1, -62135596800, 253402300800, 4102444799.9999, 1e18, 1756000000, 1756000000123, True),
)
UNKNOWN: Final = "request.json"
"""Of the corpus: what cannot be imported. A body of a request holds no conversation's name, ids or times."""
_RAW: Final = {
    "@nan@": "NaN",
    "@endless@": "-Infinity",
    "@huge@": "1e999",
    "@long@": "9" * 5000,
    "@digits@": "-" + "9" * 4000,
    "@deep@": "[" * 100_000 + "]" * 100_000,
    "@deeper@": '{"a":' * 3_000 + "1" + "}" * 3_000,
    "@nested@": "[" * 220 + "]" * 220,
    "@torn@": "[" * 70_000,
    "@half@": r'"\ud83d"',
    "@pair@": r'"\ude00\ud83d"',
    "@bad@": r'"\u00"',
}
"""What no value of Python's stands for: it is put in its place when the file is written."""
_STRANGE: Sequence[Any] = (*mutating.VALUES, *IDS, *TIMES, *_RAW, *_RAW, "x" * 70_000)
_ID_NAMES: Final = re.compile(r"u?u?id$|parent|children|current|leaf|node|message", re.IGNORECASE)
_FILES: Final = (
    "conversations.json",
    "conversations.json",
    "conversations-000.json",
    "a.jsonl",
    "a.ndjson",
    "x",
    "é.json",
)
_LINES: Final = (".jsonl",)


@dataclass(frozen=True, slots=True)
class Export:
    """A file to import."""

    name: str
    data: bytes


@cache
def good() -> tuple[Export, ...]:
    """The exports of the corpus."""
    return tuple(Export(file.name, file.read_bytes()) for file in sorted(FOLDER.glob("*.json*")))


def whole() -> Export:
    """All good exports in a zip, with the files that they name."""
    files = [*good(), *(Export(name, data) for name, data in ASSETS.items())]
    return Export("all.zip", _zip(files, random.Random(1)))


def mutated(chance: random.Random) -> Export:
    """A good export with something wrong in it."""
    if chance.random() < 0.25:
        return _mutated_zip(chance)
    export = _mutated_file(chance)
    return export if chance.random() < 0.8 else Export(chance.choice(_FILES), export.data)


def _mutated_file(chance: random.Random) -> Export:
    export = chance.choices(good(), [1 if export.name == UNKNOWN else 8 for export in good()])[0]
    kind = chance.random()
    if export.name == "convend.jsonl" and kind < 0.5:
        data = export.data
        for _ in range(chance.choice((1, 1, 2, 4))):
            data = mutating.changed(data, chance)
        return Export(export.name, data)
    data = _restructured(export, chance) if kind < 0.9 else export.data
    if kind >= 0.75:
        for _ in range(chance.choice((1, 1, 2))):
            data = chance.choice(_BYTE_CHANGES)(data, chance)
    return Export(export.name, data)


# -- what stands in it ------------------------------------------------------------------------------------


def _restructured(export: Export, chance: random.Random) -> bytes:
    in_lines = export.name.endswith(_LINES)
    value = [json.loads(line) for line in export.data.splitlines()] if in_lines else json.loads(export.data)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        holders = list(_holders(value))
        if not holders:
            break
        chance.choices(_CHANGES, _WEIGHTS)[0](holders, chance)
    if chance.random() < 0.04:
        value = chance.choice(({"conversations": value}, [value], {"a": value}, {"conversations": value, "convend": 1}))
    ascii_only = chance.random() < 0.5
    if in_lines and isinstance(value, list):
        text = "\n".join(json.dumps(line, ensure_ascii=ascii_only) for line in value) + "\n"
    else:
        text = json.dumps(value, ensure_ascii=ascii_only, indent=chance.choice((None, None, 1)))
    for name, raw in _RAW.items():
        if name in text:
            text = text.replace(json.dumps(name), raw, 2)
    if chance.random() < 0.05:
        text = _doubled_key(text, chance)
    return text.encode("utf-8", "surrogatepass")


_Holder = tuple[Any, Any]
"""A list or an object, and a place in it."""


def _holders(value: Any) -> Iterator[_Holder]:
    todo = [value]
    while todo:
        item = todo.pop()
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for key, inner in pairs:
            yield item, key
            todo.append(inner)


def _strange(chance: random.Random) -> Any:
    # A copy: a list that is changed later must not come to stand in itself, nor in the next export.
    return copy.deepcopy(chance.choice(_STRANGE))


def _replace(holders: Sequence[_Holder], chance: random.Random) -> None:
    holder, key = chance.choice(holders)
    holder[key] = _strange(chance)


def _drop(holders: Sequence[_Holder], chance: random.Random) -> None:
    holder, key = chance.choice(holders)
    del holder[key]


def _move(holders: Sequence[_Holder], chance: random.Random) -> None:
    """What stands in one place comes to stand in another as well: also a whole branch within itself."""
    (holder, key), (other, there) = chance.choice(holders), chance.choice(holders)
    holder[key] = json.loads(json.dumps(other[there]))


def _repeat(holders: Sequence[_Holder], chance: random.Random) -> None:
    """An element stands there again: the same message, or the same conversation."""
    lists = [(holder, key) for holder, key in holders if isinstance(holder, list)]
    if lists:
        holder, key = chance.choice(lists)
        again = json.loads(json.dumps(holder[key]))
        if isinstance(again, dict) and again and chance.random() < 0.6:
            again[chance.choice(list(again))] = _strange(chance)
        holder.insert(chance.randrange(len(holder) + 1), again)


def _relink(holders: Sequence[_Holder], chance: random.Random) -> None:
    """Something gets the id of something else, or a strange one."""
    named = [pair for pair in holders if isinstance(pair[1], str) and _ID_NAMES.search(pair[1])]
    ids = [holder[key] for holder, key in named if isinstance(holder[key], str)]
    for holder, key in chance.choices(named, k=chance.choice((1, 1, 2, 6))) if named else ():
        holder[key] = chance.choice(ids) if ids and chance.random() < 0.7 else chance.choice(IDS)


def _rename(holders: Sequence[_Holder], chance: random.Random) -> None:
    """A name in an object becomes another one: of another field, of other case, or a strange one."""
    names = [(holder, key) for holder, key in holders if isinstance(holder, dict)]
    if names:
        holder, key = chance.choice(names)
        other = chance.choice((key.upper(), chance.choice(names)[1], chance.choice(names)[1], chance.choice(IDS)))
        holder[other] = holder.pop(key)


def _retime(holders: Sequence[_Holder], chance: random.Random) -> None:
    times = [pair for pair in holders if isinstance(pair[1], str) and re.search("time|_at|^at$", pair[1])]
    for holder, key in chance.choices(times, k=chance.choice((1, 3, 20))) if times else ():
        holder[key] = chance.choice(TIMES)


def _doubled_key(text: str, chance: random.Random) -> str:
    places = [found.start() for found in re.finditer(r"\{(?=\s*\")", text)]
    if not places:
        return text
    place = chance.choice(places) + 1
    name = chance.choice(("type", "uuid", "id", "content", "parent", "chat_messages", "mapping", "message", "convend"))
    return f'{text[:place]}"{name}":{chance.choice(("null", "[]", "5", "{}"))},{text[place:]}'


_CHANGES: Sequence[Callable[[Sequence[_Holder], random.Random], None]] = (
    *(_replace, _drop, _move, _repeat, _relink, _rename, _retime),
)
_WEIGHTS: Final = (8, 2, 2, 2, 4, 1.5, 1.5)


# -- its bytes --------------------------------------------------------------------------------------------


def _truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _marked(data: bytes, _: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def _zeros(data: bytes, chance: random.Random) -> bytes:
    place, many = chance.randrange(len(data) + 1), chance.choice((1, 30, 5000))
    return data[:place] + bytes(many) + data[place + chance.choice((0, many)) :]


def _wide(data: bytes, chance: random.Random) -> bytes:
    coding = chance.choice(("utf-16", "utf-16-le", "utf-32", "utf-7", "latin-1", "cp1252"))
    return data.decode("utf-8", "replace").encode(coding, "replace")


def _twice(data: bytes, chance: random.Random) -> bytes:
    return data + chance.choice((b"", b"\n", b",", b" ")) + chance.choice(good()).data


_ByteChange = Callable[[bytes, random.Random], bytes]
_BYTE_CHANGES: Sequence[_ByteChange] = (
    *(mutating.changed, mutating.changed, mutating.changed, mutating.changed),
    *(_truncated, _truncated, _marked, _zeros, _wide, _twice),
)


# -- the zip round it -------------------------------------------------------------------------------------


def _mutated_zip(chance: random.Random) -> Export:
    files = [_mutated_file(chance) if chance.random() < 0.5 else chance.choice(good())]
    files += chance.sample(good(), chance.randrange(3))
    files += [Export(name, data) for name, data in ASSETS.items() if chance.random() < 0.7]
    data = _zip(files, chance, odd=chance.random() < 0.4)
    match chance.randrange(6):
        case 0:
            data = _truncated(data, chance)
        case 1:
            data = chance.choice((_zeros, _flipped))(data, chance)
        case 2 | 3:
            for _ in range(chance.choice((1, 1, 2, 3))):
                data = _field(data, chance)
        case 4 if chance.random() < 0.3:
            data = _far_directory(data, chance)
    return Export(chance.choice(("export.zip", "export.zip", "conversations.json", "x")), data)


def _zip(files: Sequence[Export], chance: random.Random, *, odd: bool = False) -> bytes:
    held = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(held, "w") as archive:
        warnings.simplefilter("ignore")  # two members of one name are meant
        for file in files:
            name = file.name if not odd or chance.random() < 0.5 else chance.choice(_NAMES)
            info = zipfile.ZipInfo(name)
            info.compress_type = chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            info.external_attr = (stat.S_IFREG | 0o600) << 16
            if odd and chance.random() < 0.1:
                info.external_attr = chance.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR)) << 16
            archive.writestr(info, file.data)
        if odd and chance.random() < 0.1:
            bomb = zipfile.ZipInfo(chance.choice(("bomb.json", "conversations.json", "3f0c9a11-77aa.png")))
            bomb.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(bomb, chance.choice((b" ", b"[", b'{"a":1}\n')) * 2_000_000)
        if odd and chance.random() < 0.2:
            archive.writestr("inner.zip", held.getvalue())
    return held.getvalue()


_NAMES: Sequence[str] = (
    *(
        "conversations.json",
        "Conversations.json",
        "CONVERSATIONS.JSON",
        "a/conversations.json",
        "é.json",
        "e\u0301.json",
    ),
    *(
        "../conversations.json",
        "a/../../x.json",
        "/etc/x.json",
        "C:\\x.json",
        "C:x.json",
        "..\\x.json",
        "a\\..\\x.json",
    ),
    *(
        "a//b.json",
        "./x.json",
        "a\0b.json",
        "x" * 300 + ".json",
        "a\nb.json",
        "\x1b[2J.json",
        "\u202ex.json",
        ".json",
        " ",
    ),
    *("folder/", "a.zip", "user.json", "memories.json", "con.json", "projects/x.json", "note.txt"),
)


def _flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 3, 40))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


_RECORDS: Final = {b"PK\x01\x02": 46, b"PK\x03\x04": 30, b"PK\x05\x06": 22}
"""The fixed part of a zip's records by what they begin with: in the list of files, before each file, and at the end."""
_BORDERS: Final = (0, 1, 2, 8, 9, 12, 14, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)


def _field(data: bytes, chance: random.Random) -> bytes:
    """A number in a record of the zip becomes another one: sizes, offsets, flags, the kind of packing, checksums."""
    mark = chance.choice(tuple(_RECORDS))
    places = [found.start() for found in re.finditer(re.escape(mark), data)]
    if not places:
        return data
    place = chance.choice(places) + chance.randrange(4, _RECORDS[mark] - 1)
    number = chance.choice(_BORDERS) if chance.random() < 0.7 else chance.getrandbits(32)
    new = struct.pack("<L", number)[: chance.choice((1, 2, 4))]
    return data[:place] + new + data[place + len(new) :]


def _far_directory(data: bytes, chance: random.Random) -> bytes:
    """The end of the zip points to a list of files as large zips have it, which lies anywhere."""
    end = data.rfind(b"PK\x05\x06")
    if end < 0:
        return data
    numbers = [chance.choice((0, 1, end, len(data), 2**31, 2**32, 2**63, 2**64 - 1)) for _ in range(6)]
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", numbers[0], 45, 45, 0, 0, *numbers[1:5])
    where = chance.choice((end, end, numbers[5]))
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, where, 1)
    tail = data[end : end + 12] + b"\xff" * 8 + data[end + 20 :]
    return data[:end] + large + locator + tail
