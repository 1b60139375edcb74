"""The servicer's own part: how many orders may be in progress."""

import pytest

from checkout_svc.cart import CartLimits
from checkout_svc.checkout_cart import CheckoutCart
from checkout_svc.in_progress import InProgress
from checkout_svc.servicer import CheckoutServicer
from meshkit.errors import Overloaded
from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest
from tests.fakes.carts import FakeCarts
from tests.unit.checkout_svc.bench import Bench


class Queue:
    def eta_seconds(self) -> float | None:
        return None


async def test_more_orders_than_may_be_in_progress_are_told_to_come_back() -> None:
    bench = await Bench().open()
    full = InProgress(0)
    servicer = CheckoutServicer(bench.place, CheckoutCart(FakeCarts(CartLimits()), bench.place, full), Queue(), full)
    for _ in range(2):
        with pytest.raises(Overloaded) as raised:
            await servicer.PlaceOrder(PlaceOrderRequest(), None)
        assert raised.value.retry_after == 1.0
    assert await bench.available() == 5
