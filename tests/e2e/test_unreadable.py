"""What no field can hold, on every public RPC: broken bytes, JSON that is none, names twice or unknown, paths that lead
elsewhere. Refused before anything is reserved."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from envoy.public_api import Binding
from tests.e2e.shop import Shop
from tests.e2e.spoils import as_json
from tests.e2e.telling import PUBLIC, over_grpc, over_http, patient, standing
from tests.e2e.valid_requests import VALID, Ground

each_rpc = pytest.mark.parametrize("bound", PUBLIC, ids=lambda bound: bound.method.name)


@each_rpc
async def test_bytes_that_are_no_message(shop: Shop, ground: Ground, bound: Binding) -> None:
    """Broken tags, and text that is not UTF-8, in a message that is otherwise whole."""
    valid = VALID[bound.method.name](ground).SerializeToString()
    broken = [b"\xff\xff\xff", valid + b"\x0a\x7f", valid[:-1] if valid else b"\x0a"]
    broken += [valid + bytes([each.number << 3 | 2, 2]) + b"\xc3\x28" for each in texts_of(bound)]
    before = await standing(shop, ground)
    for data in broken:
        told = await patient(lambda data=data: over_grpc(shop, bound, ground, data))  # type: ignore[misc]
        assert (told.code, told.reason) == ("INVALID_ARGUMENT", "UNDECODABLE"), (data, told)
    large = valid + b"\xfa\x3f" + b"\x80\x80\xc0\x01" + bytes(3 * 2**20)  # an unknown field of 3 MiB
    told = await patient(lambda: over_grpc(shop, bound, ground, large))
    assert (told.code, told.reason) == ("RESOURCE_EXHAUSTED", "TOO_LARGE"), told
    assert await standing(shop, ground) == before


def texts_of(bound: Binding) -> list[Any]:
    return [each for each in bound.method.input_type.fields if each.type == each.TYPE_STRING]


# In place of a value: NaN is no JSON, 1e400 is a number that no field holds.
RAW = {
    **dict.fromkeys(("NaN", "-Infinity", '"\\ud800"', '"\\udc00x"', "'x'", "0x1", "+1", "01"), "UNDECODABLE"),
    **dict.fromkeys(("1e400", "-1E400", "9" * 10_000), "INVALID_FIELD"),
}


@pytest.mark.parametrize("bound", [each for each in PUBLIC if each.body], ids=lambda bound: bound.method.name)
async def test_a_body_with_one_value_that_json_or_the_field_cannot_hold(
    shop: Shop, ground: Ground, bound: Binding
) -> None:
    before = await standing(shop, ground)
    path, in_body = path_and_rest(bound, as_json(VALID[bound.method.name](ground)))
    for field in in_body:
        for raw, reason in RAW.items():
            body = json.dumps(in_body | {field: "@"}).replace('"@"', raw).encode()
            answer = await over_http(shop, ground, bound, path, body)
            assert (answer.status, answer.reason) == (400, reason), (field, raw, answer)
            assert answer.fields == ([field] if reason == "INVALID_FIELD" else []), (raw, answer)
        twice = json.dumps(in_body).encode()[:-1] + b', "%s": "x"}' % field.encode()
        answer = await over_http(shop, ground, bound, path, twice)
        assert (answer.status, answer.fields) == (400, [field]), answer
    assert await standing(shop, ground) == before


def path_and_rest(bound: Binding, said: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What of a request is in its path, and what is not."""
    return bound.path.format(**said), {name: value for name, value in said.items() if f"{{{name}}}" not in bound.path}


@each_rpc
async def test_more_than_the_contract_has(shop: Shop, ground: Ground, bound: Binding) -> None:
    """A field, a parameter, bytes, or a body too many. Over gRPC an unknown field is a newer client's, and passes."""
    before = await standing(shop, ground)
    path, in_body = path_and_rest(bound, as_json(VALID[bound.method.name](ground)))
    said: dict[str, Any] = {"quantitty": 1}
    if bound.body:
        unknown = await over_http(shop, ground, bound, path, in_body | said)
        large = await over_http(shop, ground, bound, path, in_body | {"x": "x" * 300_000})
        assert (large.status, large.reason) == (413, "TOO_LARGE"), large
    else:
        unknown = await over_http(shop, ground, bound, f"{path}?{urlencode(said)}")
        body = await over_http(shop, ground, bound, path, {})
        assert (body.status, body.reason) == (400, "UNDECODABLE"), body
    assert (unknown.status, unknown.fields) == (400, ["quantitty"]), unknown
    assert await standing(shop, ground) == before


SEGMENTS = ("", ".", "..", "%2e%2e", "..%2F..", "a%2Fb", "a%5Cb", "%00", "%ff", "%", "a:b", "%zz")


@pytest.mark.parametrize("bound", [each for each in PUBLIC if "{" in each.path], ids=lambda bound: bound.method.name)
async def test_a_path_whose_variable_is_no_name(shop: Shop, ground: Ground, bound: Binding) -> None:
    """What changes the path is another path, which is not there; what does not is named."""
    before = await standing(shop, ground)
    valid = as_json(VALID[bound.method.name](ground))
    _, said = path_and_rest(bound, valid)
    query = "" if bound.body or not said else "?" + urlencode(said)
    for variable in re.findall(r"\{(\w+)\}", bound.path):
        for segment in SEGMENTS:
            path = bound.path.format(**valid | {variable: segment}) + query
            answer = await over_http(shop, ground, bound, path, said if bound.body else None)
            assert 400 <= answer.status < 500, (path, answer)
            assert answer.reason in ("METHOD_NOT_FOUND", "UNDECODABLE") or answer.fields == [variable], (path, answer)
    assert await standing(shop, ground) == before
