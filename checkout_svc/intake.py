"""The order as it goes to Kafka, and its publication."""

import asyncio
import time
from typing import Any

from aiokafka.errors import KafkaError

from checkout_svc.metrics import ACK_SECONDS
from checkout_svc.purchase import Promotion, Purchase
from kernel.offers import Offer
from kernel.topics import ORDERS_INTAKE
from meshkit.kafka.publisher import Publisher
from peakmesh.event.v1.events_pb2 import AcceptedOrder, CancelledOrder, OrderIntake

_ACCEPTED = (("event-type", b"OrderIntake.accepted"),)
_CANCELLED = (("event-type", b"OrderIntake.cancelled"),)


def accepted_event(order_id: str, purchase: Purchase, offer: Offer, promotion: Promotion, deadline_ms: int) -> bytes:
    """The whole order, so that whoever reads the log needs nothing else."""
    order = AcceptedOrder(
        order_id=order_id,
        offer_no=offer.offer_no,
        sale_id=offer.sale_id,
        sku=offer.sku,
        quantity=purchase.quantity,
        user_id=purchase.user_id,
        request_id=purchase.request_id,
        request_hash=purchase.request_hash,
        unit_price_minor=offer.price_minor,
        currency=offer.currency,
        price_version=offer.price_version,
        discount_minor=promotion.discount_minor,
        voucher_code=purchase.voucher_code if promotion.discount_minor else "",
        unit_weight_grams=offer.unit_weight_grams,
        shipping_address=purchase.address,
        accepted_ms=int(time.time() * 1000),
        deadline_ms=deadline_ms,
        epoch=offer.epoch,
        placed_by=purchase.placed_by,
    )
    return OrderIntake(accepted=order).SerializeToString()


def cancelled_event(accepted: bytes, reason: str) -> bytes:
    order = OrderIntake.FromString(accepted).accepted
    return OrderIntake(cancelled=CancelledOrder(order=order, reason=reason)).SerializeToString()


class Intake:
    """The door to `orders.intake`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def accepted(self, order_id: str, event: bytes, budget: float) -> bool:
        """True when Kafka acknowledged within `budget` seconds; False: the outcome is unknown."""
        return await self._publish(order_id, event, _ACCEPTED, budget)

    async def cancelled(self, order_id: str, event: bytes, budget: float) -> bool:
        return await self._publish(order_id, event, _CANCELLED, budget)

    async def _publish(self, order_id: str, event: bytes, headers: Any, budget: float) -> bool:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(budget):
                ack = await self._publisher.publish(ORDERS_INTAKE, order_id, event, headers)
                # Shielded: cancelling the future does not take the record back, it only hides its fate.
                await asyncio.shield(ack)
        except (TimeoutError, KafkaError):
            return False
        ACK_SECONDS.observe(time.perf_counter() - started)
        return True
