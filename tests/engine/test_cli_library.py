"""The library on the command line: search, title, pin, trash and restore, by the contract."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convend_tui.errors import NotFound, StoreError
from convend_tui.store.library import Library
from convend_tui.thread import records as r
from tests.engine.commands import Home, chat
from tests.making import Branch, at, text


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home without a server that answers."""
    return Home(tmp_path)


def forked() -> tuple[Branch, list[r.Record]]:
    """A question with two answers; the model ended the conversation below the first."""
    branch = Branch().typed("Tell me of foxes").reply("Foxes are red.").typed("fool").reply("That is the end.")
    second = r.Message(
        at=at(30), id="second", parent="m0001", role="assistant", content=[text("Foxes are shy.")], kind="reply"
    )
    ended = r.Ended(at=at(20), message="m0004", cause="persistent_abuse", explanation="It went on.")
    return branch, [ended, second]


# -- search -------------------------------------------------------------------------------------------------


def test_search_finds_every_branch_and_says_where_it_ends(home: Home) -> None:
    branch, more = forked()
    thread = home.save(branch, *more)
    home.save(chat(), name="2")
    hits = {hit["message"]: hit for hit in home.json("search", "foxes")}
    assert [set(hit) for hit in hits.values()] == [{"thread", "message", "leaf", "title", "snippet", "ended"}] * 3
    assert {name: (hit["leaf"], hit["ended"]) for name, hit in hits.items()} == {
        "m0001": ("second", False),
        "m0002": ("m0004", True),
        "second": ("second", False),
    }
    assert {hit["thread"] for hit in hits.values()} == {thread}
    assert hits["second"]["snippet"] == "Foxes are shy."
    # Of a message on several branches: the one that ended, if only such are asked for.
    (first,) = home.json("search", "foxes", "--ended", "--role", "user")
    assert (first["message"], first["leaf"], first["ended"]) == ("m0001", "m0004", True)
    (end,) = home.json("search", "the end", "--ended")
    assert (end["message"], end["leaf"], end["ended"]) == ("m0004", "m0004", True)
    (shown,) = home.json("show", thread, "--at", hits["m0002"]["leaf"])
    assert shown["locked"]


def test_search_takes_filters(home: Home) -> None:
    branch, more = forked()
    thread = home.save(branch, *more)
    home.save(Branch().typed("foxes").reply("Foxes!", model="claude-opus-9"), name="2")

    def found(*words: str) -> list[tuple[str, str]]:
        return sorted((hit["thread"][-1], hit["message"]) for hit in home.json("search", "foxes", *words))

    assert found() == [("1", "m0001"), ("1", "m0002"), ("1", "second"), ("2", "m0001"), ("2", "m0002")]
    assert found("--role", "user") == [("1", "m0001"), ("2", "m0001")]
    assert found("--model", "OPUS") == [("2", "m0002")]
    assert found("--thread", thread[:15], "--role", "assistant") == [("1", "m0002"), ("1", "second")]
    assert found("--thread", "@last", "--limit", "1")[0][0] in "12"
    assert len(found("--limit", "2")) == 2
    assert found("--ended") == [("1", "m0001"), ("1", "m0002")]
    assert len(found("--not-ended")) == 3
    assert found("--since", "2026-11-22T00:00:30Z") == [("1", "second")]
    assert found("--until", "2026-11-22T00:00:02+00:00") == [("1", "m0001"), ("2", "m0001")]
    assert len(found("--since", "2026-11-21", "--until", "2026-11-22")) == 5
    assert found("--since", "2026-11-24") == found("--until", "2026-11-20") == []


def test_a_title_is_found_too(home: Home) -> None:
    thread = home.save(chat(), r.Title(at=at(40), title="Animals of the forest"))
    (hit,) = home.json("search", "forest")
    assert (hit["thread"], hit["message"], hit["leaf"]) == (thread, None, "m0004")


def test_search_in_plain_text(home: Home) -> None:
    branch, more = forked()
    home.save(branch, *more, r.Title(at=at(50), title="Of \x1b]0;evil\x07 foxes\nand more"))
    done = home.run("search", "the end")
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.startswith("20261122T000001-00000001  m0004  ") and first.endswith("[ended]")
    assert "\x1b" not in first and "foxes and more" in first
    assert second == "    That is the end."


