"""Unix milliseconds, which everything inside counts in, as the wire's timestamps."""

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(unix_ms: int) -> Timestamp:
    made = Timestamp()
    made.FromMilliseconds(unix_ms)
    return made
