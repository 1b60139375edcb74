"""Who gets through the two doors, and to which services."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from meshkit.errors import Unauthenticated
from meshkit.identity import AUDIENCE, ISSUER, Role
from meshkit.rpc.client import typed_error
from tests.integration.envoy.mesh import GET_ORDER, GET_SALE, PLACE_ORDER, QUOTE_PROMOTION, Mesh, raw, upstream

BAD_TOKENS = [
    "missing", "garbage", "expired", "no expiry", "other audience", "no audience", "other issuer", "other key",
    "HS256 by the public key", "none",
]  # fmt: skip


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "buyer-1", "role": "operator", "iat": now, "exp": now + 60}
    return {name: value for name, value in (good | changes).items() if value is not None}


def unsigned(header: dict[str, str], body: dict[str, Any]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, body))
    return ".".join(parts)


def bad_token(kind: str, mesh: Mesh) -> str:
    identity = mesh.run_dir / "identity"
    ours, headers = (identity / "private.pem").read_text(), {"kid": "peakmesh-1"}
    changed = {
        "expired": claims(exp=int(time.time()) - 30),
        "no expiry": claims(exp=None),
        "other audience": claims(aud="another-shop"),
        "no audience": claims(aud=None),
        "other issuer": claims(iss="stranger"),
    }
    if kind in changed:
        return jwt.encode(changed[kind], ours, algorithm="ES256", headers=headers)
    if kind == "other key":
        return jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256", headers=headers)
    if kind == "none":
        return unsigned({"alg": "none", "typ": "JWT"}, claims()) + "."
    if kind == "HS256 by the public key":
        content = unsigned({"alg": "HS256", "typ": "JWT", "kid": "peakmesh-1"}, claims())
        mac = hmac.new((identity / "jwks.json").read_bytes(), content.encode(), hashlib.sha256).digest()
        return content + "." + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
    return "not.a.token"


@pytest.mark.parametrize(("door", "method"), [("gateway", PLACE_ORDER), ("operators", GET_SALE)])
@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_bad_token_is_unauthenticated(mesh: Mesh, kind: str, door: str, method: str) -> None:
    metadata = () if kind == "missing" else (("authorization", f"Bearer {bad_token(kind, mesh)}"),)
    port = {"gateway": "checkout_0", "operators": "governor"}[door]
    async with upstream(mesh.ports[port]) as behind, mesh.channel(door) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await raw(channel, method)(b"", metadata=metadata, timeout=5)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    # The same typed error that a service would send: clients tell reasons apart in one way only.
    assert isinstance(typed_error(raised.value, "gateway"), Unauthenticated)
    assert behind.calls == []


@pytest.mark.parametrize(
    ("door", "port", "cluster", "method"),
    [
        ("gateway", "checkout_0", "checkout", PLACE_ORDER),
        ("gateway", "order_serve_0", "order", GET_ORDER),
        ("operators", "governor", "governor", GET_SALE),
    ],
)
async def test_a_good_token_reaches_the_service_and_is_passed_on(
    mesh: Mesh, door: str, port: str, cluster: str, method: str
) -> None:
    bearer = mesh.bearer()
    async with upstream(mesh.ports[port]) as behind, mesh.channel(door) as channel:
        await mesh.healthy(cluster, 1)
        assert await raw(channel, method)(b"\x01", metadata=bearer, timeout=5) == b"\x01"
    assert [called for called, _ in behind.calls] == [method]
    assert behind.calls[0][1]["authorization"] == bearer[0][1]


@pytest.mark.parametrize(
    ("door", "method"),
    [
        ("gateway", GET_SALE),
        ("gateway", QUOTE_PROMOTION),
        ("gateway", "/peakmesh.promotion.v1.PromotionService/FreeHolds"),
        ("gateway", "/peakmesh.promotion.v1.PromotionService/ListVouchers/../QuotePromotion"),
        ("gateway", "/peakmesh.provider.v1.WalletService/SetBalance"),
        ("gateway", "/peakmesh.checkout.v1.CheckoutService/../../peakmesh.ops.v1.OpsService/GetSale"),
        ("operators", PLACE_ORDER),
        ("gateway", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
    ],
)
async def test_a_door_leads_nowhere_else(mesh: Mesh, door: str, method: str) -> None:
    async with mesh.channel(door) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await raw(channel, method)(b"", metadata=mesh.bearer(Role.OPERATOR), timeout=5)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
