"""Publish, at start and every few seconds, what a crash or an emptied Redis left unpublished of the catalogue."""

from sqlalchemy.exc import SQLAlchemyError

from governor.change_lock import ChangeLock
from governor.metrics import HEALED
from governor.publish_catalog import PublishCatalog
from meshkit.errors import PeakmeshError
from meshkit.log import get_logger
from meshkit.patience import every

log = get_logger(__name__)


class HealCatalog:
    def __init__(self, lock: ChangeLock, publish: PublishCatalog) -> None:
        self._lock, self._publish = lock, publish

    async def run(self, seconds: float) -> None:
        """Until cancelled, `seconds` apart; servers that are away are waited for."""
        await every(seconds, "catalogue", self.sweep, PeakmeshError, SQLAlchemyError, OSError)

    async def sweep(self) -> None:
        # Asked without the lock first: an operator's call would wait for a sweep that has nothing to do.
        if not await self._publish.behind():
            return
        async with self._lock.held():
            sent = await self._publish()
        if sent is not None:
            HEALED.labels("catalog").inc()
            log.info("catalogue healed", products=sent)
