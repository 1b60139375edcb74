"""Checks that every provider makes of a request."""

import re
from typing import Any

from google.protobuf.message import Message
from google.type.money_pb2 import Money

from meshkit.money import CURRENCIES, to_minor
from meshkit.rpc.fields import Fields

# `order_id:step`: the colon is what an ident may not hold.
_KEY = re.compile(r"[A-Za-z0-9_:-]{1,128}\Z")
MOST_MINOR = 10**15  # times 9,000 debits a merchant's balance still fits SQLite's 64 bits


def key(fields: Fields, field: str, value: str) -> None:
    fields.require(bool(_KEY.match(value)), field, "must be 1 to 128 letters, digits, '_', '-' or ':'")


def keys(request: Message, *names: str) -> list[str]:
    """The keys of a request that holds nothing else. Raises InvalidFields."""
    fields, found = Fields(), [getattr(request, name) for name in names]
    for name, value in zip(names, found, strict=True):
        key(fields, name, value)
    fields.check()
    return found


def amount(request: Any, low: int) -> int:
    """Minor units of a request that holds a key, a user and an amount. Raises InvalidFields."""
    fields = Fields()
    key(fields, "idempotency_key", request.idempotency_key)
    fields.ident("user_id", request.user_id)
    minor = money(fields, "amount", request.amount, low)
    fields.check()
    return minor


def money(fields: Fields, field: str, value: Money, low: int) -> int:
    """Minor units; 0 where a violation was noted."""
    try:
        minor = to_minor(value)
    except ValueError as error:
        fields.require(False, field, str(error))
        return 0
    fields.between(field, minor, low, MOST_MINOR)
    return minor


def currency(fields: Fields, field: str, value: str) -> None:
    fields.require(value in CURRENCIES, field, f"must be one of {', '.join(sorted(CURRENCIES))}")
