"""The end of a log."""

import os
from collections import deque
from pathlib import Path

_TAIL_LINES = 12


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log; a log of any size is read from its end only."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(deque(file.read().decode(errors="replace").splitlines(), maxlen=lines))
    except FileNotFoundError:
        return "(no log)"
