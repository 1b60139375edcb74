"""Malformed input on every public RPC, over gRPC and JSON: the caller's fault is told as the caller's, the field is
named, and nothing is reserved. The methods come from the contracts: a new one is in here by itself."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc import StatusCode
from grpc_status import rpc_status

from envoy.public_api import Binding, bindings
from meshkit.identity import Role
from tests.e2e.shop import Shop
from tests.json_client import ask

# What a service may say to nonsense. Nonsense in a free text is none.
FAULTS = {
    *(StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.NOT_FOUND, StatusCode.FAILED_PRECONDITION),
    *(StatusCode.PERMISSION_DENIED, StatusCode.RESOURCE_EXHAUSTED),
}
WORDS = ("{x}", "a b", "é", "x" * 5_000, "'; drop table orders; --", "../..", '"*" OR', "\u202e", "%00")
NUMBERS = (-1, -(2**31), 2**31 - 1)
PUBLIC = bindings()


def hostile(kind: Any) -> Iterator[tuple[str, Message]]:
    """Messages in which one field, named with them, is nonsense."""
    yield "", kind()
    for field in kind.DESCRIPTOR.fields:
        for value in _nonsense(field):
            made = kind()
            if field.is_repeated:
                getattr(made, field.name).append(value)
            elif isinstance(value, Message):
                getattr(made, field.name).CopyFrom(value)
            else:
                setattr(made, field.name, value)
            yield field.name, made


def _nonsense(field: Any) -> list[Any]:
    if field.message_type is not None:
        return [made for _, made in hostile(GetMessageClass(field.message_type))]
    if field.enum_type is not None:
        return [999]
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return list(WORDS) if field.type == FieldDescriptor.TYPE_STRING else [b"\xff" * 64]
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return [True]
    numbers = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_DOUBLE}
    return list(NUMBERS) if field.cpp_type in numbers else [2**31 - 1]


async def code_of(shop: Shop, bound: Binding, data: bytes) -> tuple[StatusCode, list[str]]:
    """The status, and the fields that its BadRequest names."""
    metadata = shop.metadata("malformed", Role.SELLER)
    try:
        if bound.method.server_streaming:
            stream: Any = shop.gateway.unary_stream(bound.rpc)
            async for _ in stream(data, metadata=metadata, timeout=5):
                break
        else:
            unary: Any = shop.gateway.unary_unary(bound.rpc)
            await unary(data, metadata=metadata, timeout=5)
    except grpc.aio.AioRpcError as error:
        found: Any = rpc_status.from_call(error)  # type: ignore[arg-type]
        told = MessageToDict(found)["details"] if found else []
        return error.code(), [each["field"] for part in told for each in part.get("fieldViolations", [])]
    return StatusCode.OK, []


@pytest.mark.parametrize("bound", PUBLIC, ids=lambda bound: bound.rpc)
async def test_over_grpc(shop: Shop, bound: Binding) -> None:
    sale = await shop.open_sale(units=3)
    code, _ = await code_of(shop, bound, b"\xff\xff\xff")
    assert code is StatusCode.INVALID_ARGUMENT
    for field, message in hostile(GetMessageClass(bound.method.input_type)):
        code, named = await code_of(shop, bound, message.SerializeToString())
        assert code in FAULTS, f"{field}: {code} for {message!s:.200}"
        assert bool(named) == (code is StatusCode.INVALID_ARGUMENT), f"{field}: {code} {named}"
    assert (await shop.offer(sale)).redis.available == 3


@pytest.mark.parametrize("bound", PUBLIC, ids=lambda bound: bound.rpc)
async def test_over_json(shop: Shop, bound: Binding) -> None:
    sale = await shop.open_sale(units=3)
    token = shop.issuer.issue("malformed", Role.SELLER)
    for field, message in hostile(GetMessageClass(bound.method.input_type)):
        try:
            said = MessageToDict(message, preserving_proto_field_name=True)
        except SerializeToJsonError:
            continue  # a time with -1 nanoseconds has no JSON
        in_path = {name: quote(str(said.pop(name, "x")), safe="") for name in re.findall(r"\{(\w+)\}", bound.path)}
        path = bound.path.format(**in_path)
        query = "" if bound.body or not said else "?" + urlencode(said, doseq=True)
        url = f"http://127.0.0.1:{shop.settings.ports['gateway']}{path}{query}"
        answer = await ask(url, token, bound.verb, said if bound.body else None)
        assert 200 <= answer.status < 500, f"{field}: {answer} for {url}"
        if answer.status != 200:
            assert answer.body["details"], f"{field}: {answer}"
            assert answer.body["message"]
    assert (await shop.offer(sale)).redis.available == 3
