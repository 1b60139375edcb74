"""Makes a provider as slow and unreliable as its knobs say."""

import threading
from collections.abc import Callable
from typing import Any

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from tools.providers.knobs import KnobFile

# How long an answer is withheld from a caller who set no deadline.
_LONGEST_SILENCE = 30.0

_SERVICES = {
    "peakmesh.provider.v1.WalletService": "wallet",
    "peakmesh.provider.v1.ShippingService": "shipping",
    "peakmesh.provider.v1.InvoiceService": "invoice",
    "peakmesh.provider.v1.LoyaltyService": "loyalty",
}
_QUERIES = frozenset({"GetDebit", "GetBooking", "GetInvoice", "GetGrant"})
_SET_UP = frozenset({"SetBalance", "GetBalance"})  # a test's own handles, never disturbed


class Faults:
    """Runs a method of one provider through its knobs."""

    def __init__(self, knobs: KnobFile) -> None:
        self._knobs = knobs

    def call(self, full_method: str, behaviour: Callable[[Any, Any], Any], request: Any, context: Any) -> Any:
        """Raises DependencyUnavailable (nothing done) or DeadlinePassed (done, not told) as the knobs have it."""
        service, method = full_method.lstrip("/").split("/", 1)
        if method in _SET_UP:
            return behaviour(request, context)
        provider = _SERVICES[service]
        knobs = self._knobs.current().of(provider)
        if knobs.latency_ms:
            _wait(context, knobs.latency_ms / 1000)
        if self._knobs.happens(knobs.error):
            raise DependencyUnavailable(provider, f"{provider} fails, as its knob says")
        answer = behaviour(request, context)
        if method not in _QUERIES and self._knobs.happens(knobs.lost_answer):
            remaining = context.time_remaining()
            _wait(context, _LONGEST_SILENCE if remaining is None else min(remaining, _LONGEST_SILENCE))
            raise DeadlinePassed(f"{provider} did it but did not answer, as its knob says")
        return answer


def _wait(context: Any, seconds: float) -> None:
    """Over at once when the caller hangs up, so that no thread outlives its call."""
    gone = threading.Event()
    if context.add_callback(gone.set):
        gone.wait(max(0.0, seconds))
