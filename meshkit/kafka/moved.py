"""Headers of a record that is moved to a retry topic or the DLQ: the same everywhere, so that one tool reads them."""

from meshkit.kafka.consumer import Record
from meshkit.kafka.publisher import Headers

_ERROR_BYTES = 1000


def moved_headers(record: Record, error: str) -> Headers:
    """The record's own, with `origin` (topic/partition/offset it was first at), `attempt` and the last `error`."""
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    before = record.headers.get("attempt", b"")
    # Foreign bytes are what a DLQ is for: a header that is no number must not keep them out of it.
    attempt = int(before) + 1 if before.isdigit() else 1
    headers = {"origin": origin.encode(), **record.headers}
    headers |= {"attempt": str(attempt).encode(), "error": error.encode()[:_ERROR_BYTES]}
    return tuple(headers.items())
