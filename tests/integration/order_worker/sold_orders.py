"""Rows of orders as a shop has them after a while."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from kernel.order_ids import new_order_id
from kernel.order_states import OrderState

OFFER_NO = 9_000_000
# Rows of no real offer: what expires orders must not come across them in other tests.
NEVER_MS = 9_000_000_000_000


def sold_rows(
    random_: random.Random, count: int, skus: Sequence[str], start_ms: int, step_ms: int, user: str = ""
) -> list[dict[str, Any]]:
    """`count` orders, `step_ms` apart, in random states, quantities, discounts and two currencies."""
    rows = []
    for number in range(count):
        at_ms = start_ms + number * step_ms
        quantity, price = random_.randint(1, 5), random_.randint(1, 100_000)
        row: dict[str, Any] = {"order_id": new_order_id(OFFER_NO, 0, at_ms), "offer_no": OFFER_NO, "sale_id": "sale"}
        row |= {"sku": random_.choice(skus), "user_id": user or f"u{random_.randint(1, 40)}"}
        row |= {"request_id": str(uuid4()), "request_hash": "ab" * 16, "quantity": quantity}
        row |= {"unit_price_minor": price, "price_version": 1, "currency": random_.choice(["EUR", "EUR", "SEK"])}
        row |= {"discount_minor": random_.choice([0, 0, random_.randint(0, price)]), "unit_weight_grams": 100}
        row |= {"shipping_minor": 490, "address": "{}", "state": random_.choice(list(OrderState)).value, "epoch": 1}
        row |= {"accepted_ms": at_ms, "created_ms": at_ms, "updated_ms": at_ms, "deadline_ms": NEVER_MS}
        rows.append(row)
    return rows
