"""A mesh's data is removed; a mesh that runs inside its folder, and what was never a mesh, is not."""

import os
import shutil
import threading
from pathlib import Path

import pytest

from tools.devstack.remove import live_meshes, remove_data, used_bytes
from tools.devstack.spec import DevstackError, Mesh
from tools.devstack.state import Pid, StackState, write_state


def a_mesh(folder: Path, supervisor: int | None = None) -> None:
    write_state(Mesh(folder, 0), StackState(supervisor=Pid.of(supervisor) if supervisor else None))
    (folder / "redis").mkdir()
    (folder / "redis" / "appendonly.aof").write_text("x" * 1000)


def test_what_a_mesh_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    a_mesh(folder)
    a_mesh(folder / "test")
    assert used_bytes(folder) > 2000
    assert remove_data(folder) == []
    assert not folder.exists()
    assert (used_bytes(folder), remove_data(folder)) == (0, [])


def test_a_mesh_that_runs_inside_stays_whole(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    a_mesh(folder)
    a_mesh(folder / "test" / "lent", supervisor=os.getpid())
    a_mesh(folder / "old")
    (folder / "test" / "notes").write_text("of the tests' own mesh, which is stopped")
    assert live_meshes(folder) == [folder / "test" / "lent"]
    assert remove_data(folder) == [folder / "test" / "lent"]
    stays = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert stays == {"test/lent/devstack/state.json", "test/lent/redis/appendonly.aof"}


def test_a_folder_that_was_never_a_meshs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to-ana.txt").write_text("dear Ana")
    with pytest.raises(DevstackError, match="holds no mesh's data"):
        remove_data(tmp_path)
    assert (tmp_path / "letters" / "to-ana.txt").exists()


def test_files_that_vanish_while_they_are_counted_are_passed_over(tmp_path: Path) -> None:
    """As a mesh at work drops them: another thread makes and removes a folder of ten as fast as it can."""
    (tmp_path / "stays").write_text("12345")
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            folder = tmp_path / "passing"
            folder.mkdir()
            for number in range(10):
                (folder / str(number)).write_text("x")
            shutil.rmtree(folder)

    at_work = threading.Thread(target=churn)
    at_work.start()
    try:
        assert all(5 <= used_bytes(tmp_path) <= 15 for _ in range(500))
    finally:
        stop.set()
        at_work.join()
