"""Redis, with its own append-only file: `always`, since an acknowledged reservation may not be lost."""

import shutil
from pathlib import Path

from tools.devstack.spec import DevstackError, Mesh

_CONFIG = """\
bind 127.0.0.1
port {port}
dir "{folder}"
daemonize no
appendonly yes
appendfsync always
no-appendfsync-on-rewrite no
save ""
maxmemory 512mb
maxmemory-policy noeviction
"""


def prepare(mesh: Mesh) -> None:
    folder = mesh.run_dir / "redis"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "redis.conf").write_text(_CONFIG.format(port=mesh.ports["redis"], folder=folder))
    link = folder / "redis-server"
    target = _binary()
    if not link.is_symlink() or link.readlink() != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def argv(mesh: Mesh) -> list[str]:
    folder = mesh.run_dir / "redis"
    return [str(folder / "redis-server"), str(folder / "redis.conf")]


def _binary() -> Path:
    """redis-server, or the same binary as redis-tools ships it: it acts by the name that it is called by."""
    for name in ("redis-server", "redis-check-rdb"):
        found = shutil.which(name)
        if found:
            return Path(found).resolve() if name == "redis-check-rdb" else Path(found)
    raise DevstackError(
        "Redis is not installed: run `make setup`, or `apt-get install --no-install-recommends redis-tools`."
    )
