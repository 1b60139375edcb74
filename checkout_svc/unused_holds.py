"""Gives vouchers' holds back, in batches behind the answers."""

import asyncio
from collections import deque
from typing import Any

import grpc

from checkout_svc.metrics import HOLDS_UNUSED
from checkout_svc.purchase import Quote
from meshkit.breaker import Breaker
from meshkit.errors import PeakmeshError
from meshkit.log import get_logger
from meshkit.rpc.client import call
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc

log = get_logger(__name__)
EVERY_SECONDS = 0.1
# After a call that failed: promotions that are slow must not be asked ten times a second by each checkout.
PAUSE_SECONDS = 1.0
BATCH = 100
MOST = 10_000


class UnusedHolds:
    """Best effort and bounded: what it drops, or forgets by a crash, the hold's own expiry gives back."""

    def __init__(self, egress: grpc.aio.Channel, budget_seconds: float, breaker: Breaker) -> None:
        self._stub: Any = rpc.PromotionServiceStub(egress)
        self._budget, self._breaker = budget_seconds, breaker
        self._waiting: deque[pb.UnusedHold] = deque(maxlen=MOST)

    def add(self, voucher_code: str, quote: Quote) -> None:
        """promo_svc frees a hold that nobody else has. One taken again is an earlier call's too, who may be about to
        reserve with it: that one it lets expire soon."""
        if quote.take:
            hold = pb.UnusedHold(voucher_code=voucher_code, order_id=quote.order_id, take=quote.take)
            self._waiting.append(hold)

    async def run(self) -> None:
        try:
            while True:
                answered = await self.free()
                await asyncio.sleep(EVERY_SECONDS if answered else PAUSE_SECONDS)
        finally:
            await self.free()

    async def free(self) -> bool:
        """Sends what waits, oldest first; False where promotions did not answer or are cut off, and the rest waits."""
        while self._waiting:
            permit = self._breaker.permit()
            if permit is None:
                return False
            holds = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            request = pb.FreeHoldsRequest(holds=holds)
            try:
                with permit:
                    await call(self._stub.FreeHolds, request, timeout=self._budget, dependency="promo_svc")
            except PeakmeshError as error:
                log.info("holds not freed yet", holds=len(holds), error=error.message)
                HOLDS_UNUSED.labels("put_off").inc(len(holds))
                self._waiting.extendleft(reversed(holds[: MOST - len(self._waiting)]))
                return False
            HOLDS_UNUSED.labels("freed").inc(len(holds))
        return True
