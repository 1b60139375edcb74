"""The most calls that the sandbox has at once, at work or waiting for a thread, and how one more is refused.

gRPC's own `maximum_concurrent_rpcs` refuses health checks too, without a reason or a time to come back.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, NoReturn, ParamSpec, TypeVar

import grpc

from meshkit.errors import Overloaded
from meshkit.rpc.edge import OPEN_PREFIXES
from tools.providers.edge import refuse

P = ParamSpec("P")
R = TypeVar("R")
# For what takes no time: refusals, and health checks, which no call must stand in front of.
AT_ONCE_THREADS = 2


class CountedThreads(ThreadPoolExecutor):
    """`calls`: submitted and not ended."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, thread_name_prefix="call")
        self._calls, self._counting = 0, Lock()

    @property
    def calls(self) -> int:
        return self._calls

    def submit(self, call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        with self._counting:
            self._calls += 1
        future = super().submit(call, *args, **kwargs)
        future.add_done_callback(self._end)
        return future

    def _end(self, _: Any) -> None:
        with self._counting:
            self._calls -= 1


class Bounded(grpc.ServerInterceptor):
    """The outermost: at most `most` calls. What is refused is counted by `metrics` as any answer is."""

    def __init__(self, metrics: grpc.ServerInterceptor, threads: CountedThreads, most: int) -> None:
        self._metrics, self._threads, self._most = metrics, threads, most
        self._at_once = ThreadPoolExecutor(AT_ONCE_THREADS, thread_name_prefix="at-once")

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """On the thread that takes calls, before one of `threads` is waited for."""
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler
        if details.method.startswith(OPEN_PREFIXES):
            return self._beside(handler)
        if self._threads.calls >= self._most:
            return self._beside(self._metrics.intercept_service(lambda _: _FULL, details))
        return handler

    def _beside(self, handler: Any) -> Any:
        def handle(request: Any, context: Any) -> Any:
            return handler.unary_unary(request, context)

        handle.experimental_thread_pool = self._at_once  # type: ignore[attr-defined]
        return grpc.unary_unary_rpc_method_handler(handle, handler.request_deserializer, handler.response_serializer)


def _full(_request: Any, context: Any) -> NoReturn:
    refuse(Overloaded("too many calls are in flight", retry_after=1.0), context)


_FULL: Any = grpc.unary_unary_rpc_method_handler(_full)
