"""Calls to other services, with their failures as typed errors."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from meshkit.errors import DeadlinePassed, DependencyUnavailable, PeakmeshError
from meshkit.rpc.status import STATUS_KEY, from_status

# Envoy's egress says here why it did not let a call through, or cut it off.
CUT_OFF_KEY = "x-breaker"
Metadata = Sequence[tuple[str, str | bytes]]

CHANNEL_OPTIONS = (
    # A lost connection is noticed within 15 s even while no call is made, and retried within 1 s, not 120.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
)


def channel(target: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)


async def call(
    method: Callable[..., Any], request: Any, *, timeout: float, dependency: str, metadata: Metadata = ()
) -> Any:
    """One unary call. Raises the typed error the peer raised, DeadlinePassed, or DependencyUnavailable."""
    try:
        answer = await method(request, timeout=timeout, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        raise typed_error(error, dependency) from None
    if answer is None:  # gRPC's word for bytes that are no such message
        words = f"{dependency}: its answer cannot be read"
        raise DependencyUnavailable(dependency, words, status=grpc.StatusCode.INTERNAL)
    return answer


def typed_error(error: Any, dependency: str) -> PeakmeshError:
    """What a failed call means; for the synchronous client's errors too."""
    code, words = error.code(), error.details() or ""
    trailing = dict(error.trailing_metadata() or ())
    packed = trailing.get(STATUS_KEY)
    if isinstance(packed, bytes):
        # Details nobody can read are as none: whatever a peer sends, its caller must be able to go on without it.
        with suppress(DecodeError):
            return from_status(Status.FromString(packed), dependency)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlinePassed(f"{dependency} did not answer in time")
    cut_off = str(trailing.get(CUT_OFF_KEY, ""))
    return DependencyUnavailable(dependency, f"{dependency}: {code.name} {words}", status=code, cut_off=cut_off)
