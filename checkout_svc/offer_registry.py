"""The offers on sale, cached from Redis: checkout lives without the database."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from kernel.offers import Offer
from meshkit.errors import DependencyUnavailable, OfferNotFound
from meshkit.patience import every

Offers = dict[tuple[str, str], Offer]
Load = Callable[[], Awaitable[Offers]]
REFRESH_SECONDS = 1.0
# A crowd that asks for what is not on sale must not turn into a read of the registry a tap.
MISS_SECONDS = 0.2


class OfferRegistry:
    """Looks an offer up in memory; a miss reads Redis, at most every MISS_SECONDS for all callers together.

    An offer once known stays: a Redis that has lost everything must lead to UNAVAILABLE, not to "not on sale".
    """

    def __init__(self, load: Load, miss_seconds: float = MISS_SECONDS) -> None:
        self._load, self._miss_seconds = load, miss_seconds
        self._offers: Offers = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, sale_id: str, sku: str) -> Offer:
        """Raises OfferNotFound, or DependencyUnavailable when it is not known and Redis does not answer."""
        offer = self._offers.get((sale_id, sku))
        if offer is None:
            await self.refresh()
            offer = self._offers.get((sale_id, sku))
        if offer is None:
            raise OfferNotFound(f"{sku} is not on sale in {sale_id}")
        return offer

    async def refresh(self) -> None:
        """Reads the registry as it is now or later; callers that wait at the same time share one read."""
        asked = time.monotonic()
        async with self._reading:
            if self._read_at >= asked:
                return
            await asyncio.sleep(self._read_at + self._miss_seconds - time.monotonic())
            started = time.monotonic()
            try:
                self._offers |= await self._load()
            except (RedisError, OSError, ValueError) as error:
                raise DependencyUnavailable("redis", f"redis: {error}") from error
            self._read_at = started

    def known(self) -> list[Offer]:
        return list(self._offers.values())

    async def keep_fresh(self) -> None:
        await every(REFRESH_SECONDS, "offers", self.refresh, DependencyUnavailable)
