"""What goes on with an order from one record to the next."""

from kernel.carried import carried

OWN = {"event-id": b"o:intake", "event-type": b"OrderIntake.accepted"}


def test_worth_trace_and_deadlines_go_on_and_what_a_record_says_of_itself_does_not() -> None:
    told = {"criticality": b"SHEDDABLE", "traceparent": b"00-a-b-01", "deadline-ms": b"7", "call-deadline-ms": b"5"}
    assert dict(carried(OWN | told)) == told


def test_an_order_whose_record_says_nothing_is_core() -> None:
    assert dict(carried(OWN)) == {"criticality": b"CORE"}
