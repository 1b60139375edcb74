"""Bytes that are no message, told as INVALID_ARGUMENT.

Left alone, a server answers them before any handler is asked: grpc.aio with UNKNOWN and Python's exception text, the
synchronous one with INTERNAL.
"""

from collections.abc import Callable
from typing import Any

from meshkit.errors import Undecodable

_BAD_BYTES = object()


def forgiving(deserializer: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Lets bad bytes through to the handler, whose first act is `refuse_bad_bytes`."""

    def decode(data: bytes) -> Any:
        try:
            return deserializer(data)
        except Exception:
            return _BAD_BYTES

    return decode


def refuse_bad_bytes(method: str, request: Any) -> None:
    """`method` is the full name. Raises Undecodable where `request` is what `forgiving` let through."""
    if request is _BAD_BYTES:
        raise Undecodable(f"the bytes are not a {method.rsplit('/', 1)[1]} request")
