"""Checks of a request's fields, all told together.

Written by hand beside the servicers instead of protovalidate: a check costs under a microsecond, and the contract
needs no vendored schema (docs/adr/0001).
"""

from meshkit.errors import InvalidFields
from meshkit.ids import is_ident, is_uuid

_NIL = "00000000-0000-0000-0000-000000000000"


class Fields:
    """Collects what is wrong; `check` raises InvalidFields when anything is."""

    __slots__ = ("_violations",)

    def __init__(self) -> None:
        self._violations: list[tuple[str, str]] = []

    def require(self, holds: bool, field: str, what: str) -> None:
        if not holds:
            self._violations.append((field, what))

    def ident(self, field: str, value: str) -> None:
        if not is_ident(value):
            self._violations.append((field, "must be 1 to 64 letters, digits, '_' or '-'"))

    def uuid(self, field: str, value: str) -> None:
        if not is_uuid(value) or value == _NIL:
            self._violations.append((field, "must be a UUID"))

    def between(self, field: str, value: int, low: int, high: int) -> None:
        if not low <= value <= high:
            self._violations.append((field, f"must be between {low} and {high}"))

    def page_size(self, asked: int, default: int, most: int) -> int:
        """How many a page holds: 0 asks for `default`, and more than `most` is cut to it."""
        self.require(asked >= 0, "page_size", "must not be negative")
        return min(asked or default, most)

    def text(self, field: str, value: str, low: int, high: int) -> None:
        if not low <= len(value.strip()) <= high or len(value) > high or not value.isprintable():
            self._violations.append((field, f"must be {low} to {high} printable characters"))

    def found(self) -> list[tuple[str, str]]:
        return list(self._violations)

    def check(self) -> None:
        if self._violations:
            raise InvalidFields(self._violations)
