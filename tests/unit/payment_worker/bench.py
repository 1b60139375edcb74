"""One order's use case put together over fakes."""

from dataclasses import dataclass, field

from meshkit.errors import PeakmeshError
from payment_worker.order import Order
from payment_worker.patience import Patience
from payment_worker.providers import PROVIDER_OF
from payment_worker.settle_order import Ending, SettleOrder
from payment_worker.step_rows import Rows
from tests.fakes.payment import FakeProviders, FakeResults, FakeSteps, World


async def no_wait(seconds: float) -> None:
    """Retries follow at once; what is tested is their order, not their pace."""


def patience(seed: int = 1, retries: int = 3) -> dict[str, Patience]:
    by_provider = {name: Patience(name, 8, retries, sleep=no_wait, seed=seed) for name in set(PROVIDER_OF.values())}
    return {step: by_provider[name] for step, name in PROVIDER_OF.items()}


@dataclass
class Bench:
    """Give `faults`, `always` and `balance` to the providers."""

    faults: dict[str, list[str | PeakmeshError]] = field(default_factory=dict)
    always: dict[str, str | PeakmeshError] = field(default_factory=dict)
    balance: int = 1_000_000

    def __post_init__(self) -> None:
        self.world = World()
        self.steps, self.results = FakeSteps(self.world), FakeResults(self.world)
        self.providers = FakeProviders(self.world, balance=self.balance, faults=self.faults, always=self.always)
        self.rewired()

    def rewired(self) -> "Bench":
        """A new worker over what is stored now: what a restart makes."""
        self.use_case = SettleOrder(self.steps, self.providers, self.results, patience())
        return self

    async def settle(self, order: Order, *, last_try: bool = False) -> Ending:
        return await self.use_case(order, last_try=last_try)

    def rows(self, order: Order) -> Rows:
        return self.steps.tables.get(order.order_id, {})
