import pytest

from meshkit.errors import (
    BY_REASON,
    DependencyUnavailable,
    InvalidFields,
    PeakmeshError,
    ProductNotFound,
    SoldOut,
)
from meshkit.rpc.status import from_status, to_status, trailers


@pytest.mark.parametrize("kind", [each for each in BY_REASON.values() if each is not PeakmeshError])
def test_an_error_crosses_the_wire_and_comes_back_as_itself(kind: type[PeakmeshError]) -> None:
    if kind is InvalidFields:
        sent: PeakmeshError = InvalidFields([("sku", "bad"), ("quantity", "worse")])
    elif kind is DependencyUnavailable:
        sent = DependencyUnavailable("redis")
    else:
        sent = kind("words", metadata={"a": "b"}, retry_after=1.5)
    back = from_status(to_status(sent), "peer")
    assert type(back) is kind
    assert (back.message, back.metadata, back.retry_after) == (sent.message, sent.metadata, sent.retry_after)


def test_a_defect_tells_no_detail() -> None:
    status = to_status(PeakmeshError("Traceback: password=…"))
    assert status.message == "internal error"


def test_a_foreign_status_is_the_dependencys_failure() -> None:
    status = to_status(SoldOut("none left"))
    del status.details[:]
    back = from_status(status, "carrier")
    assert isinstance(back, DependencyUnavailable)
    assert back.dependency == "carrier"


def carried(error: PeakmeshError) -> int:
    """Bytes of trailing metadata, as HTTP/2 has them: words in per cent, details in base64."""
    status = to_status(error)
    words = sum(1 if 32 <= each < 127 else 3 for each in status.message.encode())
    return words + sum(len(value) * 4 // 3 for _, value in trailers(error, status))


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "ü" * 100_000, "𝄞" * 100_000, "a, " * 40_000], ids=lambda text: text[0]
)
@pytest.mark.parametrize("kind", [ProductNotFound, InvalidFields, DependencyUnavailable])
def test_no_error_is_larger_than_grpc_carries(kind: type[PeakmeshError], text: str) -> None:
    if kind is InvalidFields:
        sent: PeakmeshError = InvalidFields([(f"products[{n}].{text}", text) for n in range(1_000)])
    elif kind is DependencyUnavailable:
        sent = DependencyUnavailable(text, text)
    else:
        sent = kind(text, metadata={"sku": text, "sale_id": text})
    assert carried(sent) < 8 * 1024 - 512  # the rest is for content-type and what Envoy adds
    assert type(from_status(to_status(sent), "peer")) is kind


def test_of_many_fields_the_first_are_named_and_the_others_counted() -> None:
    told = InvalidFields([(f"offers[{n}].sku", "must be there") for n in range(300)])
    assert [field for field, _ in told.violations] == [f"offers[{n}].sku" for n in range(20)]
    assert told.message.startswith("offers[0].sku: must be there; offers[1]")
    assert told.message.endswith("; and 280 more")
    back = from_status(to_status(told), "peer")
    assert isinstance(back, InvalidFields)
    assert (back.message, back.violations) == (told.message, told.violations)
