"""How long one provider is asked again: full jitter, a retry budget and a bulkhead for each."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from meshkit.errors import DeadlinePassed, DependencyUnavailable, Overloaded, PeakmeshError
from payment_worker import metrics

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

BASE_SECONDS, CAP_SECONDS = 0.05, 1.0
# Retries may add 20 % to a provider's load, and a burst of 20: without a budget 3 retries quadruple it when it is down.
EARNED_BY_SUCCESS, BUDGET = 0.2, 20.0


def is_passing(error: PeakmeshError) -> bool:
    """True where a later call may succeed. The outcome of this one is unknown."""
    return isinstance(error, DependencyUnavailable | DeadlinePassed | Overloaded) or type(error) is PeakmeshError


class Patience:
    """One a provider. `retries` is the number of calls after the first."""

    def __init__(
        self, provider: str, bulkhead: int, retries: int, *, sleep: Sleep = asyncio.sleep, seed: int | None = None
    ) -> None:
        self._provider, self._retries, self._sleep = provider, retries, sleep
        self._slots = asyncio.Semaphore(bulkhead)
        self._budget = BUDGET
        self._random = random.Random(seed)

    async def persist(self, attempt: Callable[[int], Awaitable[T]]) -> T:
        """Awaits `attempt(n)`, n = 0, 1 …, until one answers. Raises the last error, at once one that will not pass."""
        for n in range(self._retries + 1):
            try:
                async with self._slots:
                    answer = await attempt(n)
            except PeakmeshError as error:
                if not is_passing(error) or n == self._retries or not self._spend():
                    raise
                await self._sleep(self._random.uniform(0, min(CAP_SECONDS, BASE_SECONDS * 4**n)))
            else:
                self._budget = min(BUDGET, self._budget + EARNED_BY_SUCCESS)
                return answer
        raise AssertionError("unreachable")

    def _spend(self) -> bool:
        if self._budget < 1:
            metrics.BUDGET_EMPTY.labels(self._provider).inc()
            return False
        self._budget -= 1
        metrics.RETRIES.labels(self._provider).inc()
        return True
