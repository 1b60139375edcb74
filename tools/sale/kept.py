"""What the run folder keeps of past sales."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A sale of 10,000 buyers leaves 4 MB, most of it the clients' history.
KEPT = 50
_MARK = "running"


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Marks a sale's folder as one at work. The kernel drops the lock with the process, however that ends."""
    mark = folder / _MARK
    with mark.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)


def is_running(folder: Path) -> bool:
    try:
        with (folder / _MARK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def forget_old_sales(sales: Path, kept: int) -> list[str]:
    """Removes all but the `kept` latest, those too that were interrupted and have no verdict; never one that runs.
    Returns their names. A sale_id begins with its time."""
    done = sorted(path for path in sales.glob("sale-*") if path.is_dir() and not is_running(path))
    old = done[: max(0, len(done) - kept)]
    for folder in old:
        shutil.rmtree(folder, ignore_errors=True)
    return [folder.name for folder in old]
