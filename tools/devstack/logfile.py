"""The end of a log, and its bound."""

import os
import shutil
from collections import deque
from pathlib import Path

_TAIL_LINES = 12
# A process that complains 1,000 times a second fills this in two minutes, and a disk, left alone, in a day.
MOST_BYTES = 32 * 2**20


def bound_logs(folder: Path, most_bytes: int = MOST_BYTES) -> list[str]:
    """Sets each log that is larger aside as `.log.1`, in place of the one before; returns their names.

    Copied and emptied, not renamed: the processes go on writing to the file they hold, at its end.
    """
    large = [log for log in folder.glob("*.log") if log.stat().st_size > most_bytes]
    for log in large:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
    return [log.name for log in large]


def tail(path: Path, lines: int = _TAIL_LINES) -> str:
    """The last lines of a log; a log of any size is read from its end only."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(deque(file.read().decode(errors="replace").splitlines(), maxlen=lines))
    except FileNotFoundError:
        return "(no log)"
