"""Every process is restarted under load, one after the other: no call through Envoy fails, and nothing is lost."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.holds import assert_audit_holds
from tests.e2e.shop import OpenSale, Shop, State
from tools.devstack import Mesh, restart_process

EVERY_SECONDS = 0.1
ROLLED = (
    *("checkout_svc_0", "checkout_svc_1", "order_serve_0", "order_serve_1"),
    *("promo_svc", "order_worker", "payment_worker", "governor"),
)


@dataclass
class Load:
    """Ten purchases a second, each looked up at once; failures with the process that was restarted meanwhile."""

    shop: Shop
    sale: OpenSale
    rolling: str = ""
    orders: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as calls:
            for number in count():
                calls.create_task(self._buy(f"buyer-{number}"))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), EVERY_SECONDS)
                    return

    async def _buy(self, user: str) -> None:
        rolling = self.rolling
        try:
            answer = await self.shop.place(user, self.sale, voucher_code="WELCOME10")
            self.orders[user] = answer.order_id
            await self.shop.order(user, answer.order_id)
        except Exception as error:
            self.failures.append(f"{user}, {rolling} → {self.rolling}: {error!r}")


# Eight restarts, and a minute for whatever was bought meanwhile.
@pytest.mark.timeout(240)
async def test_no_call_fails_while_every_process_is_restarted(shop: Shop, mesh: Mesh, tmp_path: Path) -> None:
    sale = await shop.open_sale(units=20_000)
    load, stop = Load(shop, sale), asyncio.Event()
    running = asyncio.create_task(load.run(stop))
    try:
        for name in ROLLED:
            load.rolling = name
            await asyncio.to_thread(restart_process, name, None, mesh)
    finally:
        stop.set()
        await running
    assert load.failures == []
    assert len(load.orders) > 100, "there was a load"
    print(f"{len(load.orders)} purchases over {len(ROLLED)} restarts, none failed")
    for user, order_id in load.orders.items():
        await shop.reaches(user, order_id, State.ORDER_STATE_TO_SHIP, within=60)
    await assert_audit_holds(shop, sale, list(load.orders.values()), tmp_path)
