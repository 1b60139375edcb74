import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_worker.watermark import Watermark


def test_a_slow_record_holds_the_commit_back() -> None:
    mark = Watermark()
    for offset in (7, 8, 9):
        mark.start(offset)
    mark.done(9)
    mark.done(8)
    assert mark.next_offset() == 7
    mark.done(7)
    assert mark.next_offset() == 10
    assert mark.in_flight == 0


def test_nothing_to_commit_before_the_first_record_and_after_a_commit() -> None:
    mark = Watermark()
    assert mark.uncommitted() is None
    mark.start(3)
    mark.done(3)
    assert mark.uncommitted() == 4
    mark.committed(4)
    assert mark.uncommitted() is None


def test_offsets_only_rise() -> None:
    mark = Watermark()
    mark.start(5)
    with pytest.raises(ValueError, match="offset 5"):
        mark.start(5)


@given(st.sets(st.integers(0, 1000), min_size=1, max_size=60), st.data())
def test_the_commit_is_below_whatever_is_not_done(offsets: set[int], data: st.DataObject) -> None:
    mark, ordered = Watermark(), sorted(offsets)
    for offset in ordered:
        mark.start(offset)
    done: set[int] = set()
    for offset in data.draw(st.permutations(ordered)):
        mark.done(offset)
        done.add(offset)
        left = [each for each in ordered if each not in done]
        assert mark.next_offset() == (left[0] if left else ordered[-1] + 1)
        assert mark.in_flight == len(left)
