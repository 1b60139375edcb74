"""What the tests of the stock ask it, and how they count it."""

import uuid
from typing import Protocol

from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.stock.port import StockPort
from kernel.stock.results import ReserveKind, ReserveRequest

OFFER = Offer(7, "sale-1", "sku-1", 1999, "EUR", 1, 250, 1, 1, 2)
EPOCH = OFFER.epoch
DEADLINE_MS = 600_000
CONSENT_MS = 30_000


class ClockedStock(StockPort, Protocol):
    now_ms: int


def request(
    user: str = "ann",
    *,
    quantity: int = 1,
    request_id: str = "",
    request_hash: str = "h1",
    price_version: int = 1,
    order_id: str = "",
    offer_no: int = OFFER.offer_no,
    answer: str = "",
) -> ReserveRequest:
    return ReserveRequest(
        order_id=order_id or new_order_id(offer_no, 0),
        user_id=user,
        request_id=request_id or str(uuid.uuid4()),
        request_hash=request_hash,
        quantity=quantity,
        price_version=price_version,
        event=b"event|\x00\xff of " + user.encode(),
        deadline_after_ms=DEADLINE_MS,
        answer=answer,
    )


async def opened(stock: StockPort, units: int, limit: int = 2, offer_no: int = OFFER.offer_no) -> None:
    offer = Offer(offer_no, "sale-1", "sku-1", 1999, "EUR", 1, 250, EPOCH, 1, limit)
    assert await stock.open_offer(offer, units, 0, 0)


async def kinds(stock: StockPort, *requests: ReserveRequest, epoch: int = EPOCH) -> list[ReserveKind]:
    return [result.kind for result in await stock.reserve(OFFER.offer_no, 0, epoch, requests)]


async def tally(stock: StockPort, offer_no: int = OFFER.offer_no) -> tuple[int, int, int]:
    """(available, reserved, sold), after checking that they agree with the reservations behind them."""
    snapshot = await stock.snapshot(offer_no, 0)
    assert snapshot is not None
    counters = snapshot.counters
    assert counters.initial == counters.available + counters.reserved + counters.sold
    assert (snapshot.held, snapshot.sold + counters.trimmed) == (counters.reserved, counters.sold)
    assert snapshot.holdings == counters.reserved + counters.sold
    assert snapshot.due_length == await _number_in(stock, offer_no)
    assert snapshot.negative == ()
    return counters.available, counters.reserved, counters.sold


async def _number_in(stock: StockPort, offer_no: int) -> int:
    return len(await stock.overdue(offer_no, 0, 2**52, 100_000))
