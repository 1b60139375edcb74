"""Checks of a request's fields, all told together.

Written by hand beside the servicers instead of protovalidate: a check costs under a microsecond, and the contract
needs no vendored schema (docs/adr/0001).
"""

import re

from meshkit.errors import InvalidFields

_IDENT = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_NIL = "00000000-0000-0000-0000-000000000000"
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z")


class Fields:
    """Collects what is wrong; `check` raises InvalidFields when anything is."""

    __slots__ = ("_violations",)

    def __init__(self) -> None:
        self._violations: list[tuple[str, str]] = []

    def require(self, holds: bool, field: str, what: str) -> None:
        if not holds:
            self._violations.append((field, what))

    def ident(self, field: str, value: str) -> None:
        """An id from outside. `{}` in a Redis key would move its hash slot, so few characters are allowed."""
        if not _IDENT.match(value):
            self._violations.append((field, "must be 1 to 64 letters, digits, '_' or '-'"))

    def uuid(self, field: str, value: str) -> None:
        if not _UUID.match(value) or value == _NIL:
            self._violations.append((field, "must be a UUID"))

    def between(self, field: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            self._violations.append((field, f"must be between {low} and {high}"))

    def text(self, field: str, value: str, low: int, high: int) -> None:
        if not low <= len(value.strip()) <= high or len(value) > high or not value.isprintable():
            self._violations.append((field, f"must be {low} to {high} printable characters"))

    def found(self) -> list[tuple[str, str]]:
        return list(self._violations)

    def check(self) -> None:
        if self._violations:
            raise InvalidFields(self._violations)
