"""The server metrics of py-grpc-prometheus, whose interceptor refuses grpc.aio: the same names on both kinds."""

import grpc
from prometheus_client import REGISTRY
from py_grpc_prometheus import server_metrics

_metrics = server_metrics.init_metrics(REGISTRY)
_handled = server_metrics.get_grpc_server_handled_counter(False, REGISTRY)


class MethodMetrics:
    """Counters of one method with their labels bound once: a lookup by label costs 1 µs a time."""

    __slots__ = ("_by_code", "_labels", "_seconds", "_started")

    def __init__(self, full_method: str, grpc_type: str) -> None:
        service, method = full_method.lstrip("/").split("/", 1)
        self._labels = (grpc_type, service, method)
        self._started = _metrics["grpc_server_started_counter"].labels(*self._labels)
        self._seconds = _metrics["grpc_server_handled_histogram"].labels(*self._labels)
        self._by_code = {code: _handled.labels(*self._labels, code.name) for code in grpc.StatusCode}

    def started(self) -> None:
        self._started.inc()

    def handled(self, code: grpc.StatusCode, seconds: float) -> None:
        self._by_code[code].inc()
        self._seconds.observe(seconds)
