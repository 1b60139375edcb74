"""Reads the signals each second: checkout's counters from its /metrics, the queue's from Kafka's offsets."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families

from governor.checkout_window import CheckoutWindow, Sample, readings_of
from governor.metrics import SIGNAL
from governor.tier import UNKNOWN, Reading, Readings, Signal
from meshkit.http import fetch
from meshkit.log import get_logger

log = get_logger(__name__)
EVERY_SECONDS = 1.0
TIMEOUT_SECONDS = 1.0
# Only these are asked for: rendering a whole page would hold checkout's interpreter for several milliseconds.
ANSWERS, CART_LINES = "peakmesh_checkout_answers_total", "peakmesh_checkout_cart_lines_total"
IN_PROGRESS, SECONDS = "peakmesh_checkout_in_progress", "grpc_server_handling_seconds_bucket"
_ASKED = urlencode([("name[]", name) for name in (ANSWERS, CART_LINES, IN_PROGRESS, SECONDS)])
_ACCEPTED = ("QUEUED", "PENDING")
Scrape = Callable[[str], str]


class Queue(Protocol):
    def backlog(self) -> int | None: ...

    def wait_seconds(self) -> float | None: ...


class ReadSignals:
    """`targets`: host:port of each checkout process's /metrics. What cannot be read is unknown."""

    def __init__(
        self, targets: Sequence[str], queue: Queue, window_seconds: float, scrape: Scrape | None = None
    ) -> None:
        self._windows = {target: CheckoutWindow(window_seconds) for target in targets}
        self._queue, self._scrape = queue, scrape or _scrape

    def readings(self) -> Readings:
        """As of the last look."""
        lag, wait = self._queue.backlog(), self._queue.wait_seconds()
        return {
            **readings_of([window.growth() for window in self._windows.values()]),
            Signal.KAFKA_LAG: UNKNOWN if lag is None else Reading(float(lag)),
            Signal.DRAIN_ETA_SECONDS: UNKNOWN if wait is None else Reading(wait),
        }

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        await asyncio.gather(*(self._read(target, window) for target, window in self._windows.items()))
        for signal, reading in self.readings().items():
            SIGNAL.labels(signal.value).set(float("nan") if reading.value is None else reading.value)

    async def _read(self, target: str, window: CheckoutWindow) -> None:
        try:
            page = await asyncio.to_thread(self._scrape, target)
            window.add(sample_of(page, time.monotonic()))
        except (OSError, ValueError) as error:
            if not window.lost:  # told once, not each second
                log.warning("checkout's counters not read", target=target, error=repr(error))
            window.add(None)


def _scrape(target: str) -> str:
    """Blocks. Raises OSError."""
    return fetch(target, f"/metrics?{_ASKED}", timeout=TIMEOUT_SECONDS)


def sample_of(page: str, at: float) -> Sample:
    """Raises ValueError for what is no metrics page of a checkout process."""
    accepted, in_flight = 0.0, None
    buckets: dict[float, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in (ANSWERS, CART_LINES) and sample.labels["answer"] in _ACCEPTED:
                accepted += sample.value
            elif sample.name == IN_PROGRESS:
                in_flight = sample.value
            elif sample.name == SECONDS and _is_order(sample.labels):
                buckets[float(sample.labels["le"])] = sample.value
    if in_flight is None:
        raise ValueError(f"no {IN_PROGRESS}")
    return Sample(at, accepted, in_flight, buckets)


def _is_order(labels: Mapping[str, str]) -> bool:
    """A cart's checkout is left out: it is as slow as it is long."""
    return labels["grpc_method"] == "PlaceOrder"
