"""MariaDB, with its own data folder, as a user that owns nothing else on the machine."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from tools.devstack.spec import DevstackError, Mesh

# A number that no account has: the server can touch its data folder and nothing else, and no account has to be made.
UNPRIVILEGED = 59_306
_INSTALL = "run `make setup`, or `apt-get install --no-install-recommends mariadb-server-core mariadb-client-core`."
# At every start, so that a folder from a killed first start heals itself.
_INIT_SQL = """\
CREATE DATABASE IF NOT EXISTS peakmesh CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER IF NOT EXISTS 'peakmesh'@'127.0.0.1' IDENTIFIED BY '{password}';
ALTER USER 'peakmesh'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON `peakmesh%`.* TO 'peakmesh'@'127.0.0.1';
CREATE DATABASE IF NOT EXISTS peakmesh_devstack;
CREATE TABLE IF NOT EXISTS peakmesh_devstack.probe (id INT PRIMARY KEY);
INSERT IGNORE INTO peakmesh_devstack.probe VALUES (1);
"""


def user() -> int | None:
    """The uid to run as when we are root; anybody else runs it as themselves."""
    return UNPRIVILEGED if os.geteuid() == 0 else None


def prepare(mesh: Mesh) -> None:
    folder = mesh.run_dir / "mariadb"
    _check_reachable(folder)
    folder.mkdir(parents=True, exist_ok=True)
    init = folder / "init.sql"
    init.touch(mode=0o600)
    init.write_text(_INIT_SQL.format(password=password(mesh)))
    uid = user()
    if uid is not None:
        for path in (folder, init):
            os.chown(path, uid, uid)
    if not (folder / "installed").exists():
        _install(mesh, folder, uid)
        (folder / "installed").touch()


def argv(mesh: Mesh) -> list[str]:
    folder = mesh.run_dir / "mariadb"
    return [
        _binary("mariadbd"),
        "--no-defaults",
        f"--datadir={folder / 'data'}",
        # Relative to the data folder: an absolute path may be longer than the 107 bytes of a socket address.
        "--socket=mysqld.sock",
        "--pid-file=mysqld.pid",
        f"--init-file={folder / 'init.sql'}",
        "--bind-address=127.0.0.1",
        f"--port={mesh.ports['mariadb']}",
        "--skip-name-resolve",
        "--transaction-isolation=READ-COMMITTED",
        "--innodb-flush-log-at-trx-commit=1",
        "--innodb-buffer-pool-size=128M",
        "--innodb-log-file-size=64M",
        "--aria-pagecache-buffer-size=8M",
        "--key-buffer-size=1M",
        "--performance-schema=OFF",
        "--max-connections=150",
        "--character-set-server=utf8mb4",
    ]


def _install(mesh: Mesh, folder: Path, uid: int | None) -> None:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    if uid is not None:
        os.chown(data, uid, uid)
    command = [
        _binary("mariadb-install-db"),
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=socket",
        "--auth-root-socket-user=root",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-log-file-size=64M",
    ]
    log = mesh.log_file("mariadb-install-db")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        who = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, cwd=data, check=False, **who)  # type: ignore[call-overload]
    if done.returncode != 0:
        raise DevstackError(f"MariaDB's data folder could not be made: see {log}.")


def password(mesh: Mesh) -> str:
    """Of the user `peakmesh`; made at the first call, mode 600."""
    path = mesh.run_dir / "secrets" / "db_password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(16))
    return path.read_text().strip()


def _check_reachable(folder: Path) -> None:
    """The unprivileged server needs to enter every folder above its own."""
    if user() is None:
        return
    for parent in folder.parents:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise DevstackError(
                f"MariaDB runs as an unprivileged user, who may not enter {parent}: "
                "set PEAKMESH_RUN_DIR to a folder that everybody may enter, e.g. /var/tmp/peakmesh."
            )


def _binary(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/usr/libexec")
    if not found:
        raise DevstackError(f"MariaDB is not installed ({name} is missing): {_INSTALL}")
    return found
