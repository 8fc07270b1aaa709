"""`convend check`, by real processes: what it finds in damaged files, and that it changes nothing."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from convend_tui.store.check import MOST, Checker
from convend_tui.thread import records as r
from tests.engine.commands import Home, chat
from tests.making import Branch, at, call, result

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")

THREAD = "20261122T000001-00000001"
OTHER = "20261122T000002-00000002"


class Place(Home):
    """A home whose files have the permissions that convend gives them."""

    def file(self, name: str = THREAD) -> Path:
        return self.paths.threads / f"{name}.jsonl"

    def put(self, branch: Branch, *records: r.Record, name: str = "1") -> Path:
        file = self.file(self.save(branch, *records, name=name))
        self.paths.threads.chmod(0o700)
        file.chmod(0o600)
        return file

    def blob(self, data: bytes) -> r.Block:
        """An attachment that lies where it belongs, and the block that names it."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.paths.blobs.mkdir(mode=0o700, exist_ok=True)
        (self.paths.blobs / sha256).write_bytes(data)
        (self.paths.blobs / sha256).chmod(0o600)
        return {"type": "image", "source": {"type": "blob", "sha256": sha256, "media_type": "image/png", "name": "x"}}

    def problems(self, name: str = THREAD) -> list[str]:
        """What there is to say of one thread."""
        checked = Checker(self.paths).thread(name)
        assert (checked.thread, checked.file) == (name, self.file(name))
        return list(checked.problems)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.put(chat())
    return place


def add(file: Path, *lines: bytes) -> None:
    with file.open("ab") as opened:
        opened.writelines(lines)


def answer(name: str, parent: str | None, words: str = "x", when: int = 9) -> r.Message:
    content = [{"type": "text", "text": words}]
    return r.Message(at=at(when), id=name, parent=parent, role="assistant", content=content, kind="reply")


def test_where_all_is_well_one_line_says_what_was_read(place: Place) -> None:
    place.put(Branch().typed("q"), name="2")
    done = place.run("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Read 2 threads with 5 messages. Nothing is wrong.\n"
    assert place.run("check", "@last").stdout.startswith("Read 1 thread with ")
    assert place.json("check") == [
        {"thread": THREAD, "file": str(place.file()), "problems": [], "messages": 4},
        {"thread": OTHER, "file": str(place.file(OTHER)), "problems": [], "messages": 1},
    ]


def test_without_any_thread_nothing_is_wrong(tmp_path: Path) -> None:
    home = Home(tmp_path)
    done = home.run("check")
    assert (done.returncode, done.stdout) == (0, "Read 0 threads with 0 messages. Nothing is wrong.\n")
    assert home.json("check") == []
    done = home.run("check", "2026")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "convend: There is no thread '2026'.\n")


def test_broken_lines_are_named_by_their_numbers(place: Place) -> None:
    add(
        place.file(), b"{nonsense\n", b"\n", r.encode(answer("a", "m0004")), b'{"type":"message","at":5}\n', b"\0\0\0\n"
    )
    first, second, third = place.problems()
    assert first.startswith("line 6 is broken: not valid JSON")
    assert second.startswith("line 9 is broken: not a valid record")
    assert third.startswith("line 10 is broken")
    add(place.file(), b"x\n" * 3000)
    problems = place.problems()
    assert len(problems) == MOST + 1
    assert problems[-1] == f"{3003 - MOST:,} more lines are broken"


def test_a_torn_last_line_and_a_whole_one_without_its_end(place: Place) -> None:
    line = r.encode(answer("a", "m0004"))
    add(place.file(), line[:40])
    found = place.json("check", THREAD, code=1)[0]["problems"]
    assert found == place.problems() == ["line 6, the last one, is torn: a write broke off after 40 bytes of it"]
    add(place.file(), line[40:-1])
    assert place.problems() == []
    assert place.json("check")[0]["messages"] == 5


def test_trees_that_do_not_hold_together(place: Place) -> None:
    circle = [answer("a", "b"), answer("b", "a", when=10)]
    add(place.file(), *map(r.encode, [answer("c", "gone"), *circle, answer("m0001", None, "another")]))
    assert sorted(place.problems()) == [
        "a message answers one that is not in the file",
        "the parents of message a run in a circle",
        "two different messages have the id m0001",
    ]


