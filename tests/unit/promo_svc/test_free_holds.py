"""Which holds are freed at once, and which are kept for a call that may still be at work."""

from collections.abc import Sequence

import pytest

from kernel.vouchers.redis_holds import Action, Grant, SettleKind
from promo_svc.free_holds import free_holds


class Asked:
    """Everything that it is asked for is there."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Action, list[Grant]]] = []

    async def settle(self, code: str, action: Action, grants: Sequence[Grant]) -> list[SettleKind]:
        self.asked.append((code, action, list(grants)))
        return [SettleKind.MOVED for _ in grants]


ONCE, TWICE, OTHER = Grant("o1", n=1), Grant("o1", n=2), Grant("o2", n=1)


@pytest.mark.parametrize(("unused", "asked", "freed"), [
    ([("V", ONCE)], [("V", Action.FREE, [ONCE])], 1),
    ([("V", TWICE)], [("V", Action.SHORTEN, [TWICE])], 0),
    ([("V", ONCE), ("V", TWICE)], [("V", Action.SHORTEN, [TWICE])], 0),
    ([("V", TWICE), ("V", ONCE)], [("V", Action.SHORTEN, [TWICE])], 0),
    ([("V", TWICE), ("W", OTHER)], [("V", Action.SHORTEN, [TWICE]), ("W", Action.FREE, [OTHER])], 1),
])  # fmt: skip
async def test_the_last_take_of_an_order_decides(
    unused: list[tuple[str, Grant]], asked: list[tuple[str, Action, list[Grant]]], freed: int
) -> None:
    holds = Asked()
    assert await free_holds(holds, unused) == freed
    assert holds.asked == asked
