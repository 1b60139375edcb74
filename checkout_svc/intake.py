"""The order as it goes to Kafka, and its publication."""

import asyncio
import math
import time
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from checkout_svc.metrics import ACK_SECONDS
from checkout_svc.purchase import Promotion, Purchase
from kernel.carried import CALL_DEADLINE, ORDER_DEADLINE, TRACE, of_this_call
from kernel.offers import Offer
from kernel.topics import ORDERS_INTAKE
from meshkit.clock import wall_ms
from meshkit.kafka.publisher import Headers
from meshkit.rpc import deadline
from meshkit.tracing import traceparent
from peakmesh.event.v1.events_pb2 import AcceptedOrder, CancelledOrder, OrderIntake

_ACCEPTED = ("event-type", b"OrderIntake.accepted")
_CANCELLED = ("event-type", b"OrderIntake.cancelled")


def accepted_event(order_id: str, purchase: Purchase, offer: Offer, promotion: Promotion, payable_ms: int) -> bytes:
    """The whole order, so that whoever reads the log needs nothing else. It expires unpaid after `payable_ms`."""
    now_ms = wall_ms()
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
        accepted_ms=now_ms,
        deadline_ms=now_ms + payable_ms,
        epoch=offer.epoch,
        placed_by=purchase.placed_by,
    )
    return OrderIntake(accepted=order).SerializeToString()


def cancelled_event(accepted: bytes, reason: str) -> bytes:
    order = OrderIntake.FromString(accepted).accepted
    return OrderIntake(cancelled=CancelledOrder(order=order, reason=reason)).SerializeToString()


def _of_this_call() -> Headers:
    """The buyer's call: its worth, until when they wait, and the trace that the workers' logs go on with. The relay
    serves none: what it publishes is CORE."""
    told = [of_this_call()]
    left = deadline.left()
    if left < math.inf:
        told.append((CALL_DEADLINE, str(wall_ms() + int(left * 1000)).encode()))
    trace = traceparent()
    if trace:
        told.append((TRACE, trace.encode()))
    return told


class Publisher(Protocol):
    """meshkit's, and the tests' fake."""

    async def publish(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> "asyncio.Future[Any]": ...


class Intake:
    """The door to `orders.intake`."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def accepted(self, order_id: str, event: bytes, answer_by: float, deadline_ms: int = 0) -> bool:
        """True when Kafka's ack was seen by `answer_by` (time.monotonic); False: the outcome is unknown. `deadline_ms`:
        of the order, not of its call, where it is at hand; it is in the event, too."""
        payable = ((ORDER_DEADLINE, str(deadline_ms).encode()),) if deadline_ms else ()
        return await self._publish(order_id, event, _ACCEPTED, answer_by, payable)

    async def cancelled(self, order_id: str, event: bytes, answer_by: float) -> bool:
        return await self._publish(order_id, event, _CANCELLED, answer_by)

    async def _publish(
        self, order_id: str, event: bytes, kind: tuple[str, bytes], answer_by: float, payable: Headers = ()
    ) -> bool:
        started = time.monotonic()
        headers = (("event-id", f"{order_id}:intake".encode()), kind, *payable, *_of_this_call())
        try:
            async with asyncio.timeout(answer_by - started):
                ack = await self._publisher.publish(ORDERS_INTAKE, order_id, event, headers)
                # Shielded: cancelling the future does not take the record back, it only hides its fate.
                await asyncio.shield(ack)
        except (TimeoutError, KafkaError):
            return False
        # Looked at again: a process that was stopped finds ack and timer together when it wakes, and by then the order
        # may be on its way to a cancel.
        seen = time.monotonic()
        ACK_SECONDS.observe(seen - started)
        return seen <= answer_by
