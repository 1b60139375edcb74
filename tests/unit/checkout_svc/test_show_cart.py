"""Each line beside what its offer is now; what cannot be bought is marked, and is in no total."""

from dataclasses import replace

import pytest

from checkout_svc.cart import CartLine
from checkout_svc.show_cart import LineState, totals
from kernel.offers import Offer
from kernel.stock.results import OfferState
from meshkit.clock import wall_ms
from meshkit.errors import OfferNotFound
from tests.unit.checkout_svc.cart_bench import CASE, PHONE, CartBench, stocked

HOUR_MS = 3_600_000


async def states(bench: CartBench) -> list[tuple[str, LineState]]:
    shown = await bench.show("ana", await bench.carts.read("ana"))
    return [(each.line.sku, each.state) for each in shown]


async def test_what_can_be_bought_is_summed_a_currency() -> None:
    bench = await stocked()
    dollars = Offer(15, "sale-3", "cup", 700, "USD", 1, 50, 1, 1, 5)
    await bench.reopen(dollars, 5)
    await bench.add(dollars, 3)
    shown = await bench.show("ana", await bench.carts.read("ana"))
    assert {each.state for each in shown} == {LineState.BUYABLE}
    assert [each.total_minor() for each in shown] == [3998, 500, 2100]
    assert totals(shown) == {"EUR": 4498, "USD": 2100}


async def test_the_price_now_stands_beside_the_price_when_added() -> None:
    bench = await stocked()
    bench.registry[PHONE.sale_id, PHONE.sku] = replace(PHONE, price_minor=2500, price_version=2)
    await bench.offers.refresh()
    phone, case = await bench.show("ana", await bench.carts.read("ana"))
    assert phone.offer is not None
    assert (phone.line.price_minor, phone.line.price_version) == (1999, 1)
    assert (phone.offer.price_minor, phone.offer.price_version, phone.total_minor()) == (2500, 2, 5000)
    assert totals([phone, case]) == {"EUR": 5500}


async def test_what_is_closed_sold_out_or_unknown_is_shown() -> None:
    bench = await stocked(cases=0)
    await bench.stock.set_state(PHONE.offer_no, 0, 1, OfferState.CLOSED)
    unknown = CartLine("sale-9", "gone", 1, 100, "EUR", 1)
    shown = await bench.show("ana", [*await bench.carts.read("ana"), unknown])
    assert [each.state for each in shown] == [LineState.CLOSED, LineState.SOLD_OUT, LineState.UNKNOWN]
    assert shown[2].offer is None
    assert totals(shown) == {}


@pytest.mark.parametrize(
    ("opens_ms", "closes_ms", "state"),
    [
        (HOUR_MS, 0, LineState.NOT_YET_OPEN),
        (HOUR_MS, 2 * HOUR_MS, LineState.NOT_YET_OPEN),
        (-HOUR_MS, HOUR_MS, LineState.BUYABLE),
        (-2 * HOUR_MS, -HOUR_MS, LineState.CLOSED),
    ],
)
async def test_a_sales_hours(opens_ms: int, closes_ms: int, state: LineState) -> None:
    bench, now = CartBench(), wall_ms()
    bench.registry[CASE.sale_id, CASE.sku] = CASE
    assert await bench.stock.open_offer(CASE, 5, now + opens_ms, closes_ms and now + closes_ms)
    await bench.add(CASE)
    assert await states(bench) == [("case", state)]


async def test_what_is_not_on_sale_is_not_added() -> None:
    bench = await stocked()
    with pytest.raises(OfferNotFound):
        await bench.add(replace(PHONE, sku="no-such-sku"))
    assert await bench.left() == [("phone", 2), ("case", 1)]
