"""What a voucher takes off a spend. Pure: no clock, no I/O, integer minor units throughout.

Rounding: a percentage is rounded DOWN to a whole minor unit, once, on the whole spend (never a unit at a time), so that
a discount never exceeds its percentage; the buyer is out of pocket by less than one cent.
"""

from dataclasses import dataclass
from datetime import datetime

WHOLE = 10_000  # basis points: 100 %


@dataclass(frozen=True, slots=True)
class Percentage:
    """`basis_points` of the spend, 1 to 10,000; in any currency."""

    basis_points: int


@dataclass(frozen=True, slots=True)
class Fixed:
    """`minor` units off, at least 1, capped at the spend."""

    minor: int


@dataclass(frozen=True, slots=True)
class Voucher:
    """Valid in [valid_from, valid_until). `currency` is None only if nothing in it is an amount of money."""

    code: str
    benefit: Percentage | Fixed
    currency: str | None
    min_spend_minor: int
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class Granted:
    """0 <= minor <= the spend."""

    minor: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Why, in words for the buyer."""

    reason: str


def discount(voucher: Voucher, spend_minor: int, currency: str, at: datetime) -> Granted | Refused:
    """What `voucher` takes off `spend_minor` (list price x quantity) at the aware time `at`."""
    if at < voucher.valid_from:
        return Refused("the voucher is not valid yet")
    if at >= voucher.valid_until:
        return Refused("the voucher has expired")
    if voucher.currency is not None and voucher.currency != currency:
        return Refused(f"the voucher is for purchases in {voucher.currency}")
    if spend_minor < voucher.min_spend_minor:
        return Refused(f"the voucher needs a spend of at least {_words(voucher.min_spend_minor, currency)}")
    return Granted(min(_benefit(voucher.benefit, spend_minor), spend_minor))


def _benefit(benefit: Percentage | Fixed, spend_minor: int) -> int:
    if isinstance(benefit, Percentage):
        return spend_minor * benefit.basis_points // WHOLE
    return benefit.minor


def _words(minor: int, currency: str) -> str:
    return f"{minor // 100}.{minor % 100:02d} {currency}"
