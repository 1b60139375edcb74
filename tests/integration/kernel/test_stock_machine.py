"""The real scripts against a model in Python (the fake), with kill -9 and restart of the server as a rule."""

import asyncio
import tempfile
import time
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from redis.asyncio import Redis

from kernel.order_ids import new_order_id
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import OfferState, Reservation, ReserveKind, ReserveRequest, ReserveResult
from meshkit.errors import DependencyUnavailable
from tests.fakes.stock import FakeStock
from tests.integration.kernel.redis_server import RedisServer
from tests.integration.kernel.stock_requests import CONSENT_MS, OFFER, opened, request

T = TypeVar("T")

USERS = ("ann", "bob", "cid")
UNITS = 6

# Few users and request_ids, so that retries, double taps, reused ids and the limit all meet.
wishes = st.builds(
    lambda user, tap, body, quantity, version: request(
        user,
        request_id=f"tap-{tap}",
        request_hash=f"body-{body}",
        quantity=quantity,
        price_version=version,
        answer=f"A{tap}",
    ),
    st.sampled_from(USERS),
    st.integers(1, 4),
    st.sampled_from((1, 1, 1, 2)),
    st.integers(1, 2),
    st.sampled_from((1, 1, 1, 1, 2)),
)
epochs = st.sampled_from((1, 1, 1, 1, 2))
picks = st.lists(st.integers(0, 3), min_size=1, max_size=4)
waits = st.sampled_from((1, CONSENT_MS - 1, CONSENT_MS))


def comparable(result: ReserveResult) -> ReserveResult:
    """Entry ids are the server's own."""
    return replace(result, entry_id="")


class StockMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(prefix="redis")
        self.server = RedisServer(Path(self.folder.name))
        self.run(self.server.start())
        self.client: Redis = self.server.client()
        now_ms = int(time.time() * 1000)
        self.model = FakeStock(now_ms)
        self.real = RedisStock(self.client, now_ms)
        self.order_ids: list[str] = [new_order_id(OFFER.offer_no, 0)]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.client.aclose())
        self.runner.close()
        self.server.kill()
        self.folder.cleanup()

    def picked(self, numbers: list[int]) -> list[str]:
        """Of the newest few, so that several rules meet at one order."""
        newest = self.order_ids[-4:]
        return [newest[number % len(newest)] for number in numbers]

    @initialize(limit=st.integers(1, 3))
    def open(self, limit: int) -> None:
        self.run(opened(self.model, UNITS, limit))
        self.run(opened(self.real, UNITS, limit))

    @rule(batch=st.lists(wishes, min_size=1, max_size=5), epoch=epochs)
    def reserve(self, batch: list[ReserveRequest], epoch: int) -> None:
        # Hypothesis may draw one example twice, and an order_id is made once.
        batch = [replace(wish, order_id=new_order_id(OFFER.offer_no, 0)) for wish in batch]
        expected = self.run(self.model.reserve(OFFER.offer_no, 0, epoch, batch))
        found = self.run(self.real.reserve(OFFER.offer_no, 0, epoch, batch))
        assert [comparable(r) for r in found] == [comparable(r) for r in expected]
        self.order_ids += [r.order_id for r in found if r.kind is ReserveKind.RESERVED]

    @rule(numbers=picks, epoch=epochs, move=st.sampled_from(("confirm", "release", "give_back")))
    def move(self, numbers: list[int], epoch: int, move: str) -> None:
        chosen = self.picked(numbers)
        expected = self.run(getattr(self.model, move)(epoch, chosen))
        assert self.run(getattr(self.real, move)(epoch, chosen)) == expected

    @rule(number=st.integers(0, 3), epoch=epochs, action=st.sampled_from(("mark_pending", "touch", "clear_pending")))
    def answer(self, number: int, epoch: int, action: str) -> None:
        [order_id] = self.picked([number])
        expected = self.run(getattr(self.model, action)(epoch, order_id))
        assert self.run(getattr(self.real, action)(epoch, order_id)) == expected

    @rule(number=st.integers(0, 3), epoch=epochs, wait_ms=waits)
    def cancel(self, number: int, epoch: int, wait_ms: int) -> None:
        [order_id] = self.picked([number])
        self.model.now_ms += wait_ms
        self.real.now_ms += wait_ms
        expected = self.run(self.model.start_cancel(epoch, order_id, CONSENT_MS))
        assert self.run(self.real.start_cancel(epoch, order_id, CONSENT_MS)) == expected

    @rule(numbers=picks, epoch=epochs)
    def publish(self, numbers: list[int], epoch: int) -> None:
        expected, found = (
            self.run(stock.outbox_delete(OFFER.offer_no, 0, epoch, self.run(self._entries(stock, numbers))))
            for stock in (self.model, self.real)
        )
        assert found == expected

    async def _entries(self, stock: FakeStock | RedisStock, numbers: list[int]) -> list[str]:
        found = [await stock.reservation(order_id) for order_id in self.picked(numbers)]
        return [reservation.entry_id for reservation in found if reservation]

    @rule(state=st.sampled_from(OfferState), units=st.integers(0, 2 * UNITS), epoch=epochs)
    def settings(self, state: OfferState, units: int, epoch: int) -> None:
        expected = self.run(self.model.set_initial(OFFER.offer_no, 0, epoch, units))
        assert self.run(self.real.set_initial(OFFER.offer_no, 0, epoch, units)) == expected
        for stock in (self.model, self.real):
            self.run(stock.set_state(OFFER.offer_no, 0, epoch, state))

    @rule()
    def reopen(self) -> None:
        for stock in (self.model, self.real):
            self.run(stock.set_state(OFFER.offer_no, 0, OFFER.epoch, OfferState.OPEN))

    @rule()
    def kill_and_restart(self) -> None:
        self.run(self.server.restart())

    @rule(wish=wishes, turns=st.integers(0, 4))
    def kill_in_the_call(self, wish: ReserveRequest, turns: int) -> None:
        """The outcome is unknown; the buyer repeats the request and gets one order."""
        wish = replace(wish, order_id=new_order_id(OFFER.offer_no, 0))
        known = self.run(self.killed_in(wish, turns))
        [expected] = self.run(self.model.reserve(OFFER.offer_no, 0, OFFER.epoch, [wish]))
        [found] = self.run(self.real.reserve(OFFER.offer_no, 0, OFFER.epoch, [wish]))
        if expected.kind is ReserveKind.RESERVED:
            # Was it answered, then it must have survived; else either the first or the second call made it.
            assert found.kind is ReserveKind.REPLAY or known is None
            # A replay alone carries the answer.
            assert found.answer == (wish.answer if found.kind is ReserveKind.REPLAY else "")
            assert comparable(replace(found, kind=expected.kind, answer="")) == comparable(expected)
            self.order_ids.append(wish.order_id)
        else:
            assert comparable(found) == comparable(expected)

    async def killed_in(self, wish: ReserveRequest, turns: int) -> list[ReserveResult] | None:
        call = asyncio.create_task(self.real.reserve(OFFER.offer_no, 0, OFFER.epoch, [wish]))
        for _ in range(turns):
            await asyncio.sleep(0)
        self.server.kill()
        try:
            return await call
        except DependencyUnavailable:
            return None
        finally:
            await self.server.restart()

    @invariant()
    def the_same_stock(self) -> None:
        expected, found = (self.run(stock.snapshot(OFFER.offer_no, 0)) for stock in (self.model, self.real))
        assert found == expected
        if found:
            counters = found.counters
            assert counters.initial == counters.available + counters.reserved + counters.sold
            assert (found.held, found.sold, found.negative) == (counters.reserved, counters.sold, ())

    @invariant()
    def the_same_reservations(self) -> None:
        for order_id in self.order_ids[-5:]:
            expected, found = (self._without_entry(stock, order_id) for stock in (self.model, self.real))
            assert found == expected

    def _without_entry(self, stock: FakeStock | RedisStock, order_id: str) -> Reservation | None:
        found = self.run(stock.reservation(order_id))
        return replace(found, entry_id="") if found else None


# Derandomized: the same examples every time, so that a failure is found again without its seed. No shrinking: each try
# starts and kills servers, and ten minutes of them tell little more than the steps that are printed.
StockMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestStockMachine = StockMachine.TestCase
