"""Purchases with a structure that is known: buyers belong to circles of taste, and mostly buy what those buy."""

import random
from collections.abc import Sequence

CIRCLES, ITEMS_A_CIRCLE, BUYERS = 10, 30, 2_000
OF_THEIR_TASTE = 0.85


def circle_of(sku: str) -> int:
    return int(sku.split("-")[1])


def generated(seed: int) -> list[tuple[str, list[str]]]:
    """(user_id, SKUs in the order bought), 4 to 12 of them. Within a circle some are bought more than others."""
    chance = random.Random(seed)
    weights = [1 / (rank + 1) ** 0.5 for rank in range(ITEMS_A_CIRCLE)]

    def one(circle: int) -> str:
        taste = circle if chance.random() < OF_THEIR_TASTE else chance.randrange(CIRCLES)
        return f"sku-{taste}-{chance.choices(range(ITEMS_A_CIRCLE), weights)[0]}"

    history = []
    for number in range(BUYERS):
        circle = chance.randrange(CIRCLES)
        wanted = [one(circle) for _ in range(chance.randint(4, 12))]
        history.append((f"user-{number}", list(dict.fromkeys(wanted))))
    return history


def held_out(
    history: Sequence[tuple[str, list[str]]],
) -> tuple[list[tuple[str, str]], dict[str, tuple[list[str], str]]]:
    """(purchases to learn of, user → what they had bought and the last purchase, which was withheld)."""
    known = [(user, sku) for user, skus in history for sku in skus[:-1]]
    return known, {user: (skus[:-1], skus[-1]) for user, skus in history if len(skus) > 1}
