"""Says anything to a public RPC, over gRPC or JSON, and reads what is told: the status and the fields it names."""

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_status import rpc_status

from envoy.public_api import Binding, bindings
from meshkit.identity import Role
from peakmesh.checkout.v1 import cart_service_pb2 as cart_pb
from peakmesh.checkout.v1 import cart_service_pb2_grpc as cart_rpc
from tests.e2e.shop import Shop
from tests.e2e.valid_requests import ROLES, VALID, Ground
from tests.json_client import JsonAnswer, ask
from tests.polling import eventually

PUBLIC = bindings()
ADD_ITEM = next(bound for bound in PUBLIC if bound.method.name == "AddItem")


@dataclass(frozen=True)
class Told:
    """The status by its gRPC name, and the fields of its BadRequest."""

    code: str
    reason: str = ""
    fields: Sequence[str] = ()

    def names(self, path: str) -> bool:
        """This field once, and no other; a message left out is told of by what is missing in it."""
        inside = all(field == path or field.startswith(f"{path}.") for field in self.fields)
        return inside and 0 < len(self.fields) == len(set(self.fields))


async def fill_cart(shop: Shop, ground: Ground) -> None:
    assert (await over_grpc(shop, ADD_ITEM, ground, VALID["AddItem"](ground).SerializeToString())).code == "OK"


async def over_grpc(shop: Shop, bound: Binding, ground: Ground, data: bytes) -> Told:
    metadata = shop.metadata(ground.user, ROLES.get(bound.method.name, Role.BUYER))
    try:
        if bound.method.server_streaming:
            stream: Any = shop.gateway.unary_stream(bound.rpc)
            async for _ in stream(data, metadata=metadata, timeout=10):
                break
        else:
            unary: Any = shop.gateway.unary_unary(bound.rpc)
            await unary(data, metadata=metadata, timeout=10)
    except grpc.aio.AioRpcError as error:
        found: Any = rpc_status.from_call(error)  # type: ignore[arg-type]
        return _told(error.code().name, MessageToDict(found, preserving_proto_field_name=True) if found else {})
    return Told("OK")


async def over_json(shop: Shop, bound: Binding, ground: Ground, said: dict[str, Any]) -> Told:
    token = shop.issuer.issue(ground.user, ROLES.get(bound.method.name, Role.BUYER))
    said = dict(said)
    in_path = {name: quote(str(said.pop(name, "")), safe="") for name in re.findall(r"\{(\w+)\}", bound.path)}
    query = "" if bound.body or not said else "?" + urlencode(dict(_flat(said)), doseq=True)
    url = url_of(shop, f"{bound.path.format(**in_path)}{query}")
    answer = await ask(url, token, bound.verb, said if bound.body else None)
    if answer.status == 200:
        return Told("OK")
    assert 400 <= answer.status < 500, f"{answer} for {url}"
    assert answer.body["message"], answer
    return _told(CODES[answer.body["code"]], answer.body)


CODES = {code.value[0]: code.name for code in grpc.StatusCode}


def _told(code: str, status: Any) -> Told:
    details = status.get("details", [])
    reason = next((part["reason"] for part in details if "reason" in part), "")
    return Told(code, reason, [each["field"] for part in details for each in part.get("field_violations", [])])


def _flat(said: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in said.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


async def patient(say: Callable[[], Awaitable[Told]]) -> Told:
    """What can be done without has a rate: who is too fast for it asks again, as the errors' table says."""
    told: list[Told] = []

    async def answered() -> bool:
        told[:] = [await say()]
        return told[0].reason != "OVERLOADED"

    await eventually(answered, every=0.1)
    return told[0]


async def standing(shop: Shop, ground: Ground) -> tuple[int, int, Any]:
    """Units left, units that SQL knows to be held or sold, and the cart."""
    stub: Any = cart_rpc.CartServiceStub(shop.gateway)
    cart = await stub.GetCart(cart_pb.GetCartRequest(), metadata=shop.metadata(ground.user), timeout=5)
    offer = await shop.offer(ground.sale)
    return offer.redis.available, offer.redis.reserved + offer.redis.sold, cart


def url_of(shop: Shop, path: str) -> str:
    return f"http://127.0.0.1:{shop.settings.ports['gateway']}{path}"


async def over_http(shop: Shop, ground: Ground, bound: Binding, path: str, body: Any = None) -> JsonAnswer:
    token = shop.issuer.issue(ground.user, ROLES.get(bound.method.name, Role.BUYER))
    return await ask(url_of(shop, path), token, bound.verb, body)