def test_the_same_line_twice_is_no_contradiction(place: Place) -> None:
    lines = place.file().read_bytes().splitlines(keepends=True)
    place.file().write_bytes(b"".join([*lines, *reversed(lines)]))
    assert place.problems() == []


def test_messages_that_differ_deep_inside_are_different(place: Place) -> None:
    add(place.file(), *(r.encode(answer("a", "m0004", words)) for words in ("x" * 5000, "x" * 4999 + "y")))
    assert place.problems() == ["two different messages have the id a"]


def test_the_order_of_fields_makes_no_difference(place: Place) -> None:
    blocks = b'[{"type":"text","text":"x"}]', b'[{"text":"x","type":"text"}]'
    line = r.encode(answer("a", "m0004"))
    assert blocks[0] in line
    add(place.file(), line, line.replace(*blocks))
    assert place.problems() == []


@pytest.mark.parametrize(
    "record",
    [
        r.Ended(at=at(9), message="gone", cause="user_request", explanation="x"),
        r.Verdict(at=at(9), message="gone", outcome="declined", private=True),
        r.Label(at=at(9), message="gone", label="x"),
        r.Leaf(at=at(9), message="gone"),
        r.Hide(at=at(9), message="gone"),
        r.Restore(at=at(9), message="gone"),
        r.Feedback(at=at(9), message="gone", thumb="up"),
    ],
)
def test_records_about_messages_that_are_not_there(place: Place, record: r.Record) -> None:
    add(place.file(), r.encode(record))
    # The same words for all: of some records nobody may hear that there are any.
    assert place.problems() == ["there are records about messages that are not in the file: gone"]


def test_records_about_messages_that_are_there_are_well(place: Place) -> None:
    add(place.file(), r.encode(r.Leaf(at=at(8), message="later")), r.encode(answer("later", "m0004")))
    add(place.file(), b'{"type":"of a later version","at":"x","message":"gone"}\n')
    assert place.problems() == []


def test_attachments_missing_damaged_and_open_to_others(place: Place) -> None:
    elsewhere = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    there, gone, damaged = (place.blob(data) for data in (b"one", b"two", b"three"))
    nested = {"type": "imported_tool", "name": "x", "block": place.blob(b"four")}
    strange = {"type": "image", "source": {"type": "blob", "sha256": "../../config.toml"}}
    place.put(Branch().typed("q", there, gone, elsewhere).reply("a").typed("r", damaged, nested, strange, gone))
    names = {name: place.paths.blobs / block["source"]["sha256"] for name, block in (("gone", gone), ("bad", damaged))}
    assert len(place.problems()) == 1
    names["gone"].unlink()
    names["bad"].write_bytes(b"other")
    fourth = place.paths.blobs / nested["block"]["source"]["sha256"]  # type: ignore[index]
    fourth.chmod(0o644)
    sentences = place.problems()
    assert len(sentences) == 4
    assert sentences[0].startswith("message m0001: An attachment is missing: ")
    assert sentences[1].startswith("message m0003: An attachment is damaged: ")
    assert f"its attachment {fourth.name}: its permissions are 0644" in sentences[2]
    assert "has no valid name" in sentences[3]


def test_files_of_another_format_or_name_and_files_that_are_no_thread(place: Place) -> None:
    newer = place.file().read_bytes().replace(b'"format":1', b'"format":9')
    place.file().write_bytes(newer)
    (problem,) = place.problems()
    assert problem.startswith("it was written by a newer convend (format 9, this one knows 1)")
    made = {
        "20261122T000003-00000003": (chat_bytes(place), "by its name it is the thread 20261122T000003-00000003"),
        "empty": (b"", "this is not a thread file: it is empty"),
        "notes": (b'{"type":"note"}\n', "this is not a thread file: it has no header line"),
        "picture": (b"\x89PNG\r\n\x1a\n\0", "this is not a thread file: it has no header line"),
    }
    for name, (data, _) in made.items():
        place.file(name).write_bytes(data)
        place.file(name).chmod(0o600)
    for name, (_, sentence) in made.items():
        assert place.problems(name)[0].startswith(sentence)
    (place.paths.threads / "folder.jsonl").mkdir()
    (place.paths.threads / "link.jsonl").symlink_to("nowhere")
    os.mkfifo(place.paths.threads / "pipe.jsonl")
    (place.paths.threads / "README.txt").write_text("no business of ours")
    found = {line["thread"]: line["problems"] for line in place.json("check", code=1)}
    assert found["folder"] == found["pipe"] == ["this is not an ordinary file"]
    assert found["link"] == ["this is a link to nothing"]
    assert set(found) == {THREAD, OTHER, *made, "folder", "link", "pipe"}


