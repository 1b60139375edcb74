"""The fake keeps the port's promises, so that what is tested against it holds for Redis."""

import pytest

from meshkit.errors import DependencyUnavailable
from tests.fakes.carts import FakeCarts
from tests.integration.checkout_svc.cart_suite import LIMITS, PHONE, CartSuite, add


class TestFakeCarts(CartSuite):
    @pytest.fixture
    def carts(self) -> FakeCarts:
        return FakeCarts(LIMITS)

    async def test_while_down_it_does_nothing(self) -> None:
        fake = FakeCarts(LIMITS)
        fake.down = True
        with pytest.raises(DependencyUnavailable):
            await add(fake, PHONE)
        fake.down = False
        assert await fake.read("ana") == []
