"""New ids."""

from __future__ import annotations

import os


def new_id() -> str:
    """An id for a message: 16 hex digits, unique without asking anybody."""
    return os.urandom(8).hex()