def test_nothing_found_is_no_error(home: Home) -> None:
    home.save(chat())
    done = home.run("search", "wolf")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Nothing was found" in done.stderr
    assert home.json("search", "wolf") == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        [""],
        ["?!"],
        ["fox", "--limit", "0"],
        ["fox", "--limit", "x"],
        ["fox", "--role", "guard"],
        ["fox", "--since", "yesterday"],
        ["fox", "--until", "9999-12-31"],
        ["fox", "--ended", "--not-ended"],
    ],
)
def test_wrong_words_of_search(home: Home, words: list[str]) -> None:
    home.save(chat())
    assert home.run("search", *words).returncode == 2


def test_search_names_no_thread_that_is_not_there(home: Home) -> None:
    home.save(chat())
    done = home.run("search", "fox", "--thread", "2031")
    assert done.returncode == 1 and "2031" in done.stderr


def test_search_without_a_cache_folder(home: Home) -> None:
    home.save(chat())
    home.paths.cache.write_text("in the way")
    done = home.run("search", "fox")
    assert done.returncode == 0
    assert "m0001" in done.stdout and "cannot be kept" in done.stderr
    assert home.run("list").returncode == 0


# -- title and pin --------------------------------------------------------------------------------------------


def test_title_prints_and_sets(home: Home) -> None:
    thread = home.save(chat())
    assert home.run("title", thread).stdout == "What is a fox?\n"
    assert home.run("title", thread, "  Foxes,\n and  dogs ").returncode == 0
    assert home.run("title", "@last").stdout == "Foxes, and dogs\n"
    assert home.lines()[-1].get("by", "person") == "person"
    assert home.json("list")[0]["title"] == "Foxes, and dogs"
    file = home.paths.threads / f"{thread}.jsonl"
    with file.open("ab") as out:
        out.write(r.encode(r.Title(at="2031-01-01T00:00:00.000Z", title="By a model", by="model")))
    assert home.run("title", thread).stdout == "Foxes, and dogs\n"
    home.run("title", thread, "")
    assert home.run("title", thread).stdout == "By a model\n"
    assert home.run("title", "nothing", "x").returncode == 1


def test_a_pinned_thread_stands_first(home: Home) -> None:
    older = home.save(chat(), name="1")
    home.save(chat(), r.Leaf(at=at(500), message="m0002"), name="2")
    assert [row["id"][-1] for row in home.json("list")] == ["2", "1"]
    assert home.run("pin", older).returncode == 0
    rows = home.json("list")
    assert [(row["id"][-1], row.get("pinned")) for row in rows] == [("1", True), ("2", None)]
    assert "pinned" in home.run("list").stdout.splitlines()[0]
    size = (home.paths.threads / f"{older}.jsonl").stat().st_size
    home.run("pin", older)
    assert (home.paths.threads / f"{older}.jsonl").stat().st_size == size
    home.run("pin", older, "--off")
    assert all("pinned" not in row for row in home.json("list"))


# -- trash and restore ------------------------------------------------------------------------------------------


def test_trash_and_restore(home: Home) -> None:
    first, second = home.save(chat(), name="1"), home.save(forked()[0], name="2")
    before = (home.paths.threads / f"{first}.jsonl").read_bytes()
    assert home.json("search", "dog")
    done = home.run("trash", first)
    assert done.returncode == 0 and f"convend restore {first}" in done.stdout
    assert [row["id"] for row in home.json("list")] == [second]
    assert home.json("search", "dog") == []
    assert home.run("show", first).returncode == 1
    (row,) = home.json("trash", "--list")
    assert (row["id"], row["title"], row["messages"]) == (first, "What is a fox?", 4)
    assert home.run("trash", "--list").stdout.startswith(first)
    assert (home.paths.trash / f"{first}.jsonl").read_bytes() == before
    assert home.run("restore", first[:16]).returncode == 0
    assert (home.paths.threads / f"{first}.jsonl").read_bytes() == before
    assert len(home.json("list")) == 2
    assert len(home.json("search", "dog")) == 1
    assert home.json("trash", "--list") == []


