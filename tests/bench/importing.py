"""An import against plain json.loads of the same file, and its memory against the file's size."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from tests.bench.index import Speech
from tests.bench.start import environment
from tests.bench.table import Row, compare

CONVERSATIONS, MESSAGES, WORDS = 1000, 100, 60
ROUNDS = 3
LARGE = 300e6
"""Bytes of the export whose memory is measured."""
SHARE = 0.3
"""Of its size, as 300 MB for 1 GB."""
_ROOT = "00000000-0000-4000-8000-000000000000"
_AT = "2026-03-23T03:44:28.917458Z"


def export(file: Path, conversations: int, messages: int = MESSAGES) -> int:
    """Write an export as Claude.ai has it, each text twice; returns its bytes."""
    speech = Speech()
    with file.open("w") as out:
        for number in range(conversations):
            name = f"{speech.chance.getrandbits(128):032x}"
            out.write("[" if number == 0 else ",\n")
            head = {"uuid": name, "name": speech.text(4), "created_at": _AT, "updated_at": _AT}
            json.dump(head | {"chat_messages": list(_messages(speech, name, messages))}, out)
        out.write("]")
    return file.stat().st_size


def _messages(speech: Speech, name: str, count: int) -> Iterator[dict[str, object]]:
    parent = _ROOT
    for place in range(count):
        key, text = f"{name}-{place}", speech.text(WORDS)
        block = {"start_timestamp": _AT, "stop_timestamp": _AT, "flags": None, "type": "text", "text": text}
        yield {
            "uuid": key,
            "sender": "assistant" if place % 2 else "human",
            "text": text,
            "content": [block | {"citations": []}],
            "created_at": f"2026-03-23T{place // 60 % 24:02d}:{place % 60:02d}:28.917458Z",
            "updated_at": _AT,
            "parent_message_uuid": parent,
            "attachments": [],
            "files": [],
        }
        parent = key


def measure() -> Iterator[Row]:
    """Each import is a process of its own: its start counts, and so does the disk."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        file = root / "conversations.json"
        size = export(file, CONVERSATIONS)
        plain: list[float] = []
        whole: list[float] = []
        again: list[float] = []
        for number in range(ROUNDS):
            home = root / f"home{number}"
            home.mkdir()
            begin = perf_counter()
            json.loads(file.read_bytes())
            plain.append(perf_counter() - begin)
            whole.append(_imported(home, file)[0])
            again.append(_imported(home, file)[0])
        many = f"{CONVERSATIONS:,} conversations of {MESSAGES} messages, {size / 1e6:.0f} MB"
        yield compare("import", f"{many} / json.loads", plain, whole, "s", 6.0)
        yield compare("import", "the same once more, nothing new / json.loads", plain, again, "s")
        count = CONVERSATIONS * MESSAGES
        rates = [[count / seconds for seconds in times] for times in (plain, whole)]
        yield compare("import", "messages a second / json.loads", *rates, "/s")
        size = export(file, round(CONVERSATIONS * LARGE / size))
        home = root / "large"
        home.mkdir()
        peak = _imported(home, file)[1]
        yield compare("import", "peak memory / size of the export", [size / 1e6], [peak / 1e6], "MB", SHARE)


def _imported(home: Path, file: Path) -> tuple[float, float]:
    """Seconds, and bytes of memory at most."""
    words = [sys.executable, "-m", "tests.bench.importing", str(file)]
    begin = perf_counter()
    done = subprocess.run(words, env=environment(home), stdout=subprocess.PIPE, check=True)
    return perf_counter() - begin, float(done.stdout.split()[-1])


def main() -> None:
    """Import the file named, and print the most memory that this took, in bytes."""
    from convend_tui.cli import main as convend

    code = convend(["import", sys.argv[1]])
    # Not getrusage: what it calls the peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    print(1024 * int(status.partition("VmHWM:")[2].split()[0]))
    sys.exit(code)


if __name__ == "__main__":
    main()
