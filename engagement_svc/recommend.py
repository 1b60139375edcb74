"""Products for one user: the model's picks of what they have not bought."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from engagement_svc.item_model import ItemModel, Pick
from engagement_svc.metrics import RECOMMENDED
from engagement_svc.purchases import Product
from meshkit.rpc import pages

DEFAULT_SIZE, LARGEST_SIZE = 10, 50


class Reads(Protocol):
    async def of(self, user_id: str) -> list[str]: ...
    async def products(self, skus: Collection[str]) -> dict[str, Product]: ...


@dataclass(frozen=True, slots=True)
class Recommended:
    pick: Pick
    product: Product


class Recommend:
    def __init__(self, reads: Reads, model: Callable[[], ItemModel]) -> None:
        self._reads, self._model = reads, model

    async def __call__(self, user_id: str, page_size: int) -> list[Recommended]:
        """Best first. Raises InvalidFields, DependencyUnavailable."""
        size = pages.page_size(page_size, DEFAULT_SIZE, LARGEST_SIZE)
        picks = self._model().pick(await self._reads.of(user_id), size)
        products = await self._reads.products([pick.sku for pick in picks])
        for pick in picks:
            RECOMMENDED.labels("bought_together" if pick.because else "best_seller").inc()
        return [Recommended(pick, products[pick.sku]) for pick in picks if pick.sku in products]
