"""An item-to-item model: what was bought by the same people.

Cosine similarity of the items' columns in the sparse matrix of buyers and items, shrunk towards zero where few bought
both (Sarwar et al. 2001, "Item-based collaborative filtering recommendation algorithms"; shrinkage as in Bell and Koren
2007).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Two items that one person bought are no habit: their similarity is a sixth of what it would be at many.
SHRINK = 5.0
NEIGHBOURS = 50
BEST_SELLERS = 200


@dataclass(frozen=True, slots=True)
class Pick:
    """`because`: the purchase that weighs most; empty for a best seller."""

    sku: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class ItemModel:
    """`neighbours`: by SKU, the most similar ones and how similar they are, 0 to 1. `popular`: most bought first."""

    neighbours: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    popular: Sequence[str] = ()

    def pick(self, bought: Collection[str], count: int) -> list[Pick]:
        """Best first, none of them bought; filled up with best sellers."""
        scores: Counter[str] = Counter()
        because: dict[str, tuple[float, str]] = {}
        for own in bought:
            for sku, similarity in self.neighbours.get(own, ()):
                scores[sku] += similarity  # type: ignore[assignment]  # a Counter of floats
                because[sku] = max(because.get(sku, (0.0, "")), (similarity, own))
        owned = set(bought)
        ranked = sorted((sku for sku in scores if sku not in owned), key=lambda sku: (-scores[sku], sku))
        picks = [Pick(sku, because[sku][1]) for sku in ranked[:count]]
        taken = owned | {pick.sku for pick in picks}
        fill = (sku for sku in self.popular if sku not in taken)
        return picks + [Pick(sku) for sku, _ in zip(fill, range(count - len(picks)), strict=False)]


def train(purchases: Sequence[tuple[str, str]]) -> ItemModel:
    """Of (user_id, sku) pairs, a few seconds for a million; not for the event loop. Loads SciPy."""
    if not purchases:
        return ItemModel()
    bought = Counter(sku for _, sku in set(purchases))
    popular = [sku for sku, _ in sorted(bought.items(), key=lambda each: (-each[1], each[0]))[:BEST_SELLERS]]
    skus, similar = _similarities(purchases)
    neighbours: dict[str, Sequence[tuple[str, float]]] = {}
    for row, sku in enumerate(skus):
        first, last = similar.indptr[row], similar.indptr[row + 1]
        found = sorted(zip(-similar.data[first:last], similar.indices[first:last], strict=True))[:NEIGHBOURS]
        if found:
            neighbours[sku] = tuple((skus[column], float(-negative)) for negative, column in found)
    return ItemModel(neighbours, popular)


def _similarities(purchases: Sequence[tuple[str, str]]) -> tuple[list[str], Any]:
    """(SKUs in the matrix' order, items × items without its diagonal as CSR)."""
    import numpy as np  # noqa: PLC0415  25 MB that only a training needs
    from scipy import sparse  # noqa: PLC0415

    users = {user: number for number, user in enumerate(dict.fromkeys(user for user, _ in purchases))}
    skus = sorted({sku for _, sku in purchases})
    columns = {sku: number for number, sku in enumerate(skus)}
    pairs = {(users[user], columns[sku]) for user, sku in purchases}
    rows_at, columns_at = np.array(sorted(pairs), dtype=np.int32).T
    matrix = sparse.csr_matrix((np.ones(len(pairs), dtype=np.float32), (rows_at, columns_at)))
    together = (matrix.T @ matrix).tocoo()
    apart = together.row != together.col
    rows, others, both = together.row[apart], together.col[apart], together.data[apart]
    buyers = np.asarray(matrix.sum(axis=0)).ravel()
    cosine = both / np.sqrt(buyers[rows] * buyers[others])
    return skus, sparse.csr_matrix((cosine * both / (both + SHRINK), (rows, others)), shape=together.shape)
