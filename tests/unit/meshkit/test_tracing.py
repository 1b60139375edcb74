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
