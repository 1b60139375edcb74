"""JSON through the gateway: what is refused before any service sees it, and the one form of every error."""

import asyncio
import re
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

import grpc
import pytest

from envoy.public_api import Binding, bindings
from peakmesh.order.v1 import order_pb2, order_service_pb2
from tests.integration.envoy.mesh import Mesh, RefusalError, never, upstream
from tests.json_client import JsonAnswer, ask

WITH_BODY = [bound for bound in bindings() if bound.body]
MALFORMED = {
    "no object": b"[1]",
    "no JSON": b"sku=a",
    "cut short": b'{"sku": "a"',
    "single quotes": b"{'sku': 'a'}",
    "something behind": b'{"sku": "a"} {}',
    "nothing": b"",
    "spaces": b"  ",
    "null": b"null",
    "a byte order mark": b'\xef\xbb\xbf{"sku": "a"}',
    "a number that begins with 0": b'{"quantity": 01}',
    "a number that ends with a point": b'{"quantity": 1.}',
    "half of a surrogate pair": b'{"sku": "\\ud800"}',
    "a broken escape": b'{"sku": "\\x41"}',
    "too deep": b'{"a":' * 100,
    "not UTF-8": b'{"request_id": "\xff\xfe"}',
}


def path_of(bound: Binding) -> str:
    return re.sub(r"\{[^}]*\}", "x", bound.path)


def assert_told(answer: JsonAnswer, status: int, reason: str) -> None:
    """The one form of an error, whoever made it."""
    assert (answer.status, answer.kind) == (status, "application/json"), answer
    assert {"code", "message", "details"} == set(answer.body)
    assert isinstance(answer.body["code"], int)
    assert answer.body["message"]
    assert answer.reason == reason


def gateway(mesh: Mesh) -> str:
    return f"http://127.0.0.1:{mesh.ports['gateway']}"


async def send(mesh: Mesh, bound: Binding, body: Any) -> JsonAnswer:
    """To a gateway with nobody behind it: an answer of 503 would mean that the request got through."""
    url = f"{gateway(mesh)}{path_of(bound)}"
    return await ask(url, mesh.token(), bound.verb, body)


@pytest.mark.parametrize("bound", WITH_BODY, ids=lambda bound: bound.rpc)
async def test_a_field_that_the_contract_lacks_is_named(mesh: Mesh, bound: Binding) -> None:
    answer = await send(mesh, bound, {"request_id": str(uuid4()), "quantitty": 2})
    assert_told(answer, 400, "INVALID_FIELD")
    assert answer.fields == ["quantitty"]


@pytest.mark.parametrize("bound", WITH_BODY, ids=lambda bound: bound.rpc)
@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_body_that_is_not_json_goes_no_further(mesh: Mesh, bound: Binding, body: bytes) -> None:
    assert_told(await send(mesh, bound, body), 400, "UNDECODABLE")


@pytest.mark.parametrize("bound", bindings(), ids=lambda bound: bound.rpc)
async def test_an_unknown_query_parameter_is_refused(mesh: Mesh, bound: Binding) -> None:
    url = f"{gateway(mesh)}{path_of(bound)}?color=red"
    answer = await ask(url, mesh.token(), bound.verb, {} if bound.body else None)
    assert_told(answer, 400, "INVALID_FIELD")
    assert answer.fields == ["color"]


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v1/nothing"),
        ("PUT", "/v1/orders"),
        ("POST", "/v1/orders/"),
        ("GET", "/v1/orders/a:b"),
        ("POST", "/peakmesh.checkout.v1.CheckoutService/PlaceOrder"),
        ("POST", "/peakmesh.ops.v1.OpsService/OpenSale"),
    ],
)
async def test_what_is_not_there_is_404_in_the_same_form(mesh: Mesh, verb: str, path: str) -> None:
    url = f"{gateway(mesh)}{path}"
    assert_told(await ask(url, mesh.token(), verb, {} if verb != "GET" else None), 404, "METHOD_NOT_FOUND")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_a_body_that_does_not_say_it_is_json_is_refused(mesh: Mesh, kind: str) -> None:
    """A page of a stranger may send such a body without asking the browser first."""
    answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token(), "POST", {"sku": "a"}, **{"content-type": kind})
    assert_told(answer, 415, "UNDECODABLE")


@pytest.mark.parametrize("bound", [each for each in bindings() if not each.body], ids=lambda bound: bound.rpc)
async def test_a_body_where_none_belongs_is_refused(mesh: Mesh, bound: Binding) -> None:
    assert_told(await send(mesh, bound, {"page_size": 1}), 400, "UNDECODABLE")


async def test_a_browser_may_ask_before_it_sends_json(mesh: Mesh) -> None:
    said = {"origin": "http://localhost:5173", "access-control-request-method": "PATCH"}

    request = Request(f"{gateway(mesh)}/v1/cart/items/a/b", headers=said, method="OPTIONS")  # noqa: S310

    def preflight() -> tuple[int, str, str]:
        with urlopen(request, timeout=5) as answer:  # noqa: S310
            told = answer.headers
            return answer.status, told["access-control-allow-methods"], told["access-control-expose-headers"]

    status, methods, exposed = await asyncio.to_thread(preflight)
    assert (status, "PATCH" in methods, "retry-after" in exposed) == (200, True, True)


