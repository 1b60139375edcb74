"""How a reservation's `answer` tells a discount: checkout writes it with the order, a rebuild from the order's row."""

APPLIED = "A"


def applied(discount_minor: int) -> str:
    return f"{APPLIED}{discount_minor}"
