"""The command line, by its contract: exit codes, what cannot be done, and `config`."""

from __future__ import annotations

from convend_tui import __version__
from tests.engine.commands import ROOT, Home, chat


def test_wrong_usage_exits_2(home: Home) -> None:
    thread = home.save(chat())
    for words in (
        ("no-such-command",),
        ("ask", "--no-such-option"),
        ("show",),
        ("edit", thread),
        ("config", "--path", "--show"),
        ("ask", "x", "--at", "m0001"),
        ("ask", "x", "-t", thread, "-s", "Be brief."),
    ):
        done = home.run(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert done.stderr
    done = home.run("ask", stdin=b"\xff\xfe")
    assert done.returncode == 2
    assert "UTF-8" in done.stderr


def test_what_could_not_be_done_exits_1(home: Home) -> None:
    branch = chat()
    thread = home.save(branch)
    before = home.contents()
    picture = home.root / "picture.png"
    picture.write_bytes(b"no picture")
    archive = home.root / "archive.zip"
    archive.write_bytes(b"PK\x03\x04\x00\x00")
    before = home.contents()
    for words, said in (
        (("ask", "look", "-a", "missing.txt"), "missing.txt"),
        (("ask", "look", "-t", thread, "-a", str(picture)), "picture.png"),
        (("ask", "look", "-a", str(archive)), "archive.zip"),
        (("ask", "look", "-a", str(home.root)), "folder"),
        (("ask", ""), "empty"),
        (("ask", "-t", "@lost", "x"), "@lost"),
        (("edit", thread, branch.path[1].id, "x"), "Only your own messages"),
        (("edit", thread, "m9999", "x"), "m9999"),
    ):
        done = home.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), (words, done.stderr)
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert home.contents() == before


def test_a_thread_of_a_newer_format_is_only_read(home: Home) -> None:
    thread = home.save(chat())
    file = home.paths.threads / f"{thread}.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"format":1', b'"format":7', 1))
    assert home.run("show", thread).returncode == 0
    for words in (("ask", "-t", thread, "x"), ("edit", thread, "@last", "x"), ("retry", thread, "@last")):
        done = home.run(*words)
        assert done.returncode == 1
        assert "newer convend" in done.stderr


def test_config(home: Home) -> None:
    file = home.root / "config.toml"
    assert home.run("config", "--path").stdout == f"{file}\n"
    shown = home.run("config").stdout
    assert shown == home.run("config", "--show").stdout
    assert 'name = "referee"' in shown
    assert "test-key" not in shown
    written = file.read_bytes()
    done = home.run("config", "--init")
    assert (done.returncode, file.read_bytes()) == (1, written)
    file.unlink()
    assert home.run("config", "--init").returncode == 0
    assert file.read_bytes() == (ROOT / "config.example.toml").read_bytes()
    assert home.run("config", "--show").returncode == 0


def test_a_broken_config_names_file_line_key_and_the_nearest_name(home: Home) -> None:
    file = home.root / "config.toml"
    file.write_text("[network]\n\nretrys = 3\n")
    home.save(chat())
    for words in (("ask", "hello"), ("config", "--show"), ("models",)):
        done = home.run(*words)
        assert done.returncode == 1
        assert all(word in done.stderr for word in (str(file), "3", "retrys", "retries")), done.stderr
    assert home.run("list").returncode == 0


def test_version(home: Home) -> None:
    done = home.run("--version")
    assert (done.returncode, done.stdout) == (0, f"convend {__version__}\n")
