"""What the end of a call says about who was called."""

from enum import StrEnum

from grpc import StatusCode

from meshkit.errors import DependencyUnavailable, PeakmeshError

# The caller's own doing: who was called is well.
_NOT_ITS_FAULT = frozenset(
    {StatusCode.CANCELLED, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.FAILED_PRECONDITION}
)


class Outcome(StrEnum):
    """SLOW: an answer, but too late to be of use. IGNORED says nothing. MIRRORED: another breaker on the way is open,
    and what opened that one was counted when it failed."""

    GOOD = "good"
    SLOW = "slow"
    FAILED = "failed"
    IGNORED = "ignored"
    MIRRORED = "mirrored"


def outcome_of(error: BaseException | None, slow: bool) -> Outcome:
    if error is None:
        return Outcome.SLOW if slow else Outcome.GOOD
    if not isinstance(error, PeakmeshError):
        return Outcome.IGNORED  # a cancel, or a mistake of ours
    code = error.code
    if isinstance(error, DependencyUnavailable):
        code = error.status
        if error.cut_off == "open":
            return Outcome.MIRRORED
        if error.cut_off == "overflow":  # our own crowd
            return Outcome.IGNORED
    return Outcome.IGNORED if code in _NOT_ITS_FAULT else Outcome.FAILED
