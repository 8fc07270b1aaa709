"""Exports read as streams: in any pieces what json.loads reads, and nothing from what is broken or made to harm."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convend_tui.errors import ExchangeError
from convend_tui.exchange import archive, reading
from convend_tui.exchange.archive import Source

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
OBJECT = st.dictionaries(st.text(max_size=8).filter(lambda key: key != "conversations"), JSON, max_size=4)


def in_pieces(data: bytes, cuts: list[int]) -> Callable[[int], bytes]:
    """A stream that gives `data` in pieces of the sizes named, then as much as is asked for."""
    stream = io.BytesIO(data)
    sizes = iter(cuts)
    return lambda size: stream.read(min(size, next(sizes, size)))


def values_of(data: bytes, chunk: int = reading.CHUNK, cuts: list[int] | None = None) -> list[Any]:
    return list(reading.values(in_pieces(data, cuts or []), "export.json", chunk))


def whole(value: Any) -> Any:
    """What a value becomes that holds halves of surrogate pairs: each is U+FFFD."""
    return json.loads(
        json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


@settings(deadline=None)
@given(
    st.lists(JSON, max_size=5),
    st.booleans(),
    st.sampled_from([None, 0, 3]),
    st.integers(1, 40),
    st.lists(st.integers(1, 9), max_size=30),
    st.booleans(),
)
def test_an_array_in_any_pieces_gives_what_json_loads_gives(
    value: list[Any], ascii_only: bool, indent: int | None, chunk: int, cuts: list[int], marked: bool
) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    expected = json.loads(data)
    assert values_of(b"\xef\xbb\xbf" * marked + data, chunk, cuts) == whole(expected)


@settings(deadline=None)
@given(OBJECT, st.lists(OBJECT, max_size=4), OBJECT, st.integers(1, 40))
def test_an_object_is_one_value_and_its_conversations_are_its_values(
    before: dict[str, Any], conversations: list[Any], after: dict[str, Any], chunk: int
) -> None:
    alone = {**before, **after}
    assert values_of(json.dumps(alone).encode(), chunk) == [whole(alone)]
    export = {**before, "conversations": conversations, **{f"{key}+": value for key, value in after.items()}}
    assert values_of(json.dumps(export).encode(), chunk) == whole(conversations)


@settings(deadline=None)
@given(st.lists(OBJECT, min_size=1, max_size=5), st.integers(1, 40), st.sampled_from(["\n", "\r\n", "\n\n"]))
def test_lines_of_json_are_values(objects: list[Any], chunk: int, end: str) -> None:
    data = end.join(json.dumps(one) for one in objects).encode()
    assert values_of(data, chunk) == whole(objects)
    found = [reading.loads(line, "x") for _, line in reading.lines(io.BytesIO(data).read, "x")]
    assert found == whole(objects)


SMALL = json.dumps(
    [
        {"uuid": "a", "name": "é \U0001f98a \\u00e9", "chat_messages": [{"n": -1.5e3, "t": [True, None, 'x\\y"z']}]},
        {"b": 12},
    ],
    ensure_ascii=False,
).encode()


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_every_prefix_of_a_file_is_an_error_or_all_there_is(chunk: int) -> None:
    for cut in range(len(SMALL)):
        with pytest.raises(reading.Broken):
            values_of(SMALL[:cut], chunk)
    assert values_of(SMALL, chunk) == json.loads(SMALL)


@settings(deadline=None)
@given(st.integers(0, len(SMALL) - 1), st.binary(min_size=1, max_size=3), st.integers(1, 50))
def test_damage_is_found_as_json_loads_finds_it(place: int, damage: bytes, chunk: int) -> None:
    data = SMALL[:place] + damage + SMALL[place + 1 :]
    try:
        expected = json.loads(data)
    except ValueError:
        # Values behind one another are taken, which json.loads does not do; nothing else is.
        with suppress(reading.Broken):
            assert len(values_of(data, chunk)) > len(json.loads(SMALL))
    else:
        assert values_of(data, chunk) == whole(expected if isinstance(expected, list) else [expected])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'[{"a": "\xff"}]', "is not UTF-8"),
        (b'[{"a": "\xc3', "is not UTF-8"),
        (b'[{"a": 1}', "it ends in the middle"),
        (b'[{"a": 1}, ', "it ends in the middle"),
        (b'[{"a": tru}]', "expecting value (character 8)"),
        (b"[1 2]", ", or ] is expected (character 4)"),
        (b"{1: 2}", "a name in quotation marks is expected"),
        (b'{"a" 2}', ": is expected"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[{"a":' * 5_000, "nested too deeply"),
        (b"[" + b"9" * 5_000 + b"]", "a number that is too long"),
    ],
)
def test_what_is_broken_is_said_in_a_sentence(data: bytes, why: str) -> None:
    with pytest.raises(reading.Broken, match=r"export\.json") as error:
        values_of(data)
    assert why in str(error.value)
    assert str(error.value).endswith(".")


def test_a_broken_value_is_found_without_reading_the_rest() -> None:
    asked = 0

    def read(size: int) -> bytes:
        nonlocal asked
        asked += 1
        return b'[{"a": oops}, ' if asked == 1 else b" " * size

    with pytest.raises(reading.Broken):
        list(reading.values(read, "export.json"))
    assert asked <= 3


@pytest.mark.parametrize("part", ["[],", '{"a":1},', "1,"])
def test_a_value_of_very_many_parts_is_not_read(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(reading, "LARGE", 10_000)
    monkeypatch.setattr(reading, "MOST_PARTS", 5_000)
    data = f'{{"a":[{part * 9000}1]}}'.encode()
    with pytest.raises(reading.Broken, match="too many parts"):
        values_of(data, 1000)
    with pytest.raises(reading.Broken, match="too many parts"):
        reading.loads(data, "x")
    words = b'["' + b"a, " * 3000 + b'"]'
    assert len(values_of(words, 1000)) == 1


def test_a_conversation_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LARGEST", 1 << 16)
    given_out = 0

    def read(size: int) -> bytes:
        nonlocal given_out
        given_out += size
        return b'["' + b"a" * (size - 2) if given_out == size else b"a" * size

    with pytest.raises(reading.Broken, match="too large"):
        list(reading.values(read, "export.json", 1 << 12))
    assert given_out < 1 << 18
    with pytest.raises(reading.Broken, match="line 1 is too long"):
        list(reading.lines(lambda size: b"a" * (1 << 12), "export.jsonl"))


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (b'{"a": 1}\n{"b": 2}\n', "x.json", True),
        (b'\xef\xbb\xbf{"a": 1}\n{"b": 2}\n', "x", True),
        (b'{"a": 1}\n', "x.jsonl", True),
        (b'{"a": 1}', "x.jsonl", True),
        (b'{"a": 1}\n', "x.json", False),
        (b'{\n"a": 1}\n', "x.jsonl", False),
        (b'[{"a": 1},\n{"b": 2}]\n', "x.jsonl", False),
        (b"", "x.jsonl", False),
    ],
)
def test_lines_are_told_from_one_value(head: bytes, name: str, expected: bool) -> None:
    assert reading.is_lines(head, name) is expected


def test_what_was_looked_at_is_read_again() -> None:
    stream = reading.Pushback(io.BytesIO(b"abcdefghij").read, 4)
    assert stream.head == b"abcd"
    assert [stream.read(3), stream.read(3), stream.read(3), stream.read(9), stream.read(9)] == [
        *(b"abc", b"d", b"efg", b"hij", b"")
    ]


# -- zips ---------------------------------------------------------------------------------------------------


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in members:
            out.writestr(name, data)
    return path


def opened(path: Path) -> Source:
    return archive.open_source(path, lambda size: None)


def read_all(source: Source) -> dict[str, bytes]:
    found = {}
    for entry in source.documents:
        stream = entry.open()
        found[entry.name] = b"".join(iter(partial(stream.read, 1 << 20), b""))
        stream.close()
    source.close()
    return found


def test_a_zip_is_read_in_place_and_its_files_are_found_by_id(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "export.zip",
        ("conversations-000.json", b"[]"),
        ("a/", b""),
        ("a/file-Abc123XYZ-photo.png", b"PNG"),
        ("a/file-Jjj123XYZ-data.json", b"{}"),
        ("a/file-Abc123XYZ9-other.png", b"other"),
        ("b/note.txt", b"note"),
        ("c/twice.txt", b"1"),
        ("d/twice.txt", b"2"),
    )
    source = opened(path)
    assert [entry.name for entry in source.documents] == ["conversations-000.json", "a/file-Jjj123XYZ-data.json"]
    assert source.asset("file-Jjj123XYZ") == ("file-Jjj123XYZ-data.json", b"{}")
    assert source.was_used("a/file-Jjj123XYZ-data.json")
    assert source.asset("file-Abc123XYZ") == ("file-Abc123XYZ-photo.png", b"PNG")
    assert source.asset("file-Abc123XYZ9") == ("file-Abc123XYZ9-other.png", b"other")
    assert source.asset("note.txt") == ("note.txt", b"note")
    assert source.asset("d/twice.txt") == ("twice.txt", b"2")
    for words in ("twice.txt", "note", "file-Abc", "", "conversations-000.json", "\n", "nothing-of-this-name"):
        assert source.asset(words) is None, words
    assert source.unused == 1
    assert read_all(source) == {"conversations-000.json": b"[]", "a/file-Jjj123XYZ-data.json": b"{}"}
    assert [file.name for file in tmp_path.iterdir()] == ["export.zip"]


@pytest.mark.parametrize(
    "name", ["../x.json", "a/../../x.json", "/etc/x.json", "..\\x.json", "C:\\x.json", "c:/x.json"]
)
def test_a_name_that_leads_out_of_a_zip_ends_the_import(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "export.zip", ("conversations.json", b"[]"), (name, b"{}"))
    with pytest.raises(ExchangeError, match="leads out of it"):
        opened(path)


def test_members_that_cannot_be_trusted_are_named(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "export.zip"
    with pytest.warns(UserWarning, match="Duplicate name"):
        zipped(
            path,
            ("conversations.json", b"[1]"),
            ("conversations.json", b"[2]"),
            (link, b"/etc/passwd"),
            ("inner.zip", b"PK"),
        )
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as out:
        out.writestr("packed.json", b"[]")
    source = opened(path)
    assert {skip.what.partition(" in ")[0]: skip.why for skip in source.skipped} == {
        "conversations.json": "a second file of this name",
        "link.json": "a link",
        "inner.zip": "a zip inside the zip; import it by itself",
        "packed.json": "packed in a way that convend does not read",
    }
    assert read_all(source) == {"conversations.json": b"[1]"}


def test_an_encrypted_member_is_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "export.zip", ("conversations.json", b"[]"))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    source = opened(path)
    assert [(skip.what, skip.why) for skip in source.skipped] == [("conversations.json in export.zip", "encrypted")]
    assert source.documents == []
    source.close()


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_ROOM", 1 << 20)
    path = zipped(tmp_path / "bomb.zip", ("conversations.json", b"[" + b" " * (8 << 20) + b"]"))
    source = opened(path)
    read = 0
    stream = source.documents[0].open()
    with pytest.raises(ExchangeError, match="zip bomb"):
        while piece := stream.read(1 << 16):
            read += len(piece)
    assert read < 4 << 20
    source.close()


def test_the_sizes_in_a_zip_are_not_believed(tmp_path: Path) -> None:
    path = zipped(tmp_path / "liar.zip", ("conversations.json", b"[" + b"1," * 5000 + b"1]"))
    honest = path.read_bytes()
    for size in (3, 10_000_000, 0xFFFFFFF0):
        data = bytearray(honest)
        struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, size)
        path.write_bytes(data)
        if size < 10_000:
            with pytest.raises(ExchangeError, match="damaged"):
                read_all(opened(path))
        else:
            assert len(read_all(opened(path))["conversations.json"]) == 10_003


def test_every_cut_of_a_zip_is_an_error(tmp_path: Path) -> None:
    data = zipped(tmp_path / "whole.zip", ("conversations.json", b'[{"a": 1}]')).read_bytes()
    path = tmp_path / "cut.zip"
    for cut in range(4, len(data)):
        path.write_bytes(data[:cut])
        with pytest.raises(ExchangeError, match=r"cut\.zip"):
            read_all(opened(path))


def test_a_list_of_too_many_files_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "export.zip", *((f"{number}.json", b"") for number in range(30)))
    monkeypatch.setattr(archive, "_DIRECTORY", 1000)
    with pytest.raises(ExchangeError, match="too many files"):
        opened(path)


# -- other things that are named ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b" \n<!doctype html>", "a web page"),
        (b"\xef\xbb\xbf<html>", "a web page"),
        ('[{"a": 1}]'.encode("utf-16"), "UTF-16"),
        (b"\x00\x01\x02", "is not text"),
    ],
)
def test_a_wrong_file_is_declined_by_its_kind(tmp_path: Path, data: bytes, why: str) -> None:
    file = tmp_path / "conversations.json"
    file.write_bytes(data)
    with pytest.raises(ExchangeError, match=r"conversations\.json cannot be imported") as error:
        opened(file)
    assert why in str(error.value)


@pytest.mark.parametrize("name", ["gone.json", "a\0b", "~nobody-of-this-name/x"])
def test_a_name_without_a_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(ExchangeError):
        opened(tmp_path / name if not name.startswith("~") else Path(name))


def test_a_folder_is_read_without_following_links(tmp_path: Path) -> None:
    root = tmp_path / "projects"
    (root / "a").mkdir(parents=True)
    (root / "a" / "one.jsonl").write_bytes(b"{}")
    (root / "b.txt").write_bytes(b"text")
    (root / "link.jsonl").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    source = opened(root)
    assert [entry.name for entry in source.entries] == ["b.txt", "a/one.jsonl"]
    assert read_all(source) == {"a/one.jsonl": b"{}"}
    assert {skip.what for skip in source.skipped} == {"link.jsonl", "loop"}


@pytest.fixture(autouse=True)
def _no_warnings(recwarn: pytest.WarningsRecorder) -> Iterator[None]:
    yield
    assert [str(warning.message) for warning in recwarn if issubclass(warning.category, ResourceWarning)] == []
