import re

import pytest

from meshkit import tracing

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_a_callers_trace_goes_on() -> None:
    tracing.begin({"traceparent": GIVEN, "x-request-id": "018f2b5e-0000-7000-8000-000000000001"})
    assert tracing.traceparent() == GIVEN


def test_envoys_request_id_becomes_the_trace_id() -> None:
    tracing.begin({"x-request-id": "018f2b5e-0000-7000-8000-000000000001"})
    assert tracing.traceparent().split("-")[1] == "018f2b5e000070008000000000000001"


def test_without_either_there_is_a_trace_all_the_same() -> None:
    tracing.begin({"x-request-id": "short"})
    version, trace_id, span_id, flags = tracing.traceparent().split("-")
    assert (version, len(trace_id), len(span_id), flags) == ("00", 32, 16, "01")


TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize("given", [
    "", "a-b-c-d", "00-\xff\xfe", "a\tb", "x" * 12_000,
    f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01\n",
    f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{'٣' * 32}-{SPAN}-01",
])  # fmt: skip
def test_what_is_no_traceparent_is_replaced(given: str) -> None:
    tracing.begin({"traceparent": given, "x-request-id": "018f2b5e-0000-7000-8000-000000000001"})
    assert re.fullmatch("00-018f2b5e000070008000000000000001-[0-9a-f]{16}-01", tracing.traceparent())


@pytest.mark.parametrize("request_id", ["x" * 32, "\xff" * 32, "018F2B5E-0000-7000-8000-000000000001"])
def test_a_request_id_that_is_no_hex_makes_no_trace_id(request_id: str) -> None:
    tracing.begin({"x-request-id": request_id})
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", tracing.traceparent())
