"""Who gives way when two cores are not enough: what works behind Kafka, so that a tap is answered first."""

from contextlib import suppress
from pathlib import Path

import psutil

# Measured with 300 taps a second on two cores: sold-out answers p50 30 → 10 ms, accepted 44 → 29 ms.
BEHIND_THE_BUFFER = 15


def give_way(pid: int, nice: int) -> None:
    """Sets the niceness of a process and of its session's group: with Linux's autogroups the process's alone does
    nothing against other sessions. A kernel without them, or a pid that is gone, is no matter."""
    with suppress(psutil.Error):
        psutil.Process(pid).nice(nice)
    with suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))
