"""`python -m kernel.migrate [URL]`: brings the database to this build's schema. Repeatable."""

import asyncio
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from meshkit.settings import ProcessSettings, load

# Two processes may start at once: DDL of MySQL commits by itself, so Alembic's version table alone does not part them.
_LOCK = "peakmesh.migrate"
_LOCK_SECONDS = 60


async def upgrade(url: str, revision: str = "head") -> None:
    """Runs what is missing. Raises TimeoutError when another process migrates for longer than a minute."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as guard:
            held = await guard.scalar(
                text("SELECT GET_LOCK(:name, :seconds)"), {"name": _LOCK, "seconds": _LOCK_SECONDS}
            )
            if held != 1:
                raise TimeoutError("another process is migrating the database")
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, revision)
            # The server drops the lock by itself when this session dies before.
            await guard.scalar(text("SELECT RELEASE_LOCK(:name)"), {"name": _LOCK})
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else load(ProcessSettings).database
    asyncio.run(upgrade(url))


if __name__ == "__main__":
    main()
