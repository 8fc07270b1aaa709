"""What stands in the texts of Claude Code's lines: commands, reminders, and notes of the program's own.

They are looked for without regular expressions: a hostile text must not take for ever.
"""

from __future__ import annotations

from typing import Final

_BY_PROGRAM: Final = (
    *("local-command-stdout", "local-command-stderr", "local-command-caveat", "bash-stdout", "bash-stderr"),
    *("task-notification", "user-prompt-submit-hook", "ide_opened_file", "ide_selection", "ide_diagnostics"),
)
"""Tags of texts that stand in the person's place, and that the program wrote."""
_REMINDER: Final = "system-reminder"
INTERRUPTED: Final = "[Request interrupted by user"
"""Beginning of what stands where the person stopped the model."""


def between(text: str, tag: str) -> str | None:
    """What stands inside the first element of that name."""
    _, begun, rest = text.partition(f"<{tag}>")
    inside, ended, _ = rest.partition(f"</{tag}>")
    return inside if begun and ended else None


def without_reminders(text: str) -> str:
    """A text without what the program put in to remind the model."""
    begin, end = f"<{_REMINDER}>", f"</{_REMINDER}>"
    parts: list[str] = []
    at = 0
    while (start := text.find(begin, at)) >= 0 and (stop := text.find(end, start)) >= 0:
        parts.append(text[at:start].strip())
        at = stop + len(end)
    return "\n\n".join(part for part in (*parts, text[at:].strip()) if part) if at else text


def is_by_program(text: str) -> bool:
    """Whether a text is nothing but what the program writes."""
    if text.startswith(INTERRUPTED):
        return text.endswith("]") and "\n" not in text
    at = 0
    while at < len(text):
        tag = next((tag for tag in _BY_PROGRAM if text.startswith(f"<{tag}>", at)), None)
        end = text.find(f"</{tag}>", at) if tag is not None else -1
        if tag is None or end < 0:
            return False
        at = end + len(f"</{tag}>")
        while at < len(text) and text[at].isspace():
            at += 1
    return True
