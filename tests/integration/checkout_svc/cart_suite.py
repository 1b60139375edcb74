"""What CartStore promises, run over Redis here and over the fake in tests/unit/checkout_svc."""

from uuid import uuid4

import pytest

from checkout_svc.cart import Action, CartLimits, CartLine, CartStore, Change
from checkout_svc.line_outcome import Refusal
from checkout_svc.purchase import Answer, Promotion, PromotionState
from meshkit.errors import CartEmpty, CartFull, CartLineNotFound, Overloaded, RequestIdReused

LIMITS = CartLimits(lines=3, units=10, seconds=600, frozen=2, frozen_seconds=300)
PHONE = CartLine("sale-1", "phone", 2, 1999, "EUR", 1)
CASE = CartLine("sale-2", "case", 1, 500, "EUR", 4)
SOLD_OUT = Refusal("SOLD_OUT", "sold out", {"available": "0"})
ORDER = Answer("order-1", True, 1_800_000_000_000, Promotion(PromotionState.APPLIED, 250), "EUR")


def change(action: Action, line: CartLine | None = None, request_id: str = "", **changes: int) -> Change:
    if line and changes:
        fields = {name: getattr(line, name) for name in CartLine.__dataclass_fields__}
        line = CartLine(**fields | changes)
    return Change(action, request_id or str(uuid4()), line)


async def add(carts: CartStore, line: CartLine, user: str = "ana") -> list[CartLine]:
    return await carts.change(user, change(Action.ADD, line))


def seen(lines: list[CartLine]) -> list[tuple[str, int]]:
    return [(line.sku, line.quantity) for line in lines]


