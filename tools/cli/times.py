"""Times as an operator types them."""

import re
from datetime import UTC, datetime, timedelta

_IN = re.compile(r"\+(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_span(text: str, option: str) -> timedelta:
    """`90s`, `10m`, `2h` or `1d`. Raises ValueError, naming the option."""
    found = _IN.fullmatch(f"+{text.strip()}")
    if not found:
        raise ValueError(f"{option}: give 90s, 10m, 2h or 1d (got {text!r})")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def parse_time(text: str, now: datetime, option: str) -> datetime:
    """`+10m` from now (s, m, h, d), or ISO 8601 with its offset. Raises ValueError, naming the option.

    A time without an offset is refused: a sale that opens an hour late by summer time is no sale.
    """
    after = _IN.fullmatch(text.strip())
    if after:
        return now + timedelta(**{_UNITS[after[2]]: int(after[1])})
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{option}: give +10m, or a time as 2026-11-27T00:00:00+01:00 (got {text!r})") from None
    if moment.tzinfo is None:
        raise ValueError(f"{option}: say the offset too: {text.strip()}Z is UTC, {text.strip()}+01:00 is not")
    return moment.astimezone(UTC)
