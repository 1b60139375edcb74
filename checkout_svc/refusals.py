"""What the stock refused, in the contract's errors."""

from kernel.stock.port import ReserveKind, ReserveResult
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


def refusal(result: ReserveResult) -> PeakmeshError:
    """The error of a result that is neither RESERVED nor REPLAY."""
    match result.kind:
        case ReserveKind.SOLD_OUT:
            return SoldOut("sold out", metadata={"available": str(result.available)})
        case ReserveKind.LIMIT:
            return LimitReached("the limit for one buyer is reached")
        case ReserveKind.NOT_OPEN:
            return SaleNotOpen("the sale does not take orders now")
        case ReserveKind.PRICE_CHANGED:
            return price_changed(result.price_version)
        case ReserveKind.REUSED:
            return RequestIdReused("this request_id was used with another body")
        case _:
            return DependencyUnavailable("redis", f"the stock is being rebuilt ({result.kind})")
