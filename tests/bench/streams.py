"""A server that streams long replies at a steady rate: `python -m tests.bench.streams` prints its address and key.

The last word of the last message says what is streamed: one of `KINDS`, or the number of a turn for a reply of ordinary
length, at once.
"""

from __future__ import annotations

import random
import threading

from tests.referee import Reply, Text, ThreadedReferee
from tests.referee.prose import essay, ramble
from tests.referee.scenario import typed_text
from tests.referee.script import Json

SIZE = 100_000
"""Characters of a reply."""
RATE = 4000.0
"""Characters a second: several times what the fastest models write."""
CHUNK = 32
BEGIN, END = "This is where it begins.", "This is where it ends."
KINDS = ("prose", "code", "list")


def reply(kind: str) -> str:
    """A long reply: mixed Markdown, one code fence, or one list."""
    if kind == "prose":
        body = ramble("a long reply", random.Random(1), SIZE)
    elif kind == "code":
        lines = (f"    total_{n} = measure(item_{n}, 'word', {n})  # step {n}" for n in range(SIZE // 52))
        body = "```python\ndef everything():\n" + "\n".join(lines) + "\n```"
    else:
        body = "\n".join(f"- point {n}: some **words** about `item_{n}`, of ordinary length" for n in range(SIZE // 66))
    return f"{BEGIN}\n\n{body}\n\n{END}"


def answer(request: Json) -> Reply:
    """The script of the server."""
    asked = typed_text(request["messages"][-1]).split()[-1]
    if asked.isdecimal():
        return Reply([Text(f"{essay(asked, random.Random(asked))}\n\n{turn_end(int(asked))}")])
    return Reply([Text(reply(asked), rate=RATE, chunk=CHUNK)])


def turn_end(number: int) -> str:
    """The last line of the reply to the turn of that number, a word so that it is painted in one piece."""
    return f"answered-{number}."


def main() -> None:
    """Serve until the process is ended."""
    with ThreadedReferee(answer) as referee:
        print(referee.base_url, referee.key, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
