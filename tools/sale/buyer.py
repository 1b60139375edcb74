"""One buyer: taps once, and is as stubborn as a good client: the same request_id until the answer is final."""

import asyncio
import random
import time
from typing import Any

from meshkit.errors import DeadlinePassed, DependencyUnavailable, Overloaded, PeakmeshError
from meshkit.rpc.client import call
from peakmesh.checkout.v1 import checkout_service_pb2 as pb
from peakmesh.order.v1.order_pb2 import ShippingAddress
from tools.sale.history import History
from tools.sale.spec import Buyer, LoadSpec

TIMEOUT_SECONDS = 5.0
UNKNOWN_RETRIES = 8
PENDING_SECONDS = 60.0
ADDRESS = ShippingAddress(
    recipient="A Buyer", street="High Street 1", city="Berlin", postal_code="10115", country_code="DE"
)


async def buy(place_order: Any, spec: LoadSpec, buyer: Buyer, scheduled: float, history: History) -> None:
    """`scheduled`: Unix seconds at which the tap was due; latency counts from there, a late send included."""
    request = pb.PlaceOrderRequest(
        sale_id=spec.sale_id,
        sku=spec.sku,
        quantity=1,
        request_id=buyer.request_id,
        shipping_address=ADDRESS,
        price_version=spec.price_version,
        voucher_code=buyer.voucher,
    )
    metadata = (("authorization", f"Bearer {buyer.token}"),)
    late_ms = round((time.time() - scheduled) * 1000, 3)
    history.counts["offered"] += 1
    history.write("invoke", buyer.user, buyer.request_id, late_ms=late_ms)
    give_up = scheduled + PENDING_SECONDS
    attempt = 0
    while True:
        attempt += 1
        kind, outcome, order_id = await _tap(place_order, request, metadata)
        latency_ms = round((time.time() - scheduled) * 1000, 3)
        facts = {"outcome": outcome, "latency_ms": latency_ms, "attempt": attempt}
        history.write(kind, buyer.user, buyer.request_id, order_id=order_id, **facts)
        again = outcome == "PENDING" or (kind == "info" and attempt <= UNKNOWN_RETRIES)
        if not again or time.time() > give_up:
            history.counts[_final(kind, outcome)] += 1
            return
        await asyncio.sleep(random.uniform(0.1, 0.5 * min(attempt, 4)))


async def _tap(place_order: Any, request: pb.PlaceOrderRequest, metadata: Any) -> tuple[str, str, str]:
    """(type, outcome, order_id) of one call."""
    try:
        answer = await call(place_order, request, timeout=TIMEOUT_SECONDS, dependency="checkout", metadata=metadata)
    except (DependencyUnavailable, DeadlinePassed) as error:
        return "info", error.reason, ""
    except Overloaded as error:
        return "info", error.reason, ""
    except PeakmeshError as error:
        return "fail", error.reason, ""
    return "ok", pb.Acceptance.Name(answer.acceptance).removeprefix("ACCEPTANCE_"), answer.order_id


def _final(kind: str, outcome: str) -> str:
    if kind == "ok":
        return "accepted" if outcome == "QUEUED" else "pending"
    return "sold_out" if outcome == "SOLD_OUT" else "errors"
