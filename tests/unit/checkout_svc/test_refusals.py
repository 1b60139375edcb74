"""What a buyer is told who comes too early, too late, or in a pause."""

import pytest

from checkout_svc.refusals import refusal
from kernel.stock.results import Hours, OfferState, ReserveKind, ReserveResult
from meshkit.errors import DependencyUnavailable, SaleNotOpen

OPENS, CLOSES = 1_800_000_000_000, 1_800_000_060_250
TIMES = {"open_time": "2027-01-15T08:00:00.000Z", "close_time": "2027-01-15T08:01:00.250Z"}


@pytest.mark.parametrize(
    ("state", "now_ms", "told", "after"),
    [
        (OfferState.OPEN, OPENS - 1000, "SCHEDULED", 1.0),
        (OfferState.OPEN, OPENS - 1, "SCHEDULED", 0.001),
        (OfferState.OPEN, CLOSES, "CLOSED", None),
        (OfferState.PAUSED, OPENS + 5, "PAUSED", None),
        (OfferState.PAUSED, CLOSES + 1, "CLOSED", None),
        (OfferState.CLOSED, OPENS + 5, "CLOSED", None),
    ],
)
def test_the_state_and_both_times_are_told(state: OfferState, now_ms: int, told: str, after: float | None) -> None:
    error = refusal(ReserveResult(ReserveKind.NOT_OPEN, hours=Hours(state, OPENS, CLOSES, now_ms)))
    assert isinstance(error, SaleNotOpen)
    assert error.metadata == {"state": told, **TIMES}
    assert error.retry_after == after


def test_a_sale_without_an_end_names_none() -> None:
    error = refusal(ReserveResult(ReserveKind.NOT_OPEN, hours=Hours(OfferState.OPEN, OPENS, 0, OPENS - 1000)))
    assert error.metadata == {"state": "SCHEDULED", "open_time": TIMES["open_time"]}
    assert error.message == "the sale opens at 2027-01-15T08:00:00.000Z"


def test_a_rebuild_is_told_as_what_passes() -> None:
    """Not as a sale that is over: the buyer comes back with the same request_id."""
    hours = Hours(OfferState.REBUILDING, OPENS, CLOSES, OPENS + 5)
    for result in (ReserveResult(ReserveKind.NOT_OPEN, hours=hours), ReserveResult(ReserveKind.STALE_EPOCH)):
        error = refusal(result)
        assert isinstance(error, DependencyUnavailable)
        assert error.retry_after == 1.0
        assert "being rebuilt" in error.message
