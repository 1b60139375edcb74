"""What a voucher takes off a spend. Pure: no clock, no I/O, integer minor units throughout.

Stacking: the automatic promotions that a voucher names are taken off first, in the file's order, then the voucher; each
of them off what the ones before have left, so that the sum never exceeds the spend.

Rounding: a percentage is rounded DOWN to a whole minor unit, once, on the whole spend (never a unit at a time), so that
a discount never exceeds its percentage; the buyer is out of pocket by less than one cent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.vouchers.records import UNLIMITED, Limits

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
class Terms:
    """What a purchase must be: in [valid_from, valid_until), of `skus` and in `sale_ids` where these are not empty.

    `currency` is None only if nothing in the promotion is an amount of money.
    """

    currency: str | None
    min_spend_minor: int
    valid_from: datetime
    valid_until: datetime
    skus: frozenset[str] = frozenset()
    sale_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Automatic:
    """A promotion without a code, taken off beside the vouchers that name it."""

    name: str
    benefit: Percentage | Fixed
    terms: Terms


@dataclass(frozen=True, slots=True)
class Voucher:
    """`stacks_with` in the order of the file. `listed`: whether ListVouchers tells of it."""

    code: str
    benefit: Percentage | Fixed
    terms: Terms
    limits: Limits = UNLIMITED
    stacks_with: Sequence[Automatic] = ()
    listed: bool = True


@dataclass(frozen=True, slots=True)
class Spend:
    """A purchase at list price: `minor` is price x quantity."""

    minor: int
    currency: str
    sku: str
    sale_id: str


@dataclass(frozen=True, slots=True)
class Granted:
    """0 <= minor <= the spend. `stacked`: the automatic promotions in it, as they were taken off."""

    minor: int
    stacked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why, in words for the buyer."""

    reason: str


def discount(voucher: Voucher, spend: Spend, at: datetime) -> Granted | Refused:
    """What `voucher`, and all that stacks with it, takes off `spend` at the aware time `at`."""
    why = _unmet(voucher.terms, spend, at)
    if why:
        return Refused(f"the voucher {why}")
    left, stacked = spend.minor, []
    for each in voucher.stacks_with:
        if not _unmet(each.terms, spend, at):
            left -= _benefit(each.benefit, left)
            stacked.append(each.name)
    left -= _benefit(voucher.benefit, left)
    return Granted(spend.minor - left, tuple(stacked))


def _unmet(terms: Terms, spend: Spend, at: datetime) -> str:
    """The first condition that does not hold, in words; empty where all do."""
    if at < terms.valid_from:
        return "is not valid yet"
    if at >= terms.valid_until:
        return "has expired"
    if terms.sale_ids and spend.sale_id not in terms.sale_ids:
        return "is not for this sale"
    if terms.skus and spend.sku not in terms.skus:
        return f"is not for {spend.sku}"
    if terms.currency is not None and terms.currency != spend.currency:
        return f"is for purchases in {terms.currency}"
    if spend.minor < terms.min_spend_minor:
        return f"needs a spend of at least {_words(terms.min_spend_minor, spend.currency)}"
    return ""


def _benefit(benefit: Percentage | Fixed, left_minor: int) -> int:
    """Between 0 and what is left."""
    if isinstance(benefit, Percentage):
        return left_minor * benefit.basis_points // WHOLE
    return min(benefit.minor, left_minor)


def _words(minor: int, currency: str) -> str:
    return f"{minor // 100}.{minor % 100:02d} {currency}"
