"""Trains the model anew in the background, while its feature is on and something was bought since."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from engagement_svc.item_model import ItemModel, train
from engagement_svc.metrics import MODEL_ITEMS, TRAIN_SECONDS, TRAININGS
from meshkit.clock import wall_ms
from meshkit.errors import PeakmeshError
from meshkit.log import get_logger

log = get_logger(__name__)


class Purchases(Protocol):
    async def newest_ms(self) -> int: ...
    async def latest(self, count: int) -> list[tuple[str, str]]: ...


class TrainModel:
    """`model` and `trained_ms` (0: never) are the latest; a training that fails leaves them. `is_on`: whether anybody
    is served: what is switched off for load must not load the database from behind."""

    def __init__(self, purchases: Purchases, most: int, is_on: Callable[[], bool]) -> None:
        self._purchases, self._most, self._is_on = purchases, most, is_on
        self._newest_ms = -1
        self.model, self.trained_ms = ItemModel(), 0

    async def run(self, every_seconds: float) -> None:
        while True:
            if self._is_on():
                await self.once()
            await asyncio.sleep(every_seconds)

    async def once(self) -> None:
        try:
            newest_ms = await self._purchases.newest_ms()
            if newest_ms == self._newest_ms:
                return
            with TRAIN_SECONDS.time():
                purchases = await self._purchases.latest(self._most)
                # A thread: SciPy lets the loop go on, and the rest of it in slices of 5 ms.
                self.model = await asyncio.to_thread(train, purchases)
        except PeakmeshError as error:
            TRAININGS.labels("failed").inc()
            log.warning("not trained, the last model stays", error=error.message)
            return
        self._newest_ms, self.trained_ms = newest_ms, wall_ms()
        TRAININGS.labels("done").inc()
        MODEL_ITEMS.set(len(self.model.neighbours))
        log.info("trained", purchases=len(purchases), items=len(self.model.neighbours))
