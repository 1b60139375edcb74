"""The fake keeps the port's promises, so that what is tested against it holds for Redis."""

import time

import pytest

from meshkit.errors import DependencyUnavailable
from tests.fakes.stock import FakeStock
from tests.integration.kernel.stock_requests import ClockedStock, opened
from tests.integration.kernel.stock_suite import StockSuite


class TestFakeStock(StockSuite):
    @pytest.fixture
    def stock(self) -> ClockedStock:
        return FakeStock(now_ms=int(time.time() * 1000))

    async def test_while_down_it_does_nothing(self) -> None:
        fake = FakeStock()
        fake.down = True
        with pytest.raises(DependencyUnavailable):
            await opened(fake, 5)
        fake.down = False
        assert await fake.counters(7, 0) is None
