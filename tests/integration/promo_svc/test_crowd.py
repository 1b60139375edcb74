"""A hundred vouchers under a thousand parallel buyers, through a real checkout."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from prometheus_client import REGISTRY

from checkout_svc.app import running
from checkout_svc.settings import Settings
from kernel.offers import OFFERS_KEY, Offer, publish_offer
from meshkit.errors import PeakmeshError, PromotionRefused, SoldOut
from meshkit.identity import Role
from meshkit.rpc.client import call, channel
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as checkout_rpc
from peakmesh.order.v1.order_pb2 import ShippingAddress
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from tests.integration.promo_svc.world import World

ADDRESS = ShippingAddress(recipient="Ana", street="1 St", city="Berlin", postal_code="10115", country_code="DE")
BUYERS, VOUCHERS = 1_000, 100


def freed() -> float:
    """Holds that checkout gave back, as promo_svc counts them: it runs in this process."""
    return REGISTRY.get_sample_value("peakmesh_promo_holds_total", {"end": "freed"}) or 0.0


async def place(world: World, wire: grpc.aio.Channel, offer: Offer, number: int, code: str) -> Any:
    """Every second buyer wants the discount or nothing."""
    user = f"crowd-{number}"
    request = checkout.PlaceOrderRequest(
        sale_id=offer.sale_id,
        sku=offer.sku,
        quantity=1,
        request_id=f"00000000-0000-4000-8000-{number + 1:012d}",
        shipping_address=ADDRESS,
        price_version=1,
        voucher_code=code,
        require_promotion=number % 2 == 0,
    )
    stub: Any = checkout_rpc.CheckoutServiceStub(wire)
    metadata = (("authorization", f"Bearer {world.issuer.issue(user, Role.BUYER)}"),)
    return await call(stub.PlaceOrder, request, timeout=30, dependency="checkout", metadata=metadata)


@pytest.mark.parametrize(
    ("units", "refusals"),
    # Fewer units than vouchers: most holds come back. More: the budget ends first.
    [(60, {SoldOut}), (300, {SoldOut, PromotionRefused})],
)
async def test_the_budget_is_never_passed_and_who_got_nothing_gives_back(
    world: World, units: int, refusals: set[type[PeakmeshError]], figure: Callable[[str], None]
) -> None:
    code = world.voucher(budget_grants=VOUCHERS, uses_per_user=1)
    offer = Offer(world.offer_no, f"sale-{code}", "sku-1", 1_000, "EUR", 1, 1, 1, 1, 1)
    assert await world.stock.open_offer(offer, units, 0, 0)
    await publish_offer(world.redis, offer)
    most, freed_before = [0], freed()

    async def watch() -> None:
        while True:
            most[0] = max(most[0], sum(await world.grants(code)))
            await asyncio.sleep(0.01)

    # A thousand in one process are late; that they are is not the question here.
    patient: dict[str, Any] = {
        "promotion_budget_ms": 20_000,
        "promotion_at_once": BUYERS,
        "accept_budget_ms": 20_000,
        "drain_seconds": 0,
    }
    async with world.promotions(promo_redis_ms=20_000) as promo:
        settings = Settings(
            port_base=world.mesh.port_base, run_dir=world.mesh.run_dir, egress_target=f"127.0.0.1:{promo}", **patient
        )
        async with running(settings) as port, channel(f"127.0.0.1:{port}") as wire:
            watching = asyncio.create_task(watch())
            calls = [place(world, wire, offer, number, code) for number in range(BUYERS)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            watching.cancel()
            accepted = [each for each in answers if isinstance(each, checkout.PlaceOrderResponse)]
            refused = Counter(type(each) for each in answers if isinstance(each, PeakmeshError))
            assert len(accepted) == units, refused
            assert refusals <= set(refused) <= {SoldOut, PromotionRefused}
            discounted = [each for each in accepted if each.promotion.state == pb.PROMOTION_STATE_APPLIED]
            assert all(each.promotion.discount.nanos or each.promotion.discount.units for each in discounted)
            assert min(units, VOUCHERS) // 2 < len(discounted) <= most[0] <= VOUCHERS
            # The sold-out buyers' holds come back behind their answers.
            await world.becomes(code, held=len(discounted), committed=0)
            told = {kind.__name__: count for kind, count in refused.items()}
            figure(
                f"{BUYERS} buyers at once, a budget of {VOUCHERS}, {units} units: {len(discounted)} sold at a discount,"
                f" at most {most[0]} granted at once, {freed() - freed_before:.0f} holds given back; {told}"
            )
            # Where there are fewer units than vouchers, somebody held one and was sold out.
            assert freed() - freed_before >= max(0, VOUCHERS - units)
            await _settle(world, code, [each.order_id for each in discounted])
    await world.redis.hdel(OFFERS_KEY, f"{offer.sale_id}|{offer.sku}")


async def _settle(world: World, code: str, order_ids: list[str]) -> None:
    """Every third payment fails."""
    failed, paid = order_ids[::3], [each for number, each in enumerate(order_ids) if number % 3]
    await world.write("CREATED", order_ids, code)
    await world.tell("PAID", paid)
    await world.tell("FAILED", failed)
    await world.becomes(code, held=0, committed=len(paid))
    counters = await world.counters(code)
    assert counters.committed_minor == 100 * len(paid)
    again = await asyncio.gather(*(world.quote(code, f"second-{number}") for number in range(VOUCHERS)))
    assert Counter(each.state for each in again) == {
        pb.PROMOTION_STATE_APPLIED: VOUCHERS - len(paid),
        pb.PROMOTION_STATE_REFUSED: len(paid),
    }
