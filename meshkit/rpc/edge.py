"""The one interceptor of every aio server: identity, metrics, typed errors to statuses.

One interceptor, and one wrapped handler a method for the life of the server: each level of wrapping, and each handler
built anew, would be paid by every order.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn

import grpc
from grpc import StatusCode

from meshkit import tracing
from meshkit.errors import MethodNotFound, Overloaded, PeakmeshError, RoleRequired
from meshkit.identity import Identity, Role, TokenVerifier
from meshkit.log import get_logger
from meshkit.metrics import CALLS_SHED
from meshkit.rpc import criticality, deadline
from meshkit.rpc.criticality import Criticality
from meshkit.rpc.decoding import forgiving, refuse_bad_bytes
from meshkit.rpc.grpc_metrics import MethodMetrics
from meshkit.rpc.status import to_status, trailers

log = get_logger(__name__)
_caller: ContextVar[Identity] = ContextVar("caller")
SHEDDABLE_AT_ONCE = 100


@dataclass(frozen=True)
class AtOnce:
    """Unary calls that a server works on at once: as many as it answers while they are waited for, a setting of each
    service. Of what is sheddable fewer, to leave room for the rest. Streams have limits of their own, health checks
    none."""

    all: int
    sheddable: int = SHEDDABLE_AT_ONCE

    def of(self, told: Criticality) -> int:
        return self.all if told is Criticality.CORE else min(self.sheddable, self.all)


# Raises what the call is refused for.
Gate = Callable[[], None]
OPEN_PREFIXES = ("/grpc.health.v1.", "/grpc.reflection.")


@dataclass(frozen=True)
class Access:
    """Who may call. `roles` by full method name (`/package.Service/Method`); a method that is not named refuses all.

    `internal`: methods that no public route leads to; nobody is asked who they are. `verifier` None: all of them are.
    """

    verifier: TokenVerifier | None = None
    roles: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    internal: frozenset[str] = frozenset()

    def check(self, method: str, metadata: Mapping[str, Any]) -> Identity | None:
        if self.verifier is None or method in self.internal:
            return None
        identity = self.verifier.verify(str(metadata.get("authorization", "")))
        if identity.role not in self.roles.get(method, frozenset()):
            raise RoleRequired(f"role {identity.role} may not call {method.rsplit('/', 1)[1]}")
        return identity


def caller() -> Identity:
    """Who makes the call being served."""
    return _caller.get()


class Edge(grpc.aio.ServerInterceptor):
    """Wraps each handler once; health and reflection pass as they are. `gates`: by full method name; a method without
    one pays nothing for those that have one."""

    def __init__(self, access: Access, at_once: AtOnce, gates: Mapping[str, Gate] | None = None) -> None:
        self._access, self._gates = access, gates or {}
        self._at_once = {told: at_once.of(told) for told in Criticality}
        self._wrapped: dict[str, Any] = {}
        self._in_flight = 0

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        method = details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler = await continuation(details)
        if handler is None:
            return _UNKNOWN
        if method.startswith(OPEN_PREFIXES):
            return handler
        self._wrapped[method] = wrapped = self._wrap(method, handler)
        return wrapped

    def _wrap(self, method: str, handler: Any) -> Any:
        deserializer = forgiving(handler.request_deserializer)
        if handler.response_streaming:
            stream = self._unary_stream(method, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(stream, deserializer, handler.response_serializer)
        unary = self._unary_unary(method, handler.unary_unary)
        return grpc.unary_unary_rpc_method_handler(unary, deserializer, handler.response_serializer)

    def _enter(self, method: str, request: Any, context: Any) -> None:
        metadata = dict(context.invocation_metadata() or ())
        tracing.begin(metadata)
        self._admit(metadata, context)
        if self._access.verifier is not None:
            identity = self._access.check(method, metadata)
            if identity is not None:
                _caller.set(identity)
        refuse_bad_bytes(method, request)

    def _admit(self, metadata: Mapping[str, Any], context: Any) -> None:
        """Raises Overloaded, for what is sheddable first; DeadlinePassed for a call that waited here until nobody waits
        for it any more. Nothing was done for either."""
        told = criticality.begin(metadata)
        if self._in_flight > self._at_once[told]:
            CALLS_SHED.labels(told).inc()
            raise Overloaded("too many calls are in flight", retry_after=1.0)
        deadline.begin(metadata, context.time_remaining())

    def _entrance(self, method: str) -> Callable[[str, Any, Any], None]:
        gate = self._gates.get(method)
        if gate is None:
            return self._enter

        def enter(method: str, request: Any, context: Any) -> None:
            self._enter(method, request, context)
            gate()

        return enter

    def _unary_unary(self, method: str, behaviour: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        metrics, enter = MethodMetrics(method, "UNARY"), self._entrance(method)

        async def handle(request: Any, context: Any) -> Any:
            started = time.perf_counter()
            metrics.started()
            self._in_flight += 1
            code = StatusCode.OK
            try:
                enter(method, request, context)
                return await behaviour(request, context)
            except BaseException as error:
                code = _code_of(error)
                await _refuse(error, method, context)
            finally:
                self._in_flight -= 1
                metrics.handled(code, time.perf_counter() - started)

        return handle

    def _unary_stream(self, method: str, behaviour: Callable[[Any, Any], AsyncIterator[Any]]) -> Any:
        metrics, enter = MethodMetrics(method, "SERVER_STREAMING"), self._entrance(method)

        async def handle(request: Any, context: Any) -> AsyncIterator[Any]:
            started = time.perf_counter()
            metrics.started()
            code = StatusCode.OK
            try:
                enter(method, request, context)
                async for response in behaviour(request, context):
                    yield response
            except BaseException as error:
                code = _code_of(error)
                await _refuse(error, method, context)
            finally:
                metrics.handled(code, time.perf_counter() - started)

        return handle


async def _no_such_method(_request: Any, context: Any) -> NoReturn:
    await _refuse(MethodNotFound("there is no such method here"), "unknown", context)


_UNKNOWN: Any = grpc.unary_unary_rpc_method_handler(_no_such_method)


def _code_of(error: BaseException) -> StatusCode:
    if isinstance(error, PeakmeshError):
        return error.code
    return StatusCode.CANCELLED if isinstance(error, asyncio.CancelledError | GeneratorExit) else StatusCode.INTERNAL


async def _refuse(error: BaseException, method: str, context: Any) -> NoReturn:
    if not isinstance(error, Exception):
        raise error
    if not isinstance(error, PeakmeshError):
        log.error("call failed", method=method, exc_info=error)
        error = PeakmeshError("internal error")
    status = to_status(error)
    await context.abort(error.code, status.message, trailers(error, status))
    raise AssertionError("abort returned")
