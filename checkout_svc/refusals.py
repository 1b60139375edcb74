"""What the stock refused, in the contract's errors."""

from datetime import UTC, datetime

from kernel.stock.results import Hours, OfferState, ReserveKind, ReserveResult
from meshkit.errors import (
    DependencyUnavailable,
    LimitReached,
    PeakmeshError,
    PriceChanged,
    RequestIdReused,
    SaleNotOpen,
    SoldOut,
)


def price_changed(version: int) -> PriceChanged:
    return PriceChanged("the price has changed", metadata={"price_version": str(version)})


def not_open(hours: Hours | None) -> SaleNotOpen:
    """Metadata `state` (SCHEDULED, PAUSED or CLOSED) and the times known; only a scheduled sale says when to retry."""
    if hours is None:
        return SaleNotOpen("the sale does not take orders now")
    times = {"open_time": hours.opens_ms, "close_time": hours.closes_ms}
    metadata = {name: _rfc3339(millis) for name, millis in times.items() if millis}
    over = hours.closes_ms and hours.now_ms >= hours.closes_ms
    if hours.state is OfferState.CLOSED or over:
        return SaleNotOpen("the sale is over", metadata={"state": "CLOSED", **metadata})
    if hours.state is OfferState.PAUSED:
        return SaleNotOpen("the sale is paused", metadata={"state": "PAUSED", **metadata})
    words = f"the sale opens at {metadata['open_time']}"
    wait = (hours.opens_ms - hours.now_ms) / 1000
    return SaleNotOpen(words, metadata={"state": "SCHEDULED", **metadata}, retry_after=wait)


def _rfc3339(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def refusal(result: ReserveResult) -> PeakmeshError:
    """The error of a result that is neither RESERVED nor REPLAY."""
    match result.kind:
        case ReserveKind.SOLD_OUT:
            return SoldOut("sold out", metadata={"available": str(result.available)})
        case ReserveKind.LIMIT:
            return LimitReached("the limit for one buyer is reached")
        case ReserveKind.NOT_OPEN if result.hours and result.hours.state is OfferState.REBUILDING:
            return _rebuilding("it opens again by itself")
        case ReserveKind.NOT_OPEN:
            return not_open(result.hours)
        case ReserveKind.PRICE_CHANGED:
            return price_changed(result.price_version)
        case ReserveKind.REUSED:
            return RequestIdReused("this request_id was used with another body")
        case _:
            return _rebuilding(result.kind)


def _rebuilding(why: str) -> DependencyUnavailable:
    return DependencyUnavailable("redis", f"the stock is being rebuilt ({why})")
