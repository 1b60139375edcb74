"""Which offers take orders, and how much is left of them: the counters of all open offers in one round trip a tick."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from checkout_svc.offer_registry import OfferRegistry
from checkout_svc.shown_product import Availability, StockState
from kernel.offers import Offer
from kernel.stock.port import StockPort
from kernel.stock.results import Counters, OfferState
from meshkit.errors import DependencyUnavailable
from meshkit.patience import every

EVERY_SECONDS = 0.5
GONE = Availability(StockState.NOT_ON_SALE)
# Best first: what can be had now, then what will be, then what may come back.
_BEST = (StockState.IN_STOCK, StockState.UPCOMING, StockState.SOLD_OUT)


@dataclass(frozen=True, slots=True)
class OnSale:
    """An offer that is open or announced. Times in Unix ms; closes_ms 0: until it is closed."""

    offer: Offer
    state: StockState
    opens_ms: int
    closes_ms: int


class OffersOnSale:
    """What Redis said last stays while it is away. An offer that is over is not asked about again."""

    def __init__(
        self,
        registry: OfferRegistry,
        stock: StockPort,
        tell: Callable[[Mapping[str, Availability]], Awaitable[None]],
        now_ms: Callable[[], int],
    ) -> None:
        self._registry, self._stock, self._tell, self._now_ms = registry, stock, tell, now_ms
        self._over: set[int] = set()
        self._on_sale: dict[int, OnSale] = {}
        self._told: dict[str, Availability] = {}

    def known(self) -> list[OnSale]:
        """In the order of their offer numbers."""
        return [self._on_sale[number] for number in sorted(self._on_sale)]

    async def run(self) -> None:
        await every(EVERY_SECONDS, "availability", self.look, DependencyUnavailable)

    async def look(self) -> None:
        """Raises DependencyUnavailable."""
        offers = [offer for offer in self._registry.known() if offer.offer_no not in self._over]
        slots = [(offer.offer_no, bucket) for offer in offers for bucket in range(offer.buckets)]
        counted = iter(await self._stock.counters_of(slots))
        now_ms = self._now_ms()
        for offer in offers:
            self._judge(offer, [next(counted) for _ in range(offer.buckets)], now_ms)
        best = best_of(self.known())
        changed = {sku: each for sku, each in best.items() if self._told.get(sku) != each}
        changed |= {sku: GONE for sku in self._told if sku not in best}
        if changed:
            await self._tell(changed)
            self._told = best

    def _judge(self, offer: Offer, counted: Sequence[Counters | None], now_ms: int) -> None:
        known = [each for each in counted if each is not None]
        if not known:
            # Not opened yet, or lost: it stays what it was, and the rebuild or the operator decides.
            return
        first = known[0]
        if first.state is OfferState.CLOSED or 0 < first.closes_ms <= now_ms:
            self._over.add(offer.offer_no)
            self._on_sale.pop(offer.offer_no, None)
            return
        state = StockState.IN_STOCK if any(each.available > 0 for each in known) else StockState.SOLD_OUT
        if first.state is not OfferState.OPEN or now_ms < first.opens_ms:
            state = StockState.UPCOMING
        self._on_sale[offer.offer_no] = OnSale(offer, state, first.opens_ms, first.closes_ms)


def best_of(on_sale: Sequence[OnSale]) -> dict[str, Availability]:
    """By SKU: the best state of its offers, and the cheapest of those that can be bought of."""
    best: dict[str, OnSale] = {}
    for each in on_sale:
        other = best.setdefault(each.offer.sku, each)
        if _rank(each) < _rank(other):
            best[each.offer.sku] = each
    return {sku: _availability(each) for sku, each in best.items()}


def _rank(each: OnSale) -> tuple[int, int, int]:
    return _BEST.index(each.state), each.offer.price_minor, each.offer.offer_no


def _availability(each: OnSale) -> Availability:
    if each.state is not StockState.IN_STOCK:
        return Availability(each.state)
    offer = each.offer
    return Availability(each.state, offer.sale_id, offer.price_minor, offer.currency, offer.price_version)