class ChangeSuite:
    async def test_lines_stand_in_the_order_they_were_first_added(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        await add(carts, CASE)
        lines = await add(carts, PHONE)
        assert seen(lines) == [("phone", 4), ("case", 1)]
        assert lines == await carts.read("ana")
        assert await carts.read("bob") == []

    async def test_a_line_has_the_price_of_its_last_change(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        raised = change(Action.ADD, PHONE, quantity=1, price_minor=2500, price_version=2)
        [line] = await carts.change("ana", raised)
        assert (line.quantity, line.price_minor, line.price_version) == (3, 2500, 2)
        [line] = await carts.change("ana", change(Action.SET, PHONE, price_minor=1800, price_version=3))
        assert (line.quantity, line.price_minor, line.price_version) == (2, 1800, 3)

    @pytest.mark.parametrize("action", list(Action))
    async def test_a_change_is_made_once_a_request_id(self, carts: CartStore, action: Action) -> None:
        await add(carts, PHONE)
        wish = change(action, None if action is Action.CLEAR else PHONE)
        once = await carts.change("ana", wish)
        assert await carts.change("ana", wish) == once
        later = await add(carts, CASE)
        assert await carts.change("ana", wish) == later

    async def test_an_add_that_is_repeated_after_a_removal_does_not_come_back(self, carts: CartStore) -> None:
        wish = change(Action.ADD, PHONE)
        await carts.change("ana", wish)
        await carts.change("ana", change(Action.CLEAR))
        assert await carts.change("ana", wish) == []

    async def test_a_retry_may_find_another_price(self, carts: CartStore) -> None:
        wish = change(Action.ADD, PHONE)
        once = await carts.change("ana", wish)
        assert await carts.change("ana", change(Action.ADD, PHONE, wish.request_id, price_version=2)) == once

    async def test_a_request_id_means_one_change(self, carts: CartStore) -> None:
        wish = change(Action.ADD, PHONE)
        once = await carts.change("ana", wish)
        for other in (
            change(Action.ADD, PHONE, wish.request_id, quantity=1),
            change(Action.ADD, CASE, wish.request_id),
            change(Action.SET, PHONE, wish.request_id),
            change(Action.CLEAR, None, wish.request_id),
        ):
            with pytest.raises(RequestIdReused):
                await carts.change("ana", other)
        assert await carts.read("ana") == once
        assert seen(await carts.change("bob", wish)) == [("phone", 2)]

    async def test_a_line_that_is_not_there_cannot_be_set_and_is_removed_already(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        with pytest.raises(CartLineNotFound):
            await carts.change("ana", change(Action.SET, CASE))
        assert seen(await carts.change("ana", change(Action.REMOVE, CASE))) == [("phone", 2)]
        assert await carts.change("ana", change(Action.REMOVE, PHONE)) == []

    async def test_a_line_has_so_many_units_and_no_more(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        for too_many in (change(Action.ADD, PHONE, quantity=9), change(Action.SET, PHONE, quantity=11)):
            with pytest.raises(CartFull) as raised:
                await carts.change("ana", too_many)
            assert raised.value.metadata == {"most": "10"}
        assert seen(await carts.read("ana")) == [("phone", 2)]
        assert seen(await carts.change("ana", change(Action.ADD, PHONE, quantity=8))) == [("phone", 10)]

    async def test_a_cart_has_so_many_lines_and_a_refused_change_may_be_repeated(self, carts: CartStore) -> None:
        for sku in ("a", "b", "c"):
            await add(carts, CartLine("sale-1", sku, 1, 1, "EUR", 1))
        wish = change(Action.ADD, PHONE)
        with pytest.raises(CartFull) as raised:
            await carts.change("ana", wish)
        assert raised.value.metadata == {"most": "3"}
        await carts.change("ana", change(Action.REMOVE, CartLine("sale-1", "b", 0, 0, "", 0)))
        assert seen(await carts.change("ana", wish)) == [("a", 1), ("c", 1), ("phone", 2)]


class CheckoutSuite:
    async def test_a_frozen_cart_stays_as_it_was(self, carts: CartStore) -> None:
        lines = await add(carts, PHONE)
        frozen = await carts.freeze("ana", "r1", "body")
        assert (frozen.lines, frozen.outcomes) == (lines, {})
        await carts.change("ana", change(Action.CLEAR))
        assert await carts.freeze("ana", "r1", "body") == frozen
        with pytest.raises(RequestIdReused):
            await carts.freeze("ana", "r1", "another body")

    async def test_an_empty_cart_is_not_frozen(self, carts: CartStore) -> None:
        with pytest.raises(CartEmpty):
            await carts.freeze("ana", "r1", "body")
        await carts.change("ana", change(Action.CLEAR))
        with pytest.raises(CartEmpty):
            await carts.freeze("ana", "r1", "body")
        await add(carts, PHONE)
        assert seen((await carts.freeze("ana", "r1", "body")).lines) == [("phone", 2)]

    async def test_a_user_may_begin_so_many_checkouts(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        first = await carts.freeze("ana", "r1", "body")
        await carts.freeze("ana", "r2", "body")
        with pytest.raises(Overloaded) as raised:
            await carts.freeze("ana", "r3", "body")
        assert raised.value.retry_after
        assert await carts.freeze("ana", "r1", "body") == first

    async def test_what_was_ordered_leaves_the_cart_once(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        await add(carts, CASE)
        await carts.freeze("ana", "r1", "body")
        await add(carts, PHONE)
        for _ in range(2):
            settled = await carts.settle("ana", "r1", {PHONE.offer: ORDER, CASE.offer: SOLD_OUT})
            assert settled.outcomes == {PHONE.offer: ORDER, CASE.offer: SOLD_OUT}
            assert seen(await carts.read("ana")) == [("phone", 2), ("case", 1)]
        assert await carts.freeze("ana", "r1", "body") == settled

    async def test_a_line_that_was_ordered_whole_is_gone(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        await carts.freeze("ana", "r1", "body")
        await carts.settle("ana", "r1", {PHONE.offer: ORDER})
        assert await carts.read("ana") == []

    async def test_a_line_taken_out_and_added_anew_is_another_line(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        await carts.freeze("ana", "r1", "body")
        await carts.change("ana", change(Action.REMOVE, PHONE))
        await add(carts, PHONE)
        await carts.settle("ana", "r1", {PHONE.offer: ORDER})
        assert seen(await carts.read("ana")) == [("phone", 2)]

    async def test_the_first_outcome_stands_unless_an_order_exists(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        await carts.freeze("ana", "r1", "body")
        other = Refusal("LIMIT_REACHED", "enough", retry_after=2.5)
        for told, stands in ((SOLD_OUT, SOLD_OUT), (other, SOLD_OUT), (ORDER, ORDER), (SOLD_OUT, ORDER)):
            assert (await carts.settle("ana", "r1", {PHONE.offer: told})).outcomes == {PHONE.offer: stands}
        assert await carts.read("ana") == []

    async def test_what_was_not_frozen_is_not_settled(self, carts: CartStore) -> None:
        await add(carts, PHONE)
        assert (await carts.settle("ana", "r1", {PHONE.offer: ORDER})).outcomes == {}
        await carts.freeze("ana", "r1", "body")
        await add(carts, CASE)
        assert (await carts.settle("ana", "r1", {CASE.offer: ORDER})).outcomes == {}
        assert seen(await carts.read("ana")) == [("phone", 2), ("case", 1)]


class CartSuite(ChangeSuite, CheckoutSuite):
    """All of it; a subclass brings a `carts` fixture with nothing in it, at LIMITS."""
