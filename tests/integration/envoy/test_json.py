"""JSON through the gateway: what is refused before any service sees it, and the one form of every error."""

import re
from typing import Any
from uuid import uuid4

import grpc
import pytest

from envoy.public_api import Binding, bindings
from tests.integration.envoy.mesh import Mesh, RefusalError, never, upstream
from tests.json_client import JsonAnswer, ask

WITH_BODY = [bound for bound in bindings() if bound.body]
MALFORMED = {
    "no object": b"[1]",
    "no JSON": b"sku=a",
    "cut short": b'{"sku": "a"',
    "single quotes": b"{'sku': 'a'}",
    "something behind": b'{"sku": "a"} {}',
    "twice": b'{"sku": "a", "sku": "b"}',
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


async def send(mesh: Mesh, bound: Binding, body: Any) -> JsonAnswer:
    """To a gateway with nobody behind it: an answer of 503 would mean that the request got through."""
    url = f"http://127.0.0.1:{mesh.ports['gateway']}{path_of(bound)}"
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


@pytest.mark.parametrize("bound", WITH_BODY, ids=lambda bound: bound.rpc)
async def test_a_value_of_the_wrong_type_is_named(mesh: Mesh, bound: Binding) -> None:
    for field in bound.method.input_type.fields:
        if f"{{{field.name}}}" in bound.path:
            continue
        wrong = {"a": 1} if field.message_type is None else "words"
        answer = await send(mesh, bound, {field.name: wrong})
        assert answer.status == 400, (field.name, answer)
        assert field.name in answer.body["message"], (field.name, answer)


async def test_an_inner_field_is_named_by_its_path(mesh: Mesh) -> None:
    order = next(bound for bound in WITH_BODY if bound.path == "/v1/orders")
    answer = await send(mesh, order, {"shipping_address": {"town": "x", "city": "Berlin"}})
    assert answer.fields == ["shipping_address.town"]


@pytest.mark.parametrize("bound", bindings(), ids=lambda bound: bound.rpc)
async def test_an_unknown_query_parameter_is_refused(mesh: Mesh, bound: Binding) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}{path_of(bound)}?color=red"
    answer = await ask(url, mesh.token(), bound.verb, {} if bound.body else None)
    assert_told(answer, 400, "UNDECODABLE")
    assert "color" in answer.body["message"]


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/v1/nothing"),
        ("PUT", "/v1/orders"),
        ("POST", "/peakmesh.checkout.v1.CheckoutService/PlaceOrder"),
        ("POST", "/peakmesh.ops.v1.OpsService/OpenSale"),
    ],
)
async def test_what_is_not_there_is_404_in_the_same_form(mesh: Mesh, verb: str, path: str) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}{path}"
    assert_told(await ask(url, mesh.token(), verb, {} if verb != "GET" else None), 404, "METHOD_NOT_FOUND")


async def test_envoys_own_refusals_have_the_same_form(mesh: Mesh) -> None:
    orders = f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders"
    await mesh.healthy("order", 0)
    assert_told(await ask(orders), 401, "UNAUTHENTICATED")
    assert_told(await ask(orders, mesh.token(), "POST", {"sku": "x" * 300_000}), 413, "TOO_LARGE")
    assert_told(await ask(orders, mesh.token()), 503, "DEPENDENCY_UNAVAILABLE")


async def test_a_service_that_hangs_is_504_in_the_same_form(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"], never):
        await mesh.healthy("order", 1)
        answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders", mesh.token())
    assert_told(answer, 504, "DEADLINE")


async def test_a_service_that_refuses_is_told_by_its_status(mesh: Mesh) -> None:
    async def refuse(_: bytes) -> bytes:
        raise RefusalError(grpc.StatusCode.NOT_FOUND)

    async with upstream(mesh.ports["order_serve_0"], refuse):
        await mesh.healthy("order", 1)
        answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders", mesh.token())
    assert (answer.status, answer.body["code"], answer.body["message"]) == (404, 5, "refused")


async def test_an_answer_that_is_not_the_contracts_is_a_defect_in_the_same_form(mesh: Mesh) -> None:
    async def garbage(_: bytes) -> bytes:
        return b"\x08\x01"

    async with upstream(mesh.ports["order_serve_0"], garbage):
        await mesh.healthy("order", 1)
        answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders", mesh.token())
    assert_told(answer, 502, "INTERNAL")


async def test_a_call_is_told_in_the_contracts_own_names(mesh: Mesh) -> None:
    async with upstream(mesh.ports["order_serve_0"]) as behind:
        await mesh.healthy("order", 1)
        answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders", mesh.token())
    assert (answer.status, answer.body) == (200, {"orders": [], "next_page_token": ""})
    assert [method for method, _ in behind.calls] == ["/peakmesh.order.v1.OrderService/ListOrders"]


async def test_what_the_api_is_anybody_may_read(mesh: Mesh) -> None:
    answer = await ask(f"http://127.0.0.1:{mesh.ports['gateway']}/openapi.json")
    assert (answer.status, answer.kind) == (200, "application/json")
    told = {(verb.upper(), path) for path, verbs in answer.body["paths"].items() for verb in verbs}
    assert told == {(bound.verb, bound.path) for bound in bindings()}
