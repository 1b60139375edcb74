"""The real process part of promo_svc, asked over a real channel."""

import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.type.money_pb2 import Money
from grpc_health.v1 import health_pb2, health_pb2_grpc

import promo_svc
from kernel.order_ids import new_order_id
from meshkit.errors import DependencyUnavailable, InvalidFields, Unauthenticated, Undecodable
from meshkit.identity import create_keys
from meshkit.ports import Ports
from meshkit.rpc.client import call, channel, typed_error
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc
from promo_svc.app import SERVICE, running
from promo_svc.settings import Settings
from promo_svc.voucher_file import VoucherFileError

VOUCHERS = Path(promo_svc.__file__).with_name("vouchers.json")
# Nothing of the mesh runs here, and nothing of another mesh on this machine may be touched.
NOBODY: dict[str, Any] = {
    "redis_url": "redis://127.0.0.1:1/0",
    "db_url": "mysql+asyncmy://nobody:x@127.0.0.1:1/none",
    "kafka_bootstrap": "127.0.0.1:1",
}
QUOTE = f"/{SERVICE}/QuotePromotion"


def free_base() -> int:
    """An offset at which both ports of promo_svc can be bound."""
    for base in range(5_000, 10_000, 7):
        try:
            for name in ("promo", "promo_metrics"):
                with socket.socket() as taken:
                    taken.bind(("127.0.0.1", Ports(base)[name]))
        except OSError:
            continue
        return base
    raise OSError("no free port for promo_svc")


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    create_keys(tmp_path / "identity")
    settings = Settings(port_base=free_base(), run_dir=tmp_path, drain_seconds=0, promo_vouchers=VOUCHERS, **NOBODY)
    async with running(settings) as port, channel(f"127.0.0.1:{port}") as opened:
        yield opened


def purchase(code: str, quantity: int = 2, price: Money | None = None) -> pb.QuotePromotionRequest:
    price = price or Money(currency_code="EUR", units=12, nanos=990_000_000)
    return pb.QuotePromotionRequest(
        voucher_code=code, user_id="buyer-1", sku="SNEAKER-42", quantity=quantity, unit_price=price
    )


async def quote(connection: grpc.aio.Channel, request: pb.QuotePromotionRequest) -> pb.QuotePromotionResponse:
    stub = rpc.PromotionServiceStub(connection)
    answer = await call(stub.QuotePromotion, request, timeout=2, dependency="promo")
    assert isinstance(answer, pb.QuotePromotionResponse)
    return answer


async def test_a_percentage_is_taken_off_the_whole_spend_and_rounded_down(connection: grpc.aio.Channel) -> None:
    answer = await quote(connection, purchase("WELCOME10"))
    assert answer.state == pb.PROMOTION_STATE_APPLIED
    assert answer.discount == Money(currency_code="EUR", units=2, nanos=590_000_000)  # 10 % of 25.98 is 2.598
    assert answer.reason == ""


async def test_a_fixed_voucher_needs_its_minimum_spend(connection: grpc.aio.Channel) -> None:
    enough = await quote(connection, purchase("FIVEOFF", quantity=2))
    assert (enough.state, enough.discount.units) == (pb.PROMOTION_STATE_APPLIED, 5)
    too_little = await quote(connection, purchase("FIVEOFF", quantity=1))
    assert too_little.state == pb.PROMOTION_STATE_REFUSED
    assert too_little.discount == Money(currency_code="EUR")
    assert too_little.reason == "the voucher needs a spend of at least 20.00 EUR"


@pytest.mark.parametrize(
    ("code", "reason"), [("SUMMER2024", "the voucher has expired"), ("NOBODYS", "no such voucher")]
)
async def test_a_voucher_that_does_not_apply_is_an_answer(connection: grpc.aio.Channel, code: str, reason: str) -> None:
    answer = await quote(connection, purchase(code))
    assert (answer.state, answer.reason) == (pb.PROMOTION_STATE_REFUSED, reason)


