"""The edge of the synchronous server: typed errors to statuses, undecodable bytes to INVALID_ARGUMENT."""

from collections.abc import Callable
from typing import Any, NoReturn

import grpc

from meshkit.errors import PeakmeshError
from meshkit.log import get_logger
from meshkit.rpc.decoding import forgiving, refuse_bad_bytes
from meshkit.rpc.edge import OPEN_PREFIXES
from meshkit.rpc.status import to_status, trailers
from tools.providers.faults import Faults

log = get_logger(__name__)


class SyncEdge(grpc.ServerInterceptor):
    """Stands inside the metrics interceptor, which so sees the status that is sent."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        method = details.method
        handler = continuation(details)
        if handler is None or method.startswith(OPEN_PREFIXES):
            return handler

        def handle(request: Any, context: Any) -> Any:
            try:
                refuse_bad_bytes(method, request)
                return self._faults.call(method, handler.unary_unary, request, context)
            except PeakmeshError as error:
                refusal = error
            except Exception:
                log.exception("call failed", method=method)
                refusal = PeakmeshError("internal error")
            refuse(refusal, context)

        deserializer = forgiving(handler.request_deserializer)
        return grpc.unary_unary_rpc_method_handler(handle, deserializer, handler.response_serializer)


def refuse(error: PeakmeshError, context: Any) -> NoReturn:
    status = to_status(error)
    context.set_trailing_metadata(trailers(error, status))
    context.abort(error.code, status.message)
    raise AssertionError("abort returned")
