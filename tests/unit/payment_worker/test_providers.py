"""What becomes of an order whose provider cannot even be called."""

import grpc
import pytest

from kernel.payment_steps import FAILED, QUOTE
from meshkit.errors import PeakmeshError
from payment_worker.patience import is_passing
from payment_worker.providers import GrpcProviders
from payment_worker.settle_order import End, SettleOrder
from tests.fakes.payment import an_order
from tests.unit.payment_worker.bench import Bench, patience

ORDER = an_order("o1")


async def uncallable() -> GrpcProviders:
    """gRPC raises an error that is none of a call, as it does for metadata that it does not send."""
    channel = grpc.aio.insecure_channel("127.0.0.1:1")
    await channel.close()
    return GrpcProviders(channel, 1.0)


async def test_a_call_that_grpc_cannot_make_fails_as_its_provider_would() -> None:
    with pytest.raises(PeakmeshError, match="shipping") as raised:
        await (await uncallable()).quote(ORDER)
    assert is_passing(raised.value)


async def test_its_order_is_tried_along_the_ladder_and_then_ends() -> None:
    """Not left CREATED with its units until time expires it."""
    bench = Bench()
    settle = SettleOrder(bench.steps, await uncallable(), bench.results, patience())
    assert (await settle(ORDER, last_try=False)).end is End.RETRY
    assert (await settle(ORDER, last_try=True)).end is End.FAILED
    assert bench.rows(ORDER)[QUOTE].state == FAILED
    assert bench.results.outcomes(ORDER.order_id) == ["FAILED"]
