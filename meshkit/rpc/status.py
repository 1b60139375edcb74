"""Typed errors ⇄ google.rpc.Status: one `ErrorInfo`, plus `BadRequest` and `RetryInfo` where they apply."""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from meshkit.errors import BY_REASON, MOST_BYTES, DependencyUnavailable, InvalidFields, Overloaded, PeakmeshError, cut

DOMAIN = "peakmesh"
STATUS_KEY = "grpc-status-details-bin"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
_CODES = {code.value[0]: code for code in StatusCode}


def to_status(error: PeakmeshError) -> Status:
    """Words for people, reasons for programs. INTERNAL withholds its detail: that is in the log."""
    message = cut(error.message, MOST_BYTES) if error.code is not StatusCode.INTERNAL else "internal error"
    share = MOST_BYTES // max(1, len(error.metadata))
    metadata = {name: cut(value, share) for name, value in error.metadata.items()}
    parts: list[Message] = [details.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if isinstance(error, InvalidFields):
        violation = details.BadRequest.FieldViolation
        listed = [violation(field=field, description=what) for field, what in error.violations]
        parts.append(details.BadRequest(field_violations=listed))
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(error.retry_after * 1e9))
        parts.append(details.RetryInfo(retry_delay=delay))
    return Status(code=error.code.value[0], message=message, details=[_pack(part) for part in parts])


def trailers(error: PeakmeshError, status: Status) -> tuple[tuple[str, str | bytes], ...]:
    """The trailing metadata that carries the status' details; of an overload also gRPC's own word to clients that retry
    by themselves."""
    details_of_it = (STATUS_KEY, status.SerializeToString())
    if isinstance(error, Overloaded) and error.retry_after is not None:
        return details_of_it, (PUSHBACK_KEY, str(int(error.retry_after * 1000)))
    return (details_of_it,)


def from_status(status: Status, dependency: str) -> PeakmeshError:
    """The typed error a peer raised; a status without our ErrorInfo is the dependency's own failure. Raises
    DecodeError where a part of it is not what it says."""
    info, fields, retry = details.ErrorInfo(), details.BadRequest(), details.RetryInfo()
    for part in status.details:
        for kind in (info, fields, retry):
            part.Unpack(kind)  # only where it is of that kind
    kind_of_error = BY_REASON.get(info.reason)
    if kind_of_error is None or info.domain != DOMAIN:
        code = _CODES.get(status.code, StatusCode.UNKNOWN)
        return DependencyUnavailable(dependency, f"{dependency}: {code.name} {status.message}", status=code)
    if kind_of_error is InvalidFields:
        listed = [(each.field, each.description) for each in fields.field_violations]
        return InvalidFields(listed, message=status.message)
    if kind_of_error is DependencyUnavailable:
        return DependencyUnavailable(info.metadata.get("dependency", dependency), status.message)
    after = retry.retry_delay.ToNanoseconds() / 1e9 if retry.HasField("retry_delay") else None
    return kind_of_error(status.message, metadata=dict(info.metadata), retry_after=after)


def _pack(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
