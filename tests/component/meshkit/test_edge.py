"""The edge of every server, on a real one: typed errors, bad bytes, identity."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import StatusCode

from meshkit.errors import (
    FeatureDisabled,
    InvalidFields,
    Overloaded,
    PeakmeshError,
    ProductNotFound,
    RoleRequired,
    Unauthenticated,
)
from meshkit.identity import Role, TokenIssuer, TokenVerifier, create_keys
from meshkit.rpc.client import call, channel
from meshkit.rpc.edge import Access, AtOnce, caller
from meshkit.rpc.server import serving
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from peakmesh.promotion.v1 import promotion_service_pb2_grpc as rpc

SERVICE = "peakmesh.promotion.v1.PromotionService"
METHOD = f"/{SERVICE}/QuotePromotion"
INTERNAL = f"/{SERVICE}/FreeHolds"


class Promotions(rpc.PromotionServiceServicer):
    async def QuotePromotion(self, request: pb.QuotePromotionRequest, context: Any) -> pb.QuotePromotionResponse:
        match request.voucher_code:
            case "invalid":
                raise InvalidFields([("sku", "bad")])
            case "much":
                raise ProductNotFound("x" * 100_000, metadata={"sku": "x" * 100_000})
            case "many":
                raise InvalidFields([(f"products[{n}].seller_id", "must be 1 to 64 letters") for n in range(1_000)])
            case "full":
                raise Overloaded("full", retry_after=2.0)
            case "defect":
                raise ZeroDivisionError("a secret")
        return pb.QuotePromotionResponse(reason=caller().user_id)

    async def FreeHolds(self, request: pb.FreeHoldsRequest, context: Any) -> pb.FreeHoldsResponse:
        return pb.FreeHoldsResponse(freed=len(request.holds))

    async def ListVouchers(self, request: pb.ListVouchersRequest, context: Any) -> pb.ListVouchersResponse:
        return pb.ListVouchersResponse()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[grpc.aio.Channel, TokenIssuer]]:
    create_keys(tmp_path)
    roles = {METHOD: frozenset({Role.BUYER})}
    access = Access(TokenVerifier(tmp_path / "jwks.json"), roles, internal=frozenset({INTERNAL}))

    def register(server: grpc.aio.Server) -> None:
        rpc.add_PromotionServiceServicer_to_server(Promotions(), server)

    async with (
        serving(
            port=0, register=register, services=[SERVICE], access=access, at_once=AtOnce(100), drain_seconds=0
        ) as port,
        channel(f"127.0.0.1:{port}") as to,
    ):
        yield to, TokenIssuer(tmp_path)


async def _quote(to: grpc.aio.Channel, voucher: str, token: str) -> pb.QuotePromotionResponse:
    stub: Any = rpc.PromotionServiceStub(to)
    request = pb.QuotePromotionRequest(voucher_code=voucher)
    metadata = (("authorization", f"Bearer {token}"),)
    answer: pb.QuotePromotionResponse = await call(
        stub.QuotePromotion, request, timeout=5, dependency="promo", metadata=metadata
    )
    return answer


async def test_the_caller_is_the_tokens_subject(served: tuple[grpc.aio.Channel, TokenIssuer]) -> None:
    to, issuer = served
    assert (await _quote(to, "", issuer.issue("ana", Role.BUYER))).reason == "ana"


async def test_an_error_larger_than_its_trailers_arrives_cut(served: tuple[grpc.aio.Channel, TokenIssuer]) -> None:
    to, issuer = served
    buyer = issuer.issue("ana", Role.BUYER)
    with pytest.raises(ProductNotFound, match="x…"):
        await _quote(to, "much", buyer)
    with pytest.raises(InvalidFields, match="and 980 more") as raised:
        await _quote(to, "many", buyer)
    assert len(raised.value.violations) == 20


async def test_refusals_arrive_typed(served: tuple[grpc.aio.Channel, TokenIssuer]) -> None:
    to, issuer = served
    buyer = issuer.issue("ana", Role.BUYER)
    with pytest.raises(InvalidFields, match="sku: bad"):
        await _quote(to, "invalid", buyer)
    with pytest.raises(Overloaded) as raised:
        await _quote(to, "full", buyer)
    assert raised.value.retry_after == 2.0
    with pytest.raises(Unauthenticated):
        await _quote(to, "", "")
    with pytest.raises(RoleRequired):
        await _quote(to, "", issuer.issue("ana", Role.OPERATOR))


async def test_an_internal_method_asks_nobody_and_an_unnamed_one_refuses_all(
    served: tuple[grpc.aio.Channel, TokenIssuer],
) -> None:
    to, issuer = served
    stub: Any = rpc.PromotionServiceStub(to)
    freed = await call(stub.FreeHolds, pb.FreeHoldsRequest(), timeout=5, dependency="promo")
    assert freed == pb.FreeHoldsResponse()
    metadata = (("authorization", f"Bearer {issuer.issue('ana', Role.BUYER)}"),)
    with pytest.raises(RoleRequired):
        await call(stub.ListVouchers, pb.ListVouchersRequest(), timeout=5, dependency="promo", metadata=metadata)
    with pytest.raises(Unauthenticated):
        await call(stub.ListVouchers, pb.ListVouchersRequest(), timeout=5, dependency="promo")


async def test_a_defect_keeps_its_detail_to_itself(served: tuple[grpc.aio.Channel, TokenIssuer]) -> None:
    to, issuer = served
    with pytest.raises(PeakmeshError) as raised:
        await _quote(to, "defect", issuer.issue("ana", Role.BUYER))
    assert raised.value.message == "internal error"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"\xff\xff\xff", StatusCode.INVALID_ARGUMENT), (b"\x0a" * 70_000, StatusCode.RESOURCE_EXHAUSTED)],
)
async def test_bad_bytes_have_the_right_status(
    served: tuple[grpc.aio.Channel, TokenIssuer], data: bytes, code: StatusCode
) -> None:
    to, issuer = served
    metadata = (("authorization", f"Bearer {issuer.issue('ana', Role.BUYER)}"),)
    raw: Any = to.unary_unary(METHOD)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await raw(data, metadata=metadata)
    assert raised.value.code() is code


@dataclass
class Gate:
    closed: bool = False

    def __call__(self) -> None:
        if self.closed:
            raise FeatureDisabled("off", metadata={"feature": "quotes"}, retry_after=30.0)


async def test_a_closed_gate_refuses_its_method_alone_and_after_who_asks_is_known(tmp_path: Path) -> None:
    create_keys(tmp_path)
    access = Access(TokenVerifier(tmp_path / "jwks.json"), {METHOD: frozenset({Role.BUYER})}, frozenset({INTERNAL}))
    buyer, gate = TokenIssuer(tmp_path).issue("ana", Role.BUYER), Gate()

    def register(server: grpc.aio.Server) -> None:
        rpc.add_PromotionServiceServicer_to_server(Promotions(), server)

    gated = {METHOD: gate}
    async with (
        serving(
            port=0,
            register=register,
            services=[SERVICE],
            access=access,
            at_once=AtOnce(100),
            gates=gated,
            drain_seconds=0,
        ) as port,
        channel(f"127.0.0.1:{port}") as to,
    ):
        assert (await _quote(to, "", buyer)).reason == "ana"
        gate.closed = True
        with pytest.raises(FeatureDisabled) as raised:
            await _quote(to, "", buyer)
        assert (raised.value.metadata, raised.value.retry_after) == ({"feature": "quotes"}, 30.0)
        with pytest.raises(Unauthenticated):
            await _quote(to, "", "")
        stub: Any = rpc.PromotionServiceStub(to)
        assert (
            await call(stub.FreeHolds, pb.FreeHoldsRequest(), timeout=5, dependency="promo") == pb.FreeHoldsResponse()
        )
