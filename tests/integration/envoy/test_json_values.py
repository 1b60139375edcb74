"""JSON values against the contract's types: the filter before the transcoder, judged by protobuf's own reader."""

import json
import random
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor

from envoy.public_api import Binding, bindings
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from tests.integration.envoy.mesh import Mesh, upstream
from tests.json_client import JsonAnswer, ask

PLACE_ORDER = next(bound for bound in bindings() if bound.path == "/v1/orders" and bound.body)
CASES_A_SEED = 150
_WRONG: dict[int, list[Any]] = {
    FieldDescriptor.CPPTYPE_STRING: [1, True, ["a"], {"a": 1}],
    FieldDescriptor.CPPTYPE_BOOL: ["true", 1, []],
    FieldDescriptor.CPPTYPE_INT32: ["a", "", "1e2", 1.5, 2**31, -(2**31) - 1, True, [1], {}],
    FieldDescriptor.CPPTYPE_UINT32: ["a", 1.5, -1, 2**32, True],
    FieldDescriptor.CPPTYPE_INT64: ["a", 1.5, 2**63, str(-(2**63) - 1), True],
    FieldDescriptor.CPPTYPE_UINT64: ["a", 1.5, -1, str(2**64), True],
    FieldDescriptor.CPPTYPE_DOUBLE: ["a", True, []],
    FieldDescriptor.CPPTYPE_ENUM: ["NONE_SUCH", 999, True, 0.5],
    FieldDescriptor.CPPTYPE_MESSAGE: ["words", 1, True, [], [1]],
}


def wrong_values(message: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path of the field, body) with one value of the wrong type, for each field and what is inside it."""
    for field in message.fields:
        inner = field.message_type
        for value in _WRONG[field.cpp_type]:
            yield f"{path}{field.name}" + ("[0]" if field.is_repeated else ""), _wrapped(field, value)
        if inner is not None and not inner.full_name.startswith("google.protobuf."):
            below = f"{field.name}[0]." if field.is_repeated else f"{field.name}."
            for name, value in wrong_values(inner):
                yield f"{path}{below}{name}", _wrapped(field, value)


def _wrapped(field: Any, value: Any) -> dict[str, Any]:
    return {field.name: [value] if field.is_repeated else value}


def url_of(mesh: Mesh, bound: Binding) -> str:
    return f"http://127.0.0.1:{mesh.ports['gateway']}" + re.sub(r"\{[^}]*\}", "x", bound.path)


def assert_named(answer: JsonAnswer, field: str, sent: Any) -> None:
    assert (answer.status, answer.kind) == (400, "application/json"), (field, sent, answer)
    assert (answer.reason, answer.fields) == ("INVALID_FIELD", [field]), (sent, answer)


@pytest.mark.parametrize("bound", [each for each in bindings() if each.body], ids=lambda bound: bound.rpc)
async def test_a_value_of_the_wrong_type_is_named(mesh: Mesh, bound: Binding) -> None:
    token = mesh.token()
    for field, body in wrong_values(bound.method.input_type):
        top = re.split(r"[.\[]", field)[0]
        assert_named(await ask(url_of(mesh, bound), token, bound.verb, body), _told(bound, top, field), body)


def _told(bound: Binding, top: str, field: str) -> str:
    """A field that the path gives is refused as a whole."""
    return top if f"{{{top}}}" in bound.path else field


@pytest.mark.parametrize("bound", [each for each in bindings() if not each.body], ids=lambda bound: bound.rpc)
async def test_a_parameter_of_the_wrong_type_is_named(mesh: Mesh, bound: Binding) -> None:
    token = mesh.token()
    for field in bound.method.input_type.fields:
        url = f"{url_of(mesh, bound)}?{field.name}="
        if f"{{{field.name}}}" in bound.path:
            assert_named(await ask(f"{url}y", token, bound.verb), field.name, "given by the path")
            continue
        assert_named(await ask(f"{url}%ff", token, bound.verb), field.name, "%ff")
        if not field.is_repeated:
            twice = f"{url}1&{field.json_name}=1"
            assert field.name in (await ask(twice, token, bound.verb)).fields, twice
        if field.cpp_type != FieldDescriptor.CPPTYPE_STRING:
            assert_named(await ask(f"{url}words", token, bound.verb), field.name, "words")


TIMES = {
    "2026-01-31T23:59:59Z": True,
    "2024-02-29T00:00:00Z": True,
    "2000-02-29T00:00:00.000000001Z": True,
    "2026-01-31T23:59:59.123456789-11:30": True,
    "9999-12-31T23:59:59.999999999Z": True,
    "2026-02-29T00:00:00Z": False,
    "1900-02-29T00:00:00Z": False,
    "2026-13-01T00:00:00Z": False,
    "2026-00-01T00:00:00Z": False,
    "2026-04-31T00:00:00Z": False,
    "0000-01-01T00:00:00Z": False,
    "2026-01-31T24:00:00Z": False,
    "2026-01-31T23:60:00Z": False,
    "2026-01-31T23:59:60Z": False,
    "2026-01-31T23:59:59": False,
    "2026-01-31T23:59:59.Z": False,
    "2026-01-31T23:59:59.1234567890Z": False,
    "2026-01-31T23:59:59+25:00": False,
    "2026-01-31T23:59:59+1:00": False,
    "2026-01-31T23:59:59Zx": False,
    "9999-12-31T23:59:59-01:00": False,
    "0001-01-01T00:00:00+01:00": False,
}


@pytest.mark.parametrize(("text", "is_one"), TIMES.items())
async def test_a_time_that_there_is_passes_and_another_is_named(mesh: Mesh, text: str, is_one: bool) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}/v1/orders?" + urlencode({"from_time": text})
    answer = await ask(url, mesh.token())
    if is_one:
        assert answer.status == 503, answer  # nobody is behind this gateway
    else:
        assert_named(answer, "from_time", text)


@pytest.mark.parametrize("bound", [each for each in bindings() if "{" in each.path], ids=lambda bound: bound.rpc)
async def test_a_path_that_is_no_text_is_named(mesh: Mesh, bound: Binding) -> None:
    url = f"http://127.0.0.1:{mesh.ports['gateway']}" + re.sub(r"\{[^}]*\}", "%ff", bound.path)
    answer = await ask(url, mesh.token(), bound.verb, {} if bound.body else None)
    assert (answer.status, answer.fields) == (400, re.findall(r"\{([^}]*)\}", bound.path))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"sale_id": "a", "saleId": "b"}', "sale_id"),
        (b'{"sku": "a", "sku": "b"}', "sku"),
        (b'{"s\\u006bu": "a", "sku": "b"}', "sku"),
        (b'{"shippingAddress": {"postalCode": "1", "postal_code": "2"}}', "shipping_address.postal_code"),
        ('{"naïve \\" \\u0000": 1}'.encode(), 'naïve " \0'),
    ],
)
async def test_a_field_told_twice_by_any_of_its_names_is_named(mesh: Mesh, body: bytes, field: str) -> None:
    assert_named(await ask(url_of(mesh, PLACE_ORDER), mesh.token(), "POST", body), field, body)


async def test_every_fault_is_told_at_once(mesh: Mesh) -> None:
    body = {"quantity": "many", "shipping_address": {"town": "x"}, "sku": 1}
    answer = await ask(url_of(mesh, PLACE_ORDER), mesh.token(), "POST", body)
    assert sorted(answer.fields) == ["quantity", "shipping_address.town", "sku"]
    assert answer.body["message"].count("; ") == 2


VALUES: list[Any] = [
    *("a", "", "é😀", "\x7f", "0", "7", "-1", "true", "null", True, False, None, [], [1]),
    *(0, 1, -1, 1.0, 1.5, 1e2, -0.0, 1e400, 2**31 - 1, 2**31, -(2**31), 2**63),
    *({}, {"city": "x"}, {"city": 1}, {"postalCode": "9"}, {"x": 1}),
]


def random_body(chance: random.Random) -> str:
    names = [name for field in checkout.PlaceOrderRequest.DESCRIPTOR.fields for name in (field.name, field.json_name)]
    fields = {chance.choice([*names, "quantitty"]): chance.choice(VALUES) for _ in range(chance.randint(0, 4))}
    text = json.dumps(fields, ensure_ascii=chance.random() < 0.5).replace("Infinity", "1e400")
    if chance.random() < 0.2:  # a byte gone or doubled
        place = chance.randrange(len(text))
        text = text[:place] + text[place + 1 :] if chance.random() < 0.5 else text[:place] + text[place] + text[place:]
    return text


def read_by_protobuf(text: str) -> bytes | None:
    """What a strict reader makes of it; None where it refuses. Python's takes an empty list for a message."""
    try:
        read = json.loads(text, object_pairs_hook=_once)
        if any(read.get(name) in ("", []) for name in ("shipping_address", "shippingAddress")):
            return None
        return json_format.Parse(text, checkout.PlaceOrderRequest()).SerializeToString(deterministic=True)
    except (json_format.ParseError, ValueError):
        return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name.replace("_", "").lower() for name, _ in pairs}) < len(pairs):  # saleId is sale_id
        raise ValueError("a name is there twice")
    return dict(pairs)


