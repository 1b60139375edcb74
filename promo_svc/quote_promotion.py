"""The use case: quote what a voucher takes off a purchase."""

from collections.abc import Mapping
from datetime import datetime

from promo_svc.pricing import Granted, Refused, Voucher, discount


def quote_promotion(
    vouchers: Mapping[str, Voucher], code: str, spend_minor: int, currency: str, at: datetime
) -> Granted | Refused:
    """A pure read: the same arguments, the same answer. `spend_minor` is list price x quantity."""
    voucher = vouchers.get(code)
    if voucher is None:
        return Refused("no such voucher")
    return discount(voucher, spend_minor, currency, at)
