"""What is on sale, as the counters and the clock say it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from checkout_svc.offer_registry import OfferRegistry, Offers
from checkout_svc.on_sale import GONE, OffersOnSale
from checkout_svc.shown_product import Availability, StockState
from kernel.offers import Offer
from kernel.stock.results import OfferState, ReserveRequest
from meshkit.errors import DependencyUnavailable
from tests.fakes.stock import FakeStock
from tests.unit.checkout_svc.bench import OFFER, purchase, request_of

NOW = 1_800_000_000_000


class Street:
    """Offers in a fake Redis, and what the catalogue was told of them."""

    def __init__(self) -> None:
        self.stock = FakeStock(NOW)
        self.offers: Offers = {}
        self.registry = OfferRegistry(self._load, miss_seconds=0)
        self.on_sale = OffersOnSale(self.registry, self.stock, self._tell, lambda: self.stock.now_ms)
        self.told: list[dict[str, Availability]] = []

    async def _load(self) -> Offers:
        return self.offers

    async def _tell(self, changed: Mapping[str, Availability]) -> None:
        self.told.append(dict(changed))

    async def open(self, number: int, units: int = 5, opens_ms: int = 0, closes_ms: int = 0, price: int = 100) -> Offer:
        offer = replace(OFFER, offer_no=number, sale_id=f"sale-{number}", price_minor=price)
        self.offers[offer.sale_id, offer.sku] = offer
        assert await self.stock.open_offer(offer, units, opens_ms, closes_ms)
        await self.registry.refresh()
        await self.on_sale.look()
        return offer

    async def states(self) -> dict[int, StockState]:
        await self.on_sale.look()
        return {each.offer.offer_no: each.state for each in self.on_sale.known()}


@pytest.fixture
def street() -> Street:
    return Street()


async def test_an_offer_goes_from_announced_to_over(street: Street) -> None:
    offer = await street.open(7, 1, opens_ms=NOW + 1000, closes_ms=NOW + 9000)
    assert await street.states() == {7: StockState.UPCOMING}
    street.stock.now_ms = NOW + 1000
    assert await street.states() == {7: StockState.IN_STOCK}
    order: ReserveRequest = request_of(purchase())
    await street.stock.reserve(7, 0, offer.epoch, [order])
    assert await street.states() == {7: StockState.SOLD_OUT}
    await street.stock.release(offer.epoch, [order.order_id])
    assert await street.states() == {7: StockState.IN_STOCK}
    street.stock.now_ms = NOW + 9000
    assert await street.states() == {}
    here = Availability(StockState.IN_STOCK, "sale-7", 100, "EUR", 1)
    steps = [Availability(StockState.UPCOMING), here, Availability(StockState.SOLD_OUT), here, GONE]
    assert street.told == [{OFFER.sku: step} for step in steps]


async def test_a_closed_offer_is_not_asked_about_again(street: Street) -> None:
    offer = await street.open(7)
    await street.stock.set_state(7, 0, offer.epoch, OfferState.CLOSED)
    assert await street.states() == {}
    await street.stock.set_state(7, 0, offer.epoch, OfferState.OPEN)
    assert await street.states() == {}


async def test_of_several_sales_the_best_is_told(street: Street) -> None:
    await street.open(3, 0)
    assert street.told[-1] == {OFFER.sku: Availability(StockState.SOLD_OUT)}
    await street.open(4, opens_ms=NOW + 1000)
    assert street.told[-1] == {OFFER.sku: Availability(StockState.UPCOMING)}
    await street.open(5, price=300)
    await street.open(6, price=200)
    assert street.told[-1] == {OFFER.sku: Availability(StockState.IN_STOCK, "sale-6", 200, "EUR", 1)}
    await street.on_sale.look()
    assert len(street.told) == 4


async def test_a_redis_that_is_away_changes_nothing(street: Street) -> None:
    await street.open(7)
    street.stock.down = True
    with pytest.raises(DependencyUnavailable):
        await street.on_sale.look()
    assert [each.state for each in street.on_sale.known()] == [StockState.IN_STOCK]
    street.stock.down = False
    street.offers["sale-8", "x"] = replace(OFFER, offer_no=8, sale_id="sale-8", sku="x")
    await street.registry.refresh()
    assert await street.states() == {7: StockState.IN_STOCK}