@pytest.mark.parametrize("seed", range(4))
async def test_what_passes_is_what_protobuf_reads_and_nothing_is_lost(mesh: Mesh, seed: int) -> None:
    chance, token, taken = random.Random(seed), mesh.token(), []

    async def take(body: bytes) -> bytes:
        taken.append(checkout.PlaceOrderRequest.FromString(body).SerializeToString(deterministic=True))
        return b""

    async with upstream(mesh.ports["checkout_0"], take):
        await mesh.healthy("checkout", 1)
        for _ in range(CASES_A_SEED):
            text = random_body(chance)
            taken.clear()
            answer = await ask(url_of(mesh, PLACE_ORDER), token, "POST", text.encode())
            meant = read_by_protobuf(text)
            assert (answer.status, taken) == ((200, [meant]) if meant is not None else (400, [])), (text, answer)


@pytest.mark.parametrize("value", ["0" * 60_000 + "x", "1" * 60_000 + "x", "-" + "9" * 60_000])
async def test_a_long_value_does_not_hold_everybody_up(mesh: Mesh, value: str) -> None:
    """Envoy has one thread: a pattern that takes time by the square of its text stops all buyers."""
    url, token = url_of(mesh, PLACE_ORDER), mesh.token()
    began = time.monotonic()
    for body in (json.dumps({"quantity": value}).encode(), b'{"quantity": %s}' % value.removesuffix("x").encode()):
        answer = await ask(url, token, "POST", body)
        assert answer.status == 400
    took = time.monotonic() - began
    print(f"{len(value):,} characters refused twice in {took * 1000:.0f} ms")
    assert took < 2
