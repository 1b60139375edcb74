"""What a mesh's folder takes on the disk, and its removal, around other meshes that live inside it."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.devstack.control import is_up
from tools.devstack.spec import DevstackError, Mesh
from tools.devstack.state import state_file


def used_bytes(folder: Path) -> int:
    """Of its files, as far as they can be read: a mesh at work drops some while they are counted."""
    return sum(size for path in _files(folder) if (size := _size(path)) is not None)


def live_meshes(folder: Path) -> list[Path]:
    """The folders below of which a supervisor runs: that of the tests is in `.run/test`."""
    found = {path.parent.parent for path in _files(folder) if path.name == "state.json"}
    return sorted(each for each in found if state_file(Mesh(each, 0)).exists() and is_up(Mesh(each, 0)))


def remove_data(folder: Path) -> list[Path]:
    """Removes the folder but for live meshes below it, which are returned.

    Raises DevstackError where it was never a mesh's: PEAKMESH_RUN_DIR may name somebody's home by mistake.
    """
    if folder.exists() and not any(path.parts[-2:] == ("devstack", "state.json") for path in _files(folder)):
        raise DevstackError(f"{folder} holds no mesh's data: nothing was removed.")
    live = live_meshes(folder)
    _remove(folder, live)
    return live


def _remove(folder: Path, but: Sequence[Path]) -> None:
    if not any(each.is_relative_to(folder) for each in but):
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path in but:
            continue
        if path.is_dir() and not path.is_symlink():
            _remove(path, but)
        else:
            path.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    # os.walk passes over folders that vanish meanwhile; Path.rglob raises.
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in names)


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return None
