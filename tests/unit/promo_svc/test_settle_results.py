"""What a batch of results asks of a grant, in whatever order it is told."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import permutations

import pytest

from kernel.order_ids import new_order_id
from kernel.order_states import FAILED_STATES, OrderState
from kernel.topics import PAYMENTS_RESULTS
from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from meshkit.kafka.consumer import Record
from peakmesh.event.v1.events_pb2 import PaymentOutcome, PaymentResult
from promo_svc.order_rows import OrderRow
from promo_svc.settle_results import SettleResults

ORDER = new_order_id(5, 0)


@dataclass
class Asked:
    actions: list[Action] = field(default_factory=list)

    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]:
        self.actions.append(action)
        return [SettleKind.MOVED for _ in grants]


@dataclass
class OneRow:
    state: OrderState
    given_back: bool = False

    async def find(self, order_ids: Collection[str]) -> dict[str, OrderRow]:
        return {each: OrderRow(each, "ana", "V", 100, self.state, self.given_back) for each in order_ids}


async def asked(row: OneRow, *outcomes: str) -> list[Action]:
    """Of one batch."""
    holds = Asked()
    told = [PaymentResult(order_id=ORDER, outcome=PaymentOutcome.Value(f"PAYMENT_OUTCOME_{each}")) for each in outcomes]
    values = [each.SerializeToString() for each in told]
    records = [Record(PAYMENTS_RESULTS, 0, offset, ORDER, value, {}, 0) for offset, value in enumerate(values)]
    await SettleResults(holds, row, ["V"])(records)
    return holds.actions


@pytest.mark.parametrize("told", list(permutations(("PAID", "SETTLED", "REFUNDED"))), ids="-".join)
async def test_what_went_back_stays_back_whatever_is_told_after_it(told: tuple[str, ...]) -> None:
    assert await asked(OneRow(OrderState.PAID, given_back=True), *told) == [Action.REFUND]


@pytest.mark.parametrize("told", [("PAID", "SETTLED"), ("SETTLED", "PAID"), ("PAID",)], ids="-".join)
async def test_what_is_paid_is_committed_also_where_settled_overtook_it(told: tuple[str, ...]) -> None:
    assert await asked(OneRow(OrderState.CREATED), *told) == [Action.COMMIT]


@pytest.mark.parametrize("told", ["PAID", "SETTLED"])
@pytest.mark.parametrize("state", sorted(FAILED_STATES | {OrderState.REFUNDED}))
async def test_the_charge_of_an_order_that_has_failed_takes_nothing(state: OrderState, told: str) -> None:
    assert await asked(OneRow(state), told) == []


async def test_a_paid_that_comes_late_takes_no_grant_that_is_gone() -> None:
    assert await asked(OneRow(OrderState.PAID, given_back=True), "PAID") == [Action.CONFIRM]


async def test_a_settled_alone_takes_no_grant_that_is_gone() -> None:
    assert await asked(OneRow(OrderState.TO_SHIP), "SETTLED") == [Action.CONFIRM]
