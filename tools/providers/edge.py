"""The edge of the synchronous server: typed errors to statuses, undecodable bytes to INVALID_ARGUMENT."""

from collections.abc import Callable
from typing import Any, NoReturn

import grpc

from meshkit.errors import PeakmeshError, Undecodable
from meshkit.log import get_logger
from meshkit.rpc.status import to_status, trailers
from tools.providers.faults import Faults

log = get_logger(__name__)
_OPEN_PREFIXES = ("/grpc.health.v1.", "/grpc.reflection.")
_BAD_BYTES = object()


class SyncEdge(grpc.ServerInterceptor):
    """Stands inside the metrics interceptor, which so sees the status that is sent."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        method = details.method
        handler = continuation(details)
        if handler is None or method.startswith(_OPEN_PREFIXES):
            return handler

        def handle(request: Any, context: Any) -> Any:
            try:
                if request is _BAD_BYTES:
                    raise Undecodable(f"the bytes are not a {method.rsplit('/', 1)[1]} request")
                return self._faults.call(method, handler.unary_unary, request, context)
            except PeakmeshError as error:
                refusal = error
            except Exception:
                log.exception("call failed", method=method)
                refusal = PeakmeshError("internal error")
            _refuse(refusal, context)

        deserializer = _forgiving(handler.request_deserializer)
        return grpc.unary_unary_rpc_method_handler(handle, deserializer, handler.response_serializer)


def _forgiving(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Left alone, grpc answers undecodable bytes with INTERNAL; this way they reach the handler."""

    def decode(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:
            return _BAD_BYTES

    return decode


def _refuse(error: PeakmeshError, context: Any) -> NoReturn:
    context.set_trailing_metadata(trailers(error))
    context.abort(error.code, to_status(error).message)
    raise AssertionError("abort returned")
