"""Metrics: declared once, in the `metrics.py` of whoever counts them; served on `/metrics`.

Every declaration is a row of DECLARED, and a contract test holds docs/metrics.md to it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app

# How often the endpoint looks whether it is to end. With its library's half a second every process took so much longer
# to stop, and so did every test that starts one.
LOOK_SECONDS = 0.05
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as the table names it; `kind` is counter, gauge or histogram."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


DECLARED: list[Declared] = []


def counter(name: str, help: str, labels: Sequence[str] = ()) -> Counter:
    DECLARED.append(Declared(name, "counter", tuple(labels), help))
    return Counter(name, help, labels)


def gauge(name: str, help: str, labels: Sequence[str] = ()) -> Gauge:
    DECLARED.append(Declared(name, "gauge", tuple(labels), help))
    return Gauge(name, help, labels)


def histogram(
    name: str, help: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
) -> Histogram:
    """Seconds, unless the name says otherwise."""
    DECLARED.append(Declared(name, "histogram", tuple(labels), help))
    return Histogram(name, help, labels, buckets=tuple(buckets))


READY = gauge("peakmesh_ready", "1 while the process does its work")
BACKLOG = gauge("peakmesh_backlog", "records of a topic that its worker has not committed yet", ["topic"])
BREAKER_STATE = gauge("peakmesh_breaker_state", "0 closed, 1 half open, 2 open", ["breaker"])
BREAKER_TRANSITIONS = counter(
    "peakmesh_breaker_transitions_total", "States a breaker went into, and why", ["breaker", "to", "cause"]
)
BREAKER_CALLS = counter(
    "peakmesh_breaker_calls_total",
    "Calls by how they ended or were cut off; probe: let through half open",
    ["breaker", "outcome"],
)
CALLS_SHED = counter("peakmesh_calls_shed_total", "Calls refused since too many were in flight", ["criticality"])
CALLS_EXPIRED = counter("peakmesh_calls_expired_total", "Calls dropped since nobody waited for them any more")
FEATURE_ON = gauge("peakmesh_feature_on", "1 while this process takes the feature for on, by feature", ["feature"])


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """A page that is read ten times a second is no news."""


@contextmanager
def metrics_endpoint(port: int, registry: CollectorRegistry = REGISTRY) -> Iterator[None]:
    """Serves /metrics on loopback from a thread of its own.

    To be entered first and so left last: closing it blocks the loop for up to LOOK_SECONDS, which calls and batches
    still in hand would feel. READY is set by whoever runs the process, once all of it has been entered.
    """
    server = make_server("127.0.0.1", port, make_wsgi_app(registry), _Server, handler_class=_Silent)
    thread = Thread(target=server.serve_forever, args=(LOOK_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
