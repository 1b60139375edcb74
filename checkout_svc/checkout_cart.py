"""Freeze → one order a line → settle. Killed anywhere in between, a retry goes on with the same lines and orders."""

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID, uuid5

from checkout_svc.cart import CartLine, CartStore, Checkout
from checkout_svc.in_progress import InProgress
from checkout_svc.line_outcome import Outcome, is_final, refusal_of
from checkout_svc.place_order import PlaceOrder
from checkout_svc.purchase import Purchase, purchase_of
from meshkit.crash import crash_point
from meshkit.errors import DeadlinePassed, PeakmeshError
from meshkit.log import get_logger
from peakmesh.checkout.v1.checkout_service_pb2 import PlaceOrderRequest

log = get_logger(__name__)
# One cart's share of a reserve window, and of the 64 calls that Envoy lets through to promotions.
AT_ONCE = 16
# A line takes up to 1 s when Kafka is away, and the gateway gives the call 3: a line not begun by then is not begun.
BEGIN_SECONDS = 1.5

Line = tuple[CartLine, Outcome]


class CheckoutCart:
    """The use case. Its lines go through PlaceOrder like taps, and count as orders in progress like them."""

    def __init__(self, carts: CartStore, place_order: PlaceOrder, in_progress: InProgress) -> None:
        self._carts, self._place_order, self._in_progress = carts, place_order, in_progress
        self._running: set[asyncio.Task[list[Line]]] = set()

    async def __call__(self, checkout: Checkout) -> list[Line]:
        """Every line of the frozen cart. Raises what CartStore.freeze raises; Overloaded before anything is frozen.

        DependencyUnavailable means that the outcome is unknown: same request_id.
        """
        self._in_progress.check()
        # Goes on when its caller hangs up: orders are placed by then, and their lines must leave the cart.
        run = asyncio.create_task(self._run(checkout))
        self._running.add(run)
        run.add_done_callback(self._running.discard)
        return await asyncio.shield(run)

    async def _run(self, checkout: Checkout) -> list[Line]:
        frozen = await self._carts.freeze(checkout.user_id, checkout.request_id, checkout.body)
        crash_point("after_freeze")
        undecided = [line for line in frozen.lines if line.offer not in frozen.outcomes]
        outcomes = await self._order_all(checkout, undecided)
        crash_point("after_line_orders")
        fresh = {line.offer: outcome for line, outcome in zip(undecided, outcomes, strict=True)}
        final = {offer: outcome for offer, outcome in fresh.items() if is_final(outcome)}
        standing = frozen.outcomes
        if final:
            # Before it is told: what is said to be final must not be decided anew by a retry.
            settled = await self._carts.settle(checkout.user_id, checkout.request_id, final)
            standing = standing | settled.outcomes
        crash_point("after_settle")
        return [(line, standing.get(line.offer) or fresh[line.offer]) for line in frozen.lines]

    async def _order_all(self, checkout: Checkout, lines: Sequence[CartLine]) -> list[Outcome]:
        turn, begin_by = asyncio.Semaphore(AT_ONCE), time.monotonic() + BEGIN_SECONDS

        async def order(line: CartLine) -> Outcome:
            try:
                async with turn:
                    if time.monotonic() > begin_by:
                        raise DeadlinePassed("not tried in time: repeat with the same request_id")
                    with self._in_progress:
                        return await self._place_order(line_purchase(checkout, line))
            except PeakmeshError as error:
                return refusal_of(error)
            except Exception:
                # A defect in one line must not hide what became of the others, which may have orders.
                log.exception("line not ordered", sale_id=line.sale_id, sku=line.sku)
                return refusal_of(PeakmeshError("internal error"))

        return list(await asyncio.gather(*[order(line) for line in lines]))


def line_purchase(checkout: Checkout, line: CartLine) -> Purchase:
    """As if the buyer had tapped on the line, at the price it was added at."""
    request = PlaceOrderRequest(
        sale_id=line.sale_id,
        sku=line.sku,
        quantity=line.quantity,
        request_id=str(uuid5(UUID(checkout.request_id), line.sku)),
        shipping_address=checkout.address,
        price_version=line.price_version,
        voucher_code=checkout.voucher_code,
        require_promotion=checkout.require_promotion,
    )
    return purchase_of(request, checkout.user_id)
