"""The one exact converter between google.type.Money on the wire and integer minor units inside."""

from google.type.money_pb2 import Money

# Every currency sold in has two decimals; one that has not is refused, not rounded.
CURRENCIES = frozenset({"EUR", "USD", "GBP", "CHF", "PLN", "SEK"})
_NANOS_PER_MINOR = 10_000_000


def to_minor(money: Money) -> int:
    """Minor units (cents). Raises ValueError on an unknown currency, mixed signs, or less than a cent."""
    if money.currency_code not in CURRENCIES:
        raise ValueError(f"currency_code must be one of {', '.join(sorted(CURRENCIES))}")
    if abs(money.nanos) > 999_999_999 or money.units * money.nanos < 0:
        raise ValueError("units and nanos must agree in sign, and nanos be below one unit")
    minor, rest = divmod(money.nanos, _NANOS_PER_MINOR)
    if rest:
        raise ValueError("must be a whole number of cents")
    return money.units * 100 + minor


def from_minor(minor: int, currency: str) -> Money:
    sign = -1 if minor < 0 else 1
    units, cents = divmod(abs(minor), 100)
    return Money(currency_code=currency, units=sign * units, nanos=sign * cents * _NANOS_PER_MINOR)
