"""Everything a caller can be refused for, one class a reason.

    PeakmeshError
    ├── InvalidFields · Undecodable · TooLarge
    ├── Unauthenticated · RoleRequired
    ├── OfferNotFound · OrderNotFound · SaleNotFound · ProductNotFound · KeyNotFound · CartLineNotFound
    ├── RequestIdReused
    ├── SoldOut · SaleNotOpen · PriceChanged · PromotionRefused · IllegalState · CartEmpty · CartFull
    ├── InsufficientFunds · KeyBarred · Declined
    ├── LimitReached · Overloaded
    └── DependencyUnavailable · PromotionUnavailable · FeatureDisabled · DeadlinePassed

Raised where the fact is known, translated once at the edge (`meshkit/rpc/edge.py`). `reason` is the name in
`protos/peakmesh/error/v1/error_reason.proto` without its prefix.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from grpc import StatusCode

# An error travels in trailing metadata, its words twice. gRPC refuses more than 8 KiB of it, and that would be all the
# caller is told: words, metadata and fields have so much each.
MOST_BYTES = 1_200
MOST_VIOLATIONS = 20


def cut(text: str, most_bytes: int) -> str:
    """`text`, or as much of it as fits, with a sign that it goes on."""
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= most_bytes else encoded[: most_bytes - 3].decode(errors="ignore") + "…"


class PeakmeshError(Exception):
    """A refusal with a reason. `retry_after` is in seconds and becomes RetryInfo."""

    reason: ClassVar[str] = "INTERNAL"
    code: ClassVar[StatusCode] = StatusCode.INTERNAL

    def __init__(
        self, message: str, *, metadata: Mapping[str, str] | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidFields(PeakmeshError):
    """Fields that are missing or out of range: (path, what is wrong) each; the first of them where they are many."""

    reason = "INVALID_FIELD"
    code = StatusCode.INVALID_ARGUMENT

    def __init__(self, violations: Sequence[tuple[str, str]], *, message: str = "") -> None:
        listed = [(cut(field, 200), cut(what, 200)) for field, what in violations[:MOST_VIOLATIONS]]
        while sum(len(field.encode()) + len(what.encode()) for field, what in listed) > MOST_BYTES:
            listed.pop()
        left = len(violations) - len(listed)
        words = "; ".join(f"{field}: {what}" for field, what in listed)
        super().__init__(message or (f"{cut(words, MOST_BYTES - 40)}; and {left} more" if left else words))
        self.violations = tuple(listed)


class Undecodable(PeakmeshError):
    reason = "UNDECODABLE"
    code = StatusCode.INVALID_ARGUMENT


class TooLarge(PeakmeshError):
    reason = "TOO_LARGE"
    code = StatusCode.RESOURCE_EXHAUSTED


class Unauthenticated(PeakmeshError):
    reason = "UNAUTHENTICATED"
    code = StatusCode.UNAUTHENTICATED


class RoleRequired(PeakmeshError):
    reason = "ROLE_REQUIRED"
    code = StatusCode.PERMISSION_DENIED


class OfferNotFound(PeakmeshError):
    reason = "OFFER_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class OrderNotFound(PeakmeshError):
    reason = "ORDER_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class SaleNotFound(PeakmeshError):
    reason = "SALE_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class ProductNotFound(PeakmeshError):
    reason = "PRODUCT_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class KeyNotFound(PeakmeshError):
    reason = "KEY_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class CartLineNotFound(PeakmeshError):
    reason = "CART_LINE_NOT_FOUND"
    code = StatusCode.NOT_FOUND


class RequestIdReused(PeakmeshError):
    reason = "REQUEST_ID_REUSED"
    code = StatusCode.ALREADY_EXISTS


class SoldOut(PeakmeshError):
    reason = "SOLD_OUT"
    code = StatusCode.FAILED_PRECONDITION


class SaleNotOpen(PeakmeshError):
    reason = "SALE_NOT_OPEN"
    code = StatusCode.FAILED_PRECONDITION


class PriceChanged(PeakmeshError):
    reason = "PRICE_CHANGED"
    code = StatusCode.FAILED_PRECONDITION


class PromotionRefused(PeakmeshError):
    reason = "PROMOTION_REFUSED"
    code = StatusCode.FAILED_PRECONDITION


class IllegalState(PeakmeshError):
    reason = "ILLEGAL_STATE"
    code = StatusCode.FAILED_PRECONDITION


class CartEmpty(PeakmeshError):
    reason = "CART_EMPTY"
    code = StatusCode.FAILED_PRECONDITION


class CartFull(PeakmeshError):
    reason = "CART_FULL"
    code = StatusCode.FAILED_PRECONDITION


class InsufficientFunds(PeakmeshError):
    reason = "INSUFFICIENT_FUNDS"
    code = StatusCode.FAILED_PRECONDITION


class KeyBarred(PeakmeshError):
    reason = "KEY_BARRED"
    code = StatusCode.FAILED_PRECONDITION


class Declined(PeakmeshError):
    reason = "DECLINED"
    code = StatusCode.FAILED_PRECONDITION


class LimitReached(PeakmeshError):
    reason = "LIMIT_REACHED"
    code = StatusCode.RESOURCE_EXHAUSTED


class Overloaded(PeakmeshError):
    reason = "OVERLOADED"
    code = StatusCode.RESOURCE_EXHAUSTED


class DependencyUnavailable(PeakmeshError):
    """A server behind this one does not answer; the outcome of a call to it is unknown.

    `status`: with what the call ended. `cut_off`: Envoy's `x-breaker` (open, overflow, timeout), empty without one.
    """

    reason = "DEPENDENCY_UNAVAILABLE"
    code = StatusCode.UNAVAILABLE

    def __init__(
        self,
        dependency: str,
        message: str = "",
        *,
        retry_after: float | None = 1.0,
        status: StatusCode = StatusCode.UNAVAILABLE,
        cut_off: str = "",
    ) -> None:
        words = message or f"{dependency} does not answer"
        super().__init__(words, metadata={"dependency": dependency}, retry_after=retry_after)
        self.dependency, self.status, self.cut_off = dependency, status, cut_off


class PromotionUnavailable(PeakmeshError):
    reason = "PROMOTION_UNAVAILABLE"
    code = StatusCode.UNAVAILABLE


class FeatureDisabled(PeakmeshError):
    """Switched off, by load or by an operator; metadata `feature` names it."""

    reason = "FEATURE_DISABLED"
    code = StatusCode.UNAVAILABLE


class DeadlinePassed(PeakmeshError):
    reason = "DEADLINE"
    code = StatusCode.DEADLINE_EXCEEDED


class MethodNotFound(PeakmeshError):
    reason = "METHOD_NOT_FOUND"
    code = StatusCode.UNIMPLEMENTED


def _concrete(cls: type[PeakmeshError]) -> list[type[PeakmeshError]]:
    return [cls, *(sub for child in cls.__subclasses__() for sub in _concrete(child))]


BY_REASON: dict[str, type[PeakmeshError]] = {error.reason: error for error in _concrete(PeakmeshError)}
