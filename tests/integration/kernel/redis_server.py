"""A redis-server of the test's own, on a Unix socket, which the test may kill."""

import contextlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tests.polling import eventually


class RedisServer:
    """As the mesh runs it: every acknowledged write is on disk. `settings` are said last, and so win."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self._folder, self._settings = folder, settings
        self._socket = folder / "s"
        self._process: subprocess.Popen[bytes] | None = None
        # redis-tools ships the server under this name: the binary acts by the name it is called by.
        binary = shutil.which("redis-server") or shutil.which("redis-check-rdb")
        assert binary, "Redis is not installed: run `make setup`"
        self._link = folder / "redis-server"
        self._link.symlink_to(Path(binary).resolve())

    @property
    def url(self) -> str:
        return f"unix://{self._socket}?db=0"

    def client(self) -> Redis:
        """Never retries by itself: a test that cut the connection wants to see it."""
        return Redis(
            unix_socket_path=str(self._socket), retry=Retry(NoBackoff(), 0), socket_timeout=5, max_connections=300
        )

    async def start(self) -> None:
        self._spawn()
        await eventually(self._answers)

    def _spawn(self) -> None:
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction"]
        where = ["--port", "0", "--unixsocket", str(self._socket), "--dir", str(self._folder)]
        with (self._folder / "log").open("ab") as log:
            command = [str(self._link), *durable, *where, *self._settings]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    async def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    def kill(self) -> None:
        """kill -9; what was acknowledged must be there after `start`."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def restart(self) -> None:
        self.kill()
        with contextlib.suppress(FileNotFoundError):
            self._socket.unlink()
        await self.start()


async def dump(client: Redis) -> dict[Any, Any]:
    """Everything in the server, to be compared."""
    return {name: await client.dump(name) for name in sorted(await client.keys("*"))}
