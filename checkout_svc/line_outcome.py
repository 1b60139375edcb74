"""What became of one line of a checkout: an order or a refusal, and whether that can still change."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from grpc import StatusCode

from checkout_svc.purchase import Answer, Promotion
from meshkit.errors import Overloaded, PeakmeshError

# Nothing is known, or nothing was tried: the same request_id may yet become an order.
_OPEN_CODES = (StatusCode.UNAVAILABLE, StatusCode.DEADLINE_EXCEEDED, StatusCode.INTERNAL)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A PeakmeshError as it is kept; `retry_after` in seconds."""

    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    final: bool = True


Outcome = Answer | Refusal


def refusal_of(error: PeakmeshError) -> Refusal:
    final = error.code not in _OPEN_CODES and not isinstance(error, Overloaded)
    return Refusal(error.reason, error.message, error.metadata, error.retry_after, final)


def is_final(outcome: Outcome) -> bool:
    """PENDING is not: the order's own idempotency tells what came of it."""
    return outcome.final if isinstance(outcome, Refusal) else outcome.queued


def encode(outcome: Outcome) -> str:
    """`A` and an order, or `R` and a refusal, in JSON; the scripts look at the letter alone."""
    if isinstance(outcome, Refusal):
        return "R" + json.dumps(asdict(outcome))
    fields = asdict(outcome) | {"promotion": outcome.promotion.text()}
    return "A" + json.dumps(fields)


def decode(text: str) -> Outcome:
    """Raises ValueError for what `encode` cannot have made; unknown fields are passed over."""
    try:
        given: dict[str, Any] = json.loads(text[1:])
        if text[0] == "R":
            return Refusal(**{name: given[name] for name in Refusal.__dataclass_fields__})
        known = {name: given[name] for name in Answer.__dataclass_fields__}
        return Answer(**known | {"promotion": Promotion.parse(given["promotion"])})
    except (LookupError, TypeError) as error:
        raise ValueError(f"not an outcome: {text[:200]!r}") from error