def test_the_one_thrown_away_last_comes_back_first(home: Home) -> None:
    library = Library(home.paths)
    ids = [home.save(chat(), name=name) for name in "132"]
    for thread_id in ids:
        library.trash(thread_id)
    assert library.trashed_ids() == ids[::-1]
    assert home.run("restore", "@last").stdout.startswith(ids[-1])
    ambiguous = home.run("restore", "2026")
    assert ambiguous.returncode == 1 and "2 trashed threads begin with" in ambiguous.stderr


def test_nothing_in_the_trash_is_written_over(home: Home) -> None:
    library = Library(home.paths)
    thread = home.save(chat())
    file = home.paths.threads / f"{thread}.jsonl"
    first = file.read_bytes()
    library.trash(thread)
    home.save(forked()[0])
    second = file.read_bytes()
    library.trash(thread)
    home.save(Branch().typed("an old copy"))
    os.utime(file, (0, 0))
    third = file.read_bytes()
    library.trash(thread)
    kept = {name.name: name.read_bytes() for name in home.paths.trash.iterdir()}
    assert kept == {f"{thread}.jsonl": second, f"{thread}~2.jsonl": first, f"{thread}~3.jsonl": third}
    assert len(library.trashed()) == 3
    assert library.untrash(thread) == thread
    assert file.read_bytes() == second
    with pytest.raises(StoreError, match="in its place already"):
        library.untrash(f"{thread}~2")
    assert (home.paths.trash / f"{thread}~2.jsonl").read_bytes() == first
    file.unlink()
    assert library.untrash(f"{thread}~2") == thread
    assert file.read_bytes() == first


def test_a_thread_that_is_thrown_away_takes_no_more_messages(home: Home) -> None:
    library = Library(home.paths)
    thread = home.save(chat())
    handle = library.open(thread)
    handle.append_now([r.Title(at=handle.now(), title="x")])
    lock_file = home.paths.locks / f"{thread}.lock"
    assert lock_file.exists()
    library.trash(thread)
    assert lock_file.exists()
    with pytest.raises(StoreError, match="gone"):
        handle.append_now([r.Title(at=handle.now(), title="y")])
    library.untrash(thread)
    handle.append_now([r.Title(at=handle.now(), title="y")])
    assert library.open(thread).thread.title == "y"


def test_wrong_words_of_trash_and_restore(home: Home) -> None:
    thread = home.save(chat())
    assert home.run("trash").returncode == 2
    assert home.run("trash", thread, "--list").returncode == 2
    assert home.run("trash", thread, "--json").returncode == 2
    assert home.run("trash", "nothing").returncode == 1
    assert home.run("restore", thread).returncode == 1
    assert home.run("restore", "@last").returncode == 1
    assert home.run("restore", "../x").returncode == 1
    with pytest.raises(NotFound):
        Library(home.paths).untrash("../x")
    with pytest.raises(NotFound):
        Library(home.paths).trash("nothing")
    assert (home.paths.threads / f"{thread}.jsonl").exists()


def test_a_broken_file_can_be_thrown_away(home: Home) -> None:
    home.save(chat(), name="1")
    broken = home.paths.threads / "20261122T000002-00000002.jsonl"
    broken.write_text("no thread at all\n")
    done = home.run("list")
    assert "cannot be read" in done.stdout and "What is a fox?" in done.stdout
    assert home.run("trash", broken.stem).returncode == 0
    done = home.run("trash", "--list")
    assert "cannot be read" in done.stdout and done.returncode == 0
    assert home.run("restore", broken.stem).returncode == 0
    assert broken.read_text() == "no thread at all\n"


def test_restore_with_a_message_undoes_a_hide(home: Home) -> None:
    branch, more = forked()
    thread = home.save(branch, *more)
    assert home.run("hide", thread, "m0002").returncode == 0
    hidden = {row["id"]: row["hidden"] for row in home.json("tree", thread)[0]["messages"]}
    assert hidden["m0002"] and not hidden["second"]
    assert home.run("restore", thread, "m0002").returncode == 0
    assert not any(row["hidden"] for row in home.json("tree", thread)[0]["messages"])
