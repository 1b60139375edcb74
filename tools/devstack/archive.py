"""Runs a broker for a moment, so that the JVM archives the classes it loaded: every later start is shorter."""

import random
import tempfile
from pathlib import Path

from tools.devstack.control import down, up
from tools.devstack.servers import kafka
from tools.devstack.spec import Mesh
from tools.devstack.taken import free


def archive_classes() -> None:
    """Leaves `kafka.CLASSES`. Raises DevstackError when the broker does not start."""
    draft = kafka.CLASSES.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="peakmesh-") as folder:
        base = free_base(Path(folder))
        try:
            up(Path(folder), base, ["kafka"], lambda _: None, env={"kafka": {"JAVA_TOOL_OPTIONS": _archive_to(draft)}})
        finally:
            down(Path(folder), base)
    draft.replace(kafka.CLASSES)


def _archive_to(file: Path) -> str:
    return f"-XX:ArchiveClassesAtExit={file}"


def free_base(folder: Path) -> int:
    """An offset where the broker meets nobody, since a mesh may be running beside."""
    while True:
        base = random.randrange(100, 9_000)
        if all(free(Mesh(folder, base).ports[port]) for port in ("kafka", "kafka_controller")):
            return base
