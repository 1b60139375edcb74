"""What a database must be before orders are entrusted to it."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.log import get_logger

log = get_logger(__name__)


class UnsafeDatabaseError(Exception):
    """The server could lose what it committed; the message names the setting that is wrong."""


async def check_durability(engine: AsyncEngine, unsafe: bool = False) -> None:
    """Raises UnsafeDatabaseError unless every commit is flushed to disk; with `unsafe` that is logged instead."""
    async with engine.connect() as connection:
        value = await connection.scalar(text("SELECT @@innodb_flush_log_at_trx_commit"))
    if int(value or 0) == 1:
        return
    wrong = f"innodb_flush_log_at_trx_commit is {value}, must be 1: a power cut would lose orders and charges"
    if not unsafe:
        raise UnsafeDatabaseError(f"{wrong} (PEAKMESH_UNSAFE=true accepts that)")
    log.warning("unsafe server accepted", reason=wrong)
