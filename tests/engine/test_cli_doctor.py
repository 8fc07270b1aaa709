"""`convend doctor`: what it says where all is well, what it finds where something is wrong, and that it only looks."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from convend_tui import __version__, logfile
from convend_tui.cli import doctor
from convend_tui.cli.doctor import folders, threads
from convend_tui.cli.doctor.finding import Finding
from convend_tui.model.connect import CONNECT_HINT
from tests import making
from tests.engine.commands import CONFIG, Home, Json, chat
from tests.referee import HttpError, ThreadedReferee

TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
not_root = pytest.mark.skipif(hasattr(os, "getuid") and os.getuid() == 0, reason="root may write everywhere")


@pytest.fixture(scope="module")
def referee() -> Iterator[ThreadedReferee]:
    with ThreadedReferee(opinion=False) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path, referee: ThreadedReferee) -> Home:
    """A home in which all is well."""
    home = Home(tmp_path, referee.base_url)
    tmp_path.chmod(0o700)
    file = home.paths.threads / f"{home.save(chat())}.jsonl"
    home.paths.threads.chmod(0o700)
    file.chmod(0o600)
    return home


class Patient:
    """A home, looked at in this process."""

    def __init__(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self._monkeypatch = home, monkeypatch

    def lines(self, *, offline: bool = False, **environ: str) -> list[Json]:
        """What `--json` prints."""
        for name, value in (self.home.environ | environ).items():
            self._monkeypatch.setenv(name, value)
        for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
            self._monkeypatch.delenv(name)
        return [dataclasses.asdict(found) for found in doctor.examine(self.home.paths, offline=offline)]


@pytest.fixture
def patient(place: Home, monkeypatch: pytest.MonkeyPatch) -> Patient:
    return Patient(place, monkeypatch)


def looked(where: Home) -> list[Finding]:
    """What the folders and threads come to, in this process."""
    return [*folders.examine(where.paths), *threads.examine(where.paths)]


def found(findings: list[Finding], part: str) -> Finding:
    """The finding that says this."""
    (one,) = [finding for finding in findings if part in finding.said]
    return one


def told(lines: list[Json], part: str) -> Json:
    (one,) = [line for line in lines if part in line["said"]]
    return one


def test_where_all_is_well(place: Home, referee: ThreadedReferee) -> None:
    before = place.contents()
    done = place.run("doctor", **TERMINAL)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "Nothing is wrong."
    for words in (
        f"convend {__version__}, Python {'.'.join(map(str, sys.version_info[:3]))}",
        "Textual, the screen: ",
        "anthropic, the SDK: ",
        "with FTS5",
        "TERM=xterm-256color",
        "16 million colours",
        "UTF-8 (LANG=C.UTF-8)",
        "Only you can read them",
        "1 thread, 0.0 MB.",
    ):
        assert words in done.stdout, words
    flat = " ".join(done.stdout.split())
    host = referee.base_url.removeprefix("http://")
    assert f"referee ({host}): its key is there (from REFEREE_KEY); it answers, and offers" in flat
    assert [line for line in lines if len(line) > 80 and str(place.root) not in line] == []
    assert [line for line in lines if line.strip() and not line.startswith("  ")][:2] == ["Program", "Terminal"]
    assert place.contents() == before
    assert not place.paths.state.exists()


def test_as_json_each_finding_is_an_object(place: Home) -> None:
    lines = place.json("doctor", "--offline", **TERMINAL)
    assert {tuple(line) for line in lines} == {("area", "state", "said", "mend")}
    assert {line["state"] for line in lines} == {"ok"}
    assert list(dict.fromkeys(line["area"] for line in lines)) == [
        *("Program", "Terminal", "Folders", "Settings", "Servers", "Threads"),
    ]
    assert told(lines, "not asked (--offline)")["said"].startswith("referee (")


def test_a_wrong_key_a_missing_one_and_a_server_that_is_not_there(patient: Patient, referee: ThreadedReferee) -> None:
    lines = patient.lines(REFEREE_KEY="wrong-key-123")
    one = told(lines, "did not accept the key (401)")
    assert one["state"] == "wrong"
    assert "wrong-key-123" not in str(lines)
    one = told(patient.lines(REFEREE_KEY=""), "REFEREE_KEY, which is not set")
    assert (one["area"], one["state"]) == ("Servers", "wrong")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        (patient.home.root / "config.toml").write_text(
            CONFIG.format(url=url, model=making.MODEL)
            + f'[[server]]\nname = "other"\nbase_url = "{referee.base_url}"\nkey_env = "REFEREE_KEY"\n'
        )
        lines = patient.lines()
    assert told(lines, "nothing listens there")["state"] == "wrong"
    assert told(lines, "it answers, and offers")["said"].startswith("other (")


def test_another_server_that_does_not_answer_is_a_warning(patient: Patient) -> None:
    with (patient.home.root / "config.toml").open("a") as file:
        file.write('[[server]]\nname = "other"\nbase_url = "http://127.0.0.1:9"\n')
    one = told(patient.lines(), "other (127.0.0.1:9)")
    assert one["state"] == "warning"


def test_a_server_without_a_list_of_models_answers_all_the_same(patient: Patient) -> None:
    with ThreadedReferee(list_answer=HttpError(404, "not_found_error", "no such page")) as bare:
        (patient.home.root / "config.toml").write_text(CONFIG.format(url=bare.base_url, model=making.MODEL))
        assert told(patient.lines(), "it answers, and has no list of models")["state"] == "ok"


def test_a_key_command_is_run_only_where_the_network_may_be_touched(patient: Patient, referee: ThreadedReferee) -> None:
    ran = patient.home.root / "ran"
    script = patient.home.root / "key.sh"
    script.write_text(f"#!/bin/sh\ntouch {ran}\necho test-key\n")
    script.chmod(0o700)
    (patient.home.root / "config.toml").write_text(
        f'[[server]]\nname = "a"\nbase_url = "{referee.base_url}"\nkey_command = ["{script}", "secret-argument"]\n'
    )
    lines = patient.lines(offline=True)
    assert "not looked for (from the command key.sh)" in told(lines, "a (127")["said"]
    assert not ran.exists()
    lines = patient.lines()
    assert "its key is there (from the command key.sh); it answers" in told(lines, "a (127")["said"]
    assert ran.exists()
    assert "secret-argument" not in str(lines)
    assert "test-key" not in str(lines)


def test_without_a_server_everything_but_sending_works(patient: Patient) -> None:
    patient.home.paths.config_file.unlink()
    lines = patient.lines()
    one = told(lines, "No model is connected")
    assert (one["state"], one["mend"]) == ("warning", CONNECT_HINT)
    assert "the defaults hold" in told(lines, "There is no ")["said"]


def test_a_proxy_is_named_without_its_password(patient: Patient) -> None:
    # Loopback is reached without it.
    lines = patient.lines(HTTPS_PROXY="http://me:hidden@proxy.example:3128", NO_PROXY="127.0.0.1")
    assert told(lines, "proxy.example")["said"] == "Requests go by the proxy proxy.example (HTTPS_PROXY)."
    assert "hidden" not in str(lines)


def test_settings_that_are_not_valid(place: Home) -> None:
    (place.root / "config.toml").write_text("[network]\nretrys = 3\n")
    lines = place.json("doctor", code=1)
    one = told(lines, "retries")
    assert (one["area"], one["state"]) == ("Settings", "wrong")
    assert told(lines, "1 thread")  # what does not need them is looked at all the same
    done = place.run("doctor")
    assert "WRONG" in done.stdout
    assert re.search(r"\n1 thing is wrong", done.stdout)


@posix
def test_what_others_can_read_is_named_with_the_command_that_mends_it(place: Home) -> None:
    thread = next(place.paths.threads.glob("*.jsonl"))
    thread.chmod(0o644)
    place.paths.threads.chmod(0o755)
    (place.root / "config.toml").chmod(0o666)
    lines = looked(place)
    one = found(lines, "Others may get at")
    assert f"{place.paths.threads} (0755) and 1 more." in one.said
    assert (one.state, one.mend) == ("warning", f"chmod -R go-rwx {place.root}")
    assert found(lines, "Others can change").mend == f"chmod 600 {place.root / 'config.toml'}"
    subprocess.run(str(one.mend).split(), check=True)
    assert found(looked(place), "Only you can read them").state == "ok"


@posix
@not_root
def test_a_folder_that_cannot_be_written(place: Home) -> None:
    place.root.chmod(0o500)
    try:
        assert found(looked(place), "data: ").state == "wrong"
    finally:
        place.root.chmod(0o700)


def test_a_file_in_the_way(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.paths.state.write_text("no folder")
    one = found(looked(home), "is in the way")
    assert (one.state, one.mend) == ("wrong", "Move it elsewhere.")


@pytest.mark.parametrize(("free", "state"), [(2**30, "ok"), (50 * 2**20, "warning"), (2**20, "wrong")])
def test_room_on_the_disk(free: int, state: str, place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda folder: usage)
    assert {one.state for one in looked(place) if " free on the disk" in one.said} == {state}


def test_the_kind_of_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders.sys, "platform", "linux")
    mounts = tmp_path / "mountinfo"
    there = tmp_path.resolve()
    escaped = str(there).replace(" ", "\\040")
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\nnonsense\n"
        f"2 1 0:40 / {escaped} rw,relatime shared:1 - nfs4 host:/share rw\n"
        f"3 1 0:41 / {there}/nearby rw - tmpfs tmpfs rw\n"
    )
    assert folders.kind_of(tmp_path, mounts) == "nfs4"
    assert folders.kind_of(tmp_path / "nearby" / "x", mounts) == "tmpfs"
    assert folders.kind_of(tmp_path.parent, mounts) == "ext4"
    assert folders.kind_of(tmp_path, tmp_path / "no such file") is None
    assert "nfs4" in folders.REMOTE
    monkeypatch.setattr(folders, "kind_of", lambda folder: "nfs4")
    one = found(list(folders.examine(making.paths_in(tmp_path))), "network file system (nfs4)")
    assert one.state == "warning"


def test_folders_that_others_synchronise(tmp_path: Path) -> None:
    for name, service in (("Dropbox", "Dropbox"), ("OneDrive - Work", "OneDrive"), ("Documents", None)):
        assert folders._synced(tmp_path / name / "convend") == service
    (tmp_path / "Documents" / ".stfolder").mkdir(parents=True)
    assert folders._synced(tmp_path / "Documents" / "convend") == "Syncthing"


def test_upper_and_lower_case(tmp_path: Path) -> None:
    (tmp_path / "threads").mkdir()
    sensitive = not (tmp_path / "THREADS").exists()
    assert folders.ignores_case(tmp_path) is not sensitive


def test_threads_that_cannot_be_read_and_an_index_that_is_none(place: Home) -> None:
    (place.paths.threads / "broken.jsonl").write_bytes(b"\x89PNG\n")
    (place.paths.threads / "empty.jsonl").write_bytes(b"")
    place.paths.cache.mkdir()
    (place.paths.cache / "index.sqlite3").write_bytes(b"no database" * 500)
    lines = looked(place)
    one = found(lines, "cannot be read, nor can 1 more")
    assert (one.state, "convend check" in str(one.mend)) == ("warning", True)
    assert "is made anew" in str(found(lines, "The search index cannot be read").mend)
    place.run("search", "fox")
    assert found(looked(place), "The search index holds 4 messages").state == "ok"


def test_the_last_crash_is_told(place: Home) -> None:
    logfile.crashed(place.paths, KeyError("x"))
    logfile.stop()
    one = found(looked(place), "because of a defect of its own")
    assert "(KeyError)" in one.said
    assert str(logfile.file_in(place.paths)) in str(one.mend)


def test_settings_that_cannot_be_read_have_no_line_to_correct(place: Home) -> None:
    place.paths.config_file.unlink()
    place.paths.config_file.mkdir()
    (wrong,) = [one for one in doctor.examine(place.paths, offline=True) if one.area == "Settings"]
    assert (wrong.state, wrong.mend) == ("wrong", "Correct that; convend does not start before.")