async def test_every_wrong_field_is_named_at_once(connection: grpc.aio.Channel) -> None:
    request = pb.QuotePromotionRequest(voucher_code="{0}", quantity=-3, unit_price=Money(currency_code="EUR", nanos=1))
    with pytest.raises(InvalidFields) as raised:
        await quote(connection, request)
    named = [field for field, _ in raised.value.violations]
    assert named == ["voucher_code", "user_id", "sku", "quantity", "unit_price"]


@pytest.mark.parametrize(
    "price", [Money(currency_code="EUR", units=-1), Money(currency_code="EUR", units=2**62), Money(units=1)]
)
async def test_a_price_out_of_range_is_refused(connection: grpc.aio.Channel, price: Money) -> None:
    with pytest.raises(InvalidFields, match="unit_price"):
        await quote(connection, purchase("WELCOME10", price=price))


async def test_the_largest_purchase_still_has_a_price(connection: grpc.aio.Channel) -> None:
    dear = Money(currency_code="EUR", units=10**10)
    answer = await quote(connection, purchase("WELCOME10", quantity=1_000_000, price=dear))
    assert answer.discount == Money(currency_code="EUR", units=10**15)


async def test_without_redis_a_voucher_with_limits_is_no_answer_and_the_others_are_quoted(
    connection: grpc.aio.Channel,
) -> None:
    limited = purchase("FIRST100")
    limited.order_id = new_order_id(1, 0)
    started = time.perf_counter()
    with pytest.raises(DependencyUnavailable):
        await quote(connection, limited)
    assert time.perf_counter() - started < 1
    assert (await quote(connection, purchase("WELCOME10"))).state == pb.PROMOTION_STATE_APPLIED
    limited.order_id = ""
    with pytest.raises(InvalidFields, match="order_id"):
        await quote(connection, limited)


async def test_only_the_list_asks_who_is_there(connection: grpc.aio.Channel) -> None:
    stub: Any = rpc.PromotionServiceStub(connection)
    with pytest.raises(Unauthenticated):
        await call(stub.ListVouchers, pb.ListVouchersRequest(), timeout=2, dependency="promo")
    with pytest.raises(InvalidFields) as raised:
        await call(stub.FreeHolds, pb.FreeHoldsRequest(holds=[pb.UnusedHold()]), timeout=2, dependency="promo")
    fields = [field for field, _ in raised.value.violations]
    assert fields == ["holds[0].voucher_code", "holds[0].order_id", "holds[0].take"]
    for wrong in (pb.FreeHoldsRequest(), pb.FreeHoldsRequest(holds=[pb.UnusedHold()] * 101)):
        with pytest.raises(InvalidFields, match="holds: must be 1 to 100"):
            await call(stub.FreeHolds, wrong, timeout=2, dependency="promo")


async def test_bytes_that_are_no_request_are_undecodable(connection: grpc.aio.Channel) -> None:
    raw: Any = connection.unary_unary(QUOTE)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await raw(b"\xff\xff\xff", timeout=2)
    assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert isinstance(typed_error(raised.value, "promo"), Undecodable)


async def test_it_says_that_it_serves(connection: grpc.aio.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(connection)
    for service in ("", SERVICE):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=2)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_quote_takes_about_a_millisecond(connection: grpc.aio.Channel) -> None:
    await quote(connection, purchase("WELCOME10"))
    seconds = []
    for _ in range(50):
        started = time.perf_counter()
        await quote(connection, purchase("WELCOME10"))
        seconds.append(time.perf_counter() - started)
    # The whole round trip, at its best: the machine is shared, the handler itself has no wait in it.
    assert min(seconds) < 0.005, f"fastest of 50: {min(seconds) * 1000:.2f} ms"


async def test_a_bad_voucher_file_keeps_it_from_starting(tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"vouchers": [{"code": "X"}]}')
    settings = Settings(port_base=free_base(), run_dir=tmp_path, promo_vouchers=bad)
    with pytest.raises(VoucherFileError, match="entry 1, field valid_from"):
        async with running(settings):
            raise AssertionError("it started")
