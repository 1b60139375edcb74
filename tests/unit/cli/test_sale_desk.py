"""What an operator types, as the request it becomes; and what the watch shows of two looks."""

from datetime import UTC, datetime, timedelta

import pytest

from peakmesh.ops.v1 import ops_service_pb2 as pb
from tools.cli.sale_desk import opening
from tools.cli.sale_watch import Line, lines, settled
from tools.cli.times import parse_time

NOW = datetime(2026, 11, 26, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("+10m", NOW + timedelta(minutes=10)),
        ("+90s", NOW + timedelta(seconds=90)),
        ("+2h", NOW + timedelta(hours=2)),
        (" +1d ", NOW + timedelta(days=1)),
        ("2026-11-27T00:00:00+01:00", datetime(2026, 11, 26, 23, 0, tzinfo=UTC)),
        ("2026-11-27T00:00:00Z", datetime(2026, 11, 27, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_relative_or_has_its_offset(text: str, moment: datetime) -> None:
    assert parse_time(text, NOW, "--opens") == moment


@pytest.mark.parametrize("text", ["", "10m", "+10", "+1.5h", "midnight", "2026-11-27T00:00:00", "2026-13-01T00:00:00Z"])
def test_any_other_time_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(ValueError, match="--closes"):
        parse_time(text, NOW, "--closes")


def test_each_sku_has_its_numbers_or_all_share_one() -> None:
    request = opening(["a", "b"], [5, 7], [2], "+1m", "+2m", NOW)
    assert [(each.sku, each.units, each.limit_per_user) for each in request.offers] == [("a", 5, 2), ("b", 7, 2)]
    assert request.open_time.ToDatetime(UTC) == NOW + timedelta(minutes=1)
    assert request.close_time.ToDatetime(UTC) == NOW + timedelta(minutes=2)
    bare = opening(["a"], [5], [1], "", "", NOW)
    assert not bare.HasField("open_time")
    assert not bare.HasField("close_time")


@pytest.mark.parametrize(("units", "limits", "option"), [([1, 2, 3], [1], "--units"), ([1], [1, 2, 3], "--limit")])
def test_numbers_that_fit_no_sku_are_refused(units: list[int], limits: list[int], option: str) -> None:
    with pytest.raises(ValueError, match=option):
        opening(["a", "b"], units, limits, "", "", NOW)


def look(available: int, reserved: int, sold: int, in_sql: int) -> pb.Sale:
    redis = pb.StockCounters(available=available, reserved=reserved, sold=sold)
    offer = pb.Offer(offer_no=1, sku="a", units=100, redis=redis, database=pb.StockCounters(reserved=in_sql))
    return pb.Sale(sale_id="s", state=pb.SALE_STATE_OPEN, offers=[offer])


def test_the_watch_shows_rates_between_two_looks() -> None:
    first, second = look(100, 0, 0, 0), look(60, 30, 10, 25)
    assert lines(first, None, 1.0) == [Line("a", 100, 100, 0, 0, 0)]
    assert lines(second, first, 2.0) == [Line("a", 100, 60, 30, 10, 25, taken_a_second=20.0, sold_a_second=5.0)]


def test_the_watch_ends_when_nothing_will_move_any_more() -> None:
    sale = look(90, 0, 10, 0)
    assert not settled(sale)
    sale.state = pb.SALE_STATE_CLOSED
    assert settled(sale)
    sale.offers[0].redis.reserved = 1
    assert not settled(sale)
