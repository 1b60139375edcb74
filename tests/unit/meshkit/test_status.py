import pytest

from meshkit.errors import BY_REASON, DependencyUnavailable, InvalidFields, PeakmeshError, SoldOut
from meshkit.rpc.status import from_status, to_status


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