async def test_what_cannot_be_read_before_it_has_a_path_has_the_same_form(mesh: Mesh) -> None:
    for path, status, reason in [("/v1/orders/a%2fb", 400, "UNDECODABLE"), ("/v1/" + "x" * 40_000, 431, "TOO_LARGE")]:
        assert_told(await ask(gateway(mesh) + path, mesh.token()), status, reason)


async def test_grpcs_own_headers_mean_nothing_over_json(mesh: Mesh) -> None:
    """A server that got this grpc-timeout would answer INTERNAL."""
    async with upstream(mesh.ports["order_serve_0"]) as behind:
        await mesh.healthy("order", 1)
        said = {"grpc-timeout": "soon", "grpc-encoding": "none-such", "x-bin": "?"}
        answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token(), **said)
    assert answer.status == 200
    assert not said.keys() & behind.calls[0][1].keys()


async def test_how_long_to_wait_is_told_in_http_too(mesh: Mesh) -> None:
    await mesh.healthy("order", 0)
    assert (await ask(f"{gateway(mesh)}/v1/orders", mesh.token())).retry_after == "1"


async def test_a_long_page_is_read_whole(mesh: Mesh) -> None:
    order = order_pb2.Order(order_id="x" * 36, state_reason="y" * 1000)

    async def page(_: bytes) -> bytes:
        return order_service_pb2.ListOrdersResponse(orders=[order] * 2_000).SerializeToString()

    async with upstream(mesh.ports["order_serve_0"], page):
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token())
    assert (answer.status, len(answer.body["orders"])) == (200, 2_000)


async def test_envoys_own_refusals_have_the_same_form(mesh: Mesh) -> None:
    orders = f"{gateway(mesh)}/v1/orders"
    await mesh.healthy("order", 0)
    assert_told(await ask(orders), 401, "UNAUTHENTICATED")
    assert_told(await ask(orders, mesh.token(), "POST", {"sku": "x" * 66_000}), 413, "TOO_LARGE")
    assert_told(await ask(orders, mesh.token()), 503, "DEPENDENCY_UNAVAILABLE")


async def test_a_service_that_hangs_is_504_in_the_same_form(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"], never):
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token())
    assert_told(answer, 504, "DEADLINE")


async def test_a_service_that_refuses_is_told_by_its_status(mesh: Mesh) -> None:
    async def refuse(_: bytes) -> bytes:
        raise RefusalError(grpc.StatusCode.NOT_FOUND)

    async with upstream(mesh.ports["order_serve_0"], refuse):
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token())
    assert (answer.status, answer.body["code"], answer.body["message"]) == (404, 5, "refused")


async def test_an_answer_that_is_not_the_contracts_is_a_defect_in_the_same_form(mesh: Mesh) -> None:
    async def garbage(_: bytes) -> bytes:
        return b"\x08\x01"

    async with upstream(mesh.ports["order_serve_0"], garbage):
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token())
    assert_told(answer, 502, "INTERNAL")


async def test_a_call_is_told_in_the_contracts_own_names(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"]) as behind:
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders", mesh.token())
    assert (answer.status, answer.body) == (200, {"orders": [], "next_page_token": ""})
    assert [method for method, _ in behind.calls] == ["/peakmesh.order.v1.OrderService/ListOrders"]


async def test_what_the_api_is_anybody_may_read(mesh: Mesh) -> None:
    answer = await ask(f"{gateway(mesh)}/openapi.json")
    assert (answer.status, answer.kind) == (200, "application/json")
    told = {(verb.upper(), path) for path, verbs in answer.body["paths"].items() for verb in verbs}
    assert told == {(bound.verb, bound.path) for bound in bindings()}


async def test_a_stream_that_is_refused_is_an_error_like_any_other(mesh: Mesh) -> None:
    async def refuse(_: bytes) -> bytes:
        raise RefusalError(grpc.StatusCode.NOT_FOUND)

    async with upstream(mesh.ports["order_serve_0"], refuse):
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders/x:watch", mesh.token())
    assert (answer.status, answer.body["code"], answer.body["message"]) == (404, 5, "refused")


async def test_a_stream_is_an_object_a_line(mesh: Mesh) -> None:
    async def order(_: bytes) -> bytes:
        return order_service_pb2.WatchOrderResponse(order=order_pb2.Order(order_id="x")).SerializeToString()

    async with upstream(mesh.ports["order_serve_0"], order):
        await mesh.healthy("order", 1)
        answer = await ask(f"{gateway(mesh)}/v1/orders/x:watch", mesh.token())
    assert (answer.status, answer.kind, answer.body["order"]["order_id"]) == (200, "application/json", "x")
