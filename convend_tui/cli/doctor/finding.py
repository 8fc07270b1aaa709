"""What the doctor says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "wrong"]
"""`wrong`: it keeps convend from working. `warning`: something is not as it should be, and convend works."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence or two, and what to do about it."""

    area: str
    state: State
    said: str
    mend: str | None = None
    """None where there is nothing to do."""
