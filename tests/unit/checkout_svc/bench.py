"""A checkout process put together over fakes. Several of them may share one stock and one Kafka."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from grpc.aio import Metadata

from checkout_svc.intake import Intake
from checkout_svc.offer_registry import OfferRegistry, Offers
from checkout_svc.outbox_cleaner import OutboxCleaner
from checkout_svc.place_order import PlaceOrder
from checkout_svc.promotions import Promotions
from checkout_svc.purchase import Answer, Purchase
from checkout_svc.relay import Relay
from checkout_svc.reserve_window import ReserveWindow
from checkout_svc.unused_holds import UnusedHolds
from kernel.features import defaults
from kernel.offers import Offer
from kernel.order_ids import new_order_id
from kernel.stock.results import Mark, Reservation, ReserveRequest
from meshkit.breaker import Breaker
from meshkit.breaker_policy import Policy
from meshkit.flags import Flags
from meshkit.money import from_minor
from peakmesh.order.v1.order_pb2 import ShippingAddress
from peakmesh.promotion.v1 import promotion_service_pb2 as promotion_pb
from tests.fakes.publisher import FakePublisher
from tests.fakes.stock import FakeStock

OFFER = Offer(7, "sale-1", "sku-1", 1999, "EUR", 1, 250, 1, 1, 2)
ADDRESS = ShippingAddress(recipient="Ana", street="1 St", city="Berlin", postal_code="10115", country_code="DE")
CONSENT_MS = 30_000
# Long enough for a fake that answers at once, short enough for one that never does.
BUDGET = 0.05
PAYABLE_SECONDS = 600.0


@dataclass
class FakePromotions:
    """Stands in for the channel to promo_svc. `answer` None: nobody there, told with such `trailers`."""

    answer: promotion_pb.QuotePromotionResponse | None = None
    asked: int = 0
    holds: dict[str, tuple[str, int]] = field(default_factory=dict)
    freed: list[tuple[str, int]] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    trailers: Metadata = field(default_factory=Metadata)

    def unary_unary(self, path: str, *_codec: Any, **_more: Any) -> Any:
        return self._free if path.endswith("/FreeHolds") else self._quote

    async def _quote(self, request: Any, **options: Any) -> promotion_pb.QuotePromotionResponse:
        """The same request is given the hold that it took first."""
        self.asked += 1
        self.metadata.append(dict(options["metadata"]))
        answer = self._there()
        if answer.state == promotion_pb.PROMOTION_STATE_APPLIED:
            answer.order_id, take = self.holds.get(request.request_id, (request.order_id, 0))
            answer.take = take + 1
            self.holds[request.request_id] = (answer.order_id, answer.take)
        return answer

    async def _free(self, request: Any, **_options: Any) -> promotion_pb.FreeHoldsResponse:
        self._there()
        self.freed += [(hold.order_id, hold.take) for hold in request.holds]
        return promotion_pb.FreeHoldsResponse(freed=len(request.holds))

    def _there(self) -> promotion_pb.QuotePromotionResponse:
        if self.answer is None:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), self.trailers, "nobody there")
        copied = promotion_pb.QuotePromotionResponse()
        copied.CopyFrom(self.answer)
        return copied

    def applies(self, minor: int, currency: str = "EUR") -> None:
        self.answer = promotion_pb.QuotePromotionResponse(
            state=promotion_pb.PROMOTION_STATE_APPLIED, discount=from_minor(minor, currency)
        )

    def refuses(self, reason: str) -> None:
        self.answer = promotion_pb.QuotePromotionResponse(
            state=promotion_pb.PROMOTION_STATE_REFUSED, discount=from_minor(0, "EUR"), reason=reason
        )


def purchase(user: str = "ann", **changes: Any) -> Purchase:
    wish = Purchase(user, OFFER.sale_id, OFFER.sku, 1, str(uuid.uuid4()), "h1", 1, ADDRESS)
    return replace(wish, **changes)


def request_of(wish: Purchase) -> ReserveRequest:
    """As another process would ask the stock about the same tap."""
    order_id = new_order_id(OFFER.offer_no, 0)
    return ReserveRequest(order_id, wish.user_id, wish.request_id, wish.request_hash, wish.quantity, 1, b"e", 600_000)


@dataclass
class Bench:
    stock: FakeStock = field(default_factory=FakeStock)
    kafka: FakePublisher = field(default_factory=FakePublisher)
    promotions: FakePromotions = field(default_factory=FakePromotions)
    registry: Offers = field(default_factory=lambda: {(OFFER.sale_id, OFFER.sku): OFFER})
    loads: int = 0
    clock: Callable[[], float] = time.monotonic
    flags: Flags = field(default_factory=lambda: Flags(defaults()))

    def __post_init__(self) -> None:
        self.start()

    def start(self, budget: float = BUDGET) -> None:
        """A new process: what the old one had in memory is gone."""
        intake, self.cleaner = Intake(self.kafka), OutboxCleaner(self.stock)
        self.offers = OfferRegistry(self._load, miss_seconds=0)
        self.relay = Relay(self.offers, self.stock, intake, older_than_ms=2_000, consent_ms=CONSENT_MS)
        channel: Any = self.promotions
        self.breaker = Breaker("bench", Policy(slow_seconds=1.0), self.clock)
        self.unused = UnusedHolds(channel, 1.0, self.breaker)
        self.place = PlaceOrder(
            offers=self.offers,
            stock=self.stock,
            window=ReserveWindow(self.stock, 0),
            intake=intake,
            cleaner=self.cleaner,
            promotions=Promotions(channel, 1.0, self.breaker, self.unused, self.flags),
            unused=self.unused,
            budget_seconds=budget,
            deadline_seconds=PAYABLE_SECONDS,
        )

    async def _load(self) -> Offers:
        self.loads += 1
        return dict(self.registry)

    async def open(self, units: int = 5, offer: Offer = OFFER) -> "Bench":
        assert await self.stock.open_offer(offer, units, 0, 0)
        await self.offers.refresh()
        return self

    async def available(self) -> int:
        counters = await self.stock.counters(OFFER.offer_no, 0)
        assert counters is not None
        return counters.available

    async def held(self, answer: Answer) -> Reservation:
        found = await self.stock.reservation(answer.order_id)
        assert found is not None
        return found

    async def mark(self, answer: Answer) -> Mark:
        return (await self.held(answer)).mark
