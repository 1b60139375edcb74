"""Metrics: declared once by name, served on `/metrics`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, start_http_server

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def counter(name: str, help: str, labels: Sequence[str] = ()) -> Counter:
    return Counter(name, help, labels)


def gauge(name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
    return Gauge(name, help, labels)


def histogram(
    name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
) -> Histogram:
    """Seconds, unless the name says otherwise."""
    return Histogram(name, help, labels, buckets=tuple(buckets))


READY = gauge("peakmesh_ready", "1 while the process does its work")


@contextmanager
def metrics_endpoint(port: int) -> Iterator[None]:
    """Serves /metrics on loopback from a thread of its own; ready from entry to exit of the block."""
    server, thread = start_http_server(port, addr="127.0.0.1")
    READY.set(1)
    try:
        yield
    finally:
        READY.set(0)
        server.shutdown()
        server.server_close()
        thread.join()
