"""A span of time as a request gives it."""

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.rpc.fields import Fields

# The first second of the year 10000: later ones have no text form, and no column holds them all.
_END_SECONDS = 253_402_300_800


def millis(fields: Fields, request: Message, field: str) -> int | None:
    """Unix milliseconds, None where the field is unset; what is wrong goes into `fields`."""
    if not request.HasField(field):
        return None
    time: Timestamp = getattr(request, field)
    valid = 0 <= time.seconds < _END_SECONDS and 0 <= time.nanos < 1_000_000_000
    fields.require(valid, field, "must be a time between 1970 and 9999")
    return time.seconds * 1000 + time.nanos // 1_000_000 if valid else None
