import pytest

from meshkit.rpc.times import timestamp


@pytest.mark.parametrize(("unix_ms", "told"), [(0, (0, 0)), (1_999, (1, 999_000_000)), (-1, (-1, 999_000_000))])
def test_milliseconds_as_a_timestamp(unix_ms: int, told: tuple[int, int]) -> None:
    made = timestamp(unix_ms)
    assert (made.seconds, made.nanos) == told
    assert made.ToMilliseconds() == unix_ms