def chat_bytes(place: Place) -> bytes:
    return place.put(chat(), name="2").read_bytes()


def test_permissions(place: Place) -> None:
    place.file().chmod(0o644)
    assert place.problems() == ["its permissions are 0644 and should be 0600: others may get at it"]
    place.file().chmod(0o400)
    assert "its owner may not do all that is needed" in place.problems()[0]
    place.file().chmod(0o600)
    place.paths.threads.chmod(0o755)
    folder, thread = place.json("check", code=1)
    assert folder == {
        "thread": None,
        "file": str(place.paths.threads),
        "problems": ["its permissions are 0755 and should be 0700: others may get at it"],
        "messages": 0,
    }
    assert thread["problems"] == []


def test_in_words_each_file_stands_over_what_is_wrong_with_it(place: Place) -> None:
    place.put(Branch().typed("q"), name="2")
    add(place.file(OTHER), b"x\n", r.encode(answer("a\x1b[31m\nb", "no\nwhere")), r.encode(answer("c", "no\nwhere")))
    add(place.file(OTHER), r.encode(r.Leaf(at=at(9), message="\x1b]0;evil\x07\n" + "y" * 1000)))
    done = place.run("check")
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (1, str(place.file(OTHER)))
    assert lines[1].startswith("  line 3 is broken")
    assert lines[2] == "  2 messages answer messages that are not in the file"
    assert lines[3].startswith("  there are records about messages that are not in the file: ")
    assert lines[4:] == ["Read 2 threads with 7 messages."]
    assert done.stderr == "convend: Something is wrong in 1 place.\n"
    assert "\x1b" not in done.stdout
    assert all(len(line) < 320 for line in lines[1:])


def test_what_is_kept_from_the_person_is_not_counted(place: Place) -> None:
    branch = Branch().typed("help").reply(call()).guard(result()).reply("I am here.")
    private = r.Verdict(at=at(9), message="m0002", outcome="declined", private=True)
    place.put(branch, private)
    assert place.json("check")[0]["messages"] == 2
    assert place.json("list")[0]["messages"] == 2


def test_nothing_is_changed_not_even_what_a_crash_left_behind(place: Place) -> None:
    place.paths.partial.mkdir(parents=True)
    left = answer("left", "m0004")
    (place.paths.partial / "left.json").write_bytes(b'{"thread":"%s","message":%s}' % (THREAD.encode(), r.encode(left)))
    add(place.file(), b'{"type":"mess')
    before = sorted(place.root.rglob("*")), place.contents()
    assert place.run("check").returncode == 1
    assert place.run("check", THREAD, "--json").returncode == 1
    assert (sorted(place.root.rglob("*")), place.contents()) == before


def test_a_line_that_is_just_being_written_is_read_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    line = r.encode(answer("a", "m0004"))
    file = place.file()
    add(file, line[:30])
    decode, rest = r.decode, [line[30:]]

    def slowly(data: bytes) -> r.AnyRecord | r.Unknown:
        if data == line[:30] and rest:
            add(file, rest.pop())
        return decode(data)

    monkeypatch.setattr(r, "decode", slowly)
    checked = Checker(place.paths).thread(THREAD)
    assert (checked.problems, checked.messages) == ((), 5)


def test_an_attachment_of_many_threads_is_read_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from convend_tui.store import blobs

    picture = place.blob(b"picture")
    for name in "123":
        place.put(Branch().typed("q", picture), name=name)
    loaded: list[str] = []
    load = blobs.load
    monkeypatch.setattr(blobs, "load", lambda paths, sha: (loaded.append(sha), load(paths, sha))[1])
    assert [checked.problems for checked in Checker(place.paths).threads()] == [()] * 3
    assert len(loaded) == 1
