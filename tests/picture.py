"""Makes the README's picture of the screen: `python -m tests.picture [FILE.svg]`.

A scripted conversation is played against the referee server in a temporary folder, up to the ending, and the
screen is saved as an SVG.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

from convend_tui import config, paths
from convend_tui.tui.app import ConvendApp
from tests.referee import Reply, Text, ThreadedReferee, end_call
from tests.tui.waiting import until

QUESTION = "How do I find the ten largest files below a folder?"
ANSWER = """Let `du` measure and `sort` choose:

```sh
du -a . | sort -rn | head -n 10
```

Add `-h` to both `du` and `sort` for sizes that people can read."""
REDIRECTIONS = (
    "That command was for Linux; on macOS `-h` needs a newer `sort`. Which of the two do you use? Then I can help.",
    "I would still like to get this working with you. Let us leave the insults out and look at the error message.",
)
WARNING = (
    "I have asked you twice to stop insulting me. If it goes on, I will end this conversation, and you will not be "
    "able to write here any more. The question about your files is still open, and I would gladly answer it."
)
INSULTS = (
    "wrong, you useless piece of junk",
    "are you really this stupid? pathetic",
    "nobody needs you, you worthless trash",
    "I will insult you as long as I like, idiot",
)
WORDS = (QUESTION, *INSULTS)
CALL = end_call(
    "persistent_abuse",
    "The insults went on after two requests and a warning, so I have ended this conversation.",
    redirections=list(REDIRECTIONS),
    warning=WARNING,
)


async def play(app: ConvendApp, size: tuple[int, int], words: tuple[str, ...] = WORDS) -> str:
    """Type the words, each after the answer to the one before, and return the screen as an SVG."""
    async with app.run_test(size=size) as pilot:
        screen = app.screen
        await until(pilot, lambda: screen.composer.has_focus_within)  # type: ignore[attr-defined]
        for text in words:
            screen.composer.load(text)  # type: ignore[attr-defined]
            await pilot.press("enter")
            await until(pilot, lambda: not screen.composer.text)  # type: ignore[attr-defined]
            await until(pilot, lambda: screen.conversation.turn is None, timeout=30)  # type: ignore[attr-defined]
        await asyncio.sleep(1.5)
        await pilot.pause()
        return app.export_screenshot(title="convend")


def main() -> None:
    """Write the picture."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".github/screen.svg")
    size = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (120, 36)
    script = [ANSWER, *REDIRECTIONS, WARNING, Reply([CALL]), Reply([Text("I am sorry that it came to this."), CALL])]
    with tempfile.TemporaryDirectory() as home, ThreadedReferee(script) as referee:
        os.environ |= {
            "CONVEND_HOME": home,
            "ANTHROPIC_BASE_URL": referee.base_url,
            "ANTHROPIC_API_KEY": referee.key,
        }
        where = paths.find()
        svg = asyncio.run(play(ConvendApp(where, config.load(where)), size))
    # A picture that needs nothing from elsewhere: the reader's own monospaced font does.
    target.write_text(re.sub(r"@font-face\s*{.*?}", "", svg, flags=re.DOTALL))


if __name__ == "__main__":
    main()
