from meshkit.kafka.consumer import Record
from meshkit.kafka.moved import moved_headers


def record(headers: dict[str, bytes], topic: str = "orders", offset: int = 7) -> Record:
    return Record(topic, 2, offset, "o1", b"", headers, 0)


def test_a_moved_record_tells_where_it_was_and_why_it_left() -> None:
    headers = dict(moved_headers(record({"traceparent": b"t"}), "no row"))
    assert headers == {"traceparent": b"t", "origin": b"orders/2/7", "attempt": b"1", "error": b"no row"}


def test_moved_again_it_keeps_its_origin_and_counts() -> None:
    first = dict(moved_headers(record({}), "no row"))
    again = dict(moved_headers(record(first, topic="orders.retry.5s", offset=0), "still none"))
    assert again == {"origin": b"orders/2/7", "attempt": b"2", "error": b"still none"}


def test_a_long_error_is_cut() -> None:
    assert len(dict(moved_headers(record({}), "é" * 5000))["error"]) == 1000


def test_a_foreign_attempt_counts_as_none() -> None:
    assert dict(moved_headers(record({"attempt": b"\xff"}), "no order"))["attempt"] == b"1"
