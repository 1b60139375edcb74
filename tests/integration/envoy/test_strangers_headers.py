"""What a client says in x-envoy-* changes nothing, whatever it calls and by whatever door; and no door of ours injects
a fault because a header asks for it."""

import grpc
import pytest

from tests.integration.envoy.mesh import GET_ORDER, GET_SALE, PLACE_ORDER, QUOTE_PROMOTION, Mesh, raw, timed, upstream
from tests.json_client import ask
from tests.polling import eventually

SAID = {
    "x-envoy-fault-delay-request": "2000",
    "x-envoy-fault-delay-request-percentage": "100",
    "x-envoy-fault-abort-grpc-request": "14",
    "x-envoy-fault-abort-request-percentage": "100",
    "x-envoy-fault-abort-request": "503",
    "x-envoy-fault-throughput-response": "1",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-retry-grpc-on": "internal",
}
LIST_ORDERS = "/peakmesh.order.v1.OrderService/ListOrders"
RECOMMEND = "/peakmesh.engagement.v1.RecommendationService/Recommend"
LIST_VOUCHERS = "/peakmesh.promotion.v1.PromotionService/ListVouchers"
LIST_STUCK = "/peakmesh.order.v1.OrderOpsService/ListStuckOrders"
DEBIT = "/peakmesh.provider.v1.WalletService/Debit"


@pytest.mark.parametrize(("door", "method", "port", "cluster"), [
    ("gateway", PLACE_ORDER, "checkout_0", "checkout"),
    ("gateway", GET_ORDER, "order_serve_0", "order"),
    ("gateway", LIST_ORDERS, "order_serve_0", "order"),
    ("gateway", LIST_VOUCHERS, "promo", "vouchers"),
    ("gateway", RECOMMEND, "engagement", "engagement"),
    ("operators", GET_SALE, "governor", "governor"),
    ("operators", LIST_STUCK, "order_serve_0", "order"),
])  # fmt: skip
async def test_no_such_word_passes_a_door(mesh: Mesh, door: str, method: str, port: str, cluster: str) -> None:
    async with upstream(mesh.ports[port]) as behind, mesh.channel(door) as channel:
        await mesh.healthy(cluster, 1)
        async with timed() as seconds:
            await raw(channel, method)(b"", metadata=(*mesh.bearer(), *SAID.items()), timeout=5)
    assert seconds[0] < 1.5
    [(_, seen)] = behind.calls
    assert not SAID.keys() & seen.keys()
    assert seen["x-request-id"]


async def test_nor_one_of_a_stranger_who_speaks_json(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"]) as behind:
        await mesh.healthy("order", 1)
        async with timed() as seconds:
            answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders", mesh.token(), **SAID)
    assert answer.status == 200
    assert seconds[0] < 1.5
    [(method, seen)] = behind.calls
    assert method == LIST_ORDERS
    assert not SAID.keys() & seen.keys()


@pytest.mark.parametrize(("hop", "method", "port"), [
    ("egress", QUOTE_PROMOTION, "promo"),
    ("egress", DEBIT, "providers"),
    ("promo_inbound", QUOTE_PROMOTION, "promo"),
    ("provider_inbound", DEBIT, "providers"),
    ("engagement_inbound", RECOMMEND, "engagement"),
    ("order_inbound_0", LIST_ORDERS, "order_serve_0"),
])  # fmt: skip
async def test_a_header_arms_no_fault_inside_the_mesh_either(mesh: Mesh, hop: str, method: str, port: str) -> None:
    """These doors are our own processes'; their fault filters hear the admin port alone."""
    said = tuple((name, value) for name, value in SAID.items() if name.startswith("x-envoy-fault-"))
    async with upstream(mesh.ports[port]), mesh.channel(hop) as channel:
        if port == "promo":
            await mesh.healthy("promo", 1)

        async def answered() -> bool:
            """Asked again where the machine was late for the 45 ms of a quote's route."""
            try:
                return bool(await raw(channel, method)(b"\x01", timeout=5, metadata=said) == b"\x01")
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise
                return False

        async with timed() as seconds:
            await eventually(answered)
    assert seconds[0] < 1.5
