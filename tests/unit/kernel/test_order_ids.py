"""Order ids: what goes in comes out, and they sort by time."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.order_ids import (
    MAX_BUCKET,
    MAX_OFFER_NO,
    SHORT_BYTES,
    bucket_for,
    joined,
    new_order_id,
    offer_of,
    parted,
    short_in,
)

offers = st.integers(0, MAX_OFFER_NO)
buckets = st.integers(0, MAX_BUCKET)
millis = st.integers(0, 2**48 - 1)


@given(offers, buckets, millis)
def test_an_id_names_its_offer_bucket_and_time(offer_no: int, bucket: int, now_ms: int) -> None:
    order_id = new_order_id(offer_no, bucket, now_ms)
    assert offer_of(order_id) == (offer_no, bucket)
    assert uuid.UUID(order_id).int >> 80 == now_ms


@given(offers, buckets)
def test_an_id_is_a_uuid_of_version_8(offer_no: int, bucket: int) -> None:
    parsed = uuid.UUID(new_order_id(offer_no, bucket))
    assert (parsed.version, parsed.variant) == (8, uuid.RFC_4122)


@given(offers, buckets, millis, millis)
def test_ids_sort_by_time(offer_no: int, bucket: int, one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    if earlier < later:
        assert new_order_id(offer_no, bucket, earlier) < new_order_id(offer_no, bucket, later)


def test_ids_of_one_millisecond_differ() -> None:
    assert len({new_order_id(7, 0, 1_800_000_000_000) for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize(("offer_no", "bucket"), [(-1, 0), (MAX_OFFER_NO + 1, 0), (0, -1), (0, MAX_BUCKET + 1)])
def test_numbers_that_do_not_fit_are_refused(offer_no: int, bucket: int) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        new_order_id(offer_no, bucket)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{7:0}",
        str(uuid.UUID(int=0)),
        str(uuid.uuid4()),
        new_order_id(7, 0).upper(),
        new_order_id(7, 0) + "\n",
        new_order_id(7, 0).replace("-", ""),
        "٣" * 36,
    ],
)
def test_anything_else_is_no_order_id(text: str) -> None:
    with pytest.raises(ValueError, match="not an order_id"):
        offer_of(text)
    with pytest.raises(ValueError, match="not an order_id"):
        parted(text)


@given(st.text(min_size=1, max_size=64), st.integers(1, MAX_BUCKET))
def test_a_user_stays_in_one_bucket(user_id: str, count: int) -> None:
    assert bucket_for(user_id, count) == bucket_for(user_id, count)
    assert 0 <= bucket_for(user_id, count) < count


@given(offers, buckets, millis)
def test_a_short_id_and_its_bucket_are_the_id(offer_no: int, bucket: int, now_ms: int) -> None:
    order_id = new_order_id(offer_no, bucket, now_ms)
    slot, short = parted(order_id)
    assert (slot, len(short)) == ((offer_no, bucket), SHORT_BYTES)
    assert joined(slot, short) == order_id
    assert short_in(slot, order_id) == short


@given(st.lists(millis, min_size=2, max_size=9))
def test_short_ids_sort_as_the_ids_do(times: list[int]) -> None:
    order_ids = [new_order_id(7, 1, each) for each in times]
    assert [joined((7, 1), short) for short in sorted(parted(each)[1] for each in order_ids)] == sorted(order_ids)


@pytest.mark.parametrize("slot", [(8, 1), (7, 2), (7, 65), (7 + 4096, 1)])
def test_a_short_id_is_of_its_own_bucket_alone(slot: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"is of offer 7, bucket 1, not of"):
        short_in(slot, new_order_id(7, 1))


@pytest.mark.parametrize("length", [0, SHORT_BYTES - 1, SHORT_BYTES + 1, 36])
def test_of_another_length_it_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="not a short id"):
        joined((7, 1), b"a" * length)
