"""Recommendations and pictures as a client of the shop has them, and a shop that does not miss them."""

import base64
import io
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from meshkit.errors import DeadlinePassed, DependencyUnavailable, TooLarge
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.engagement.v1 import profile_service_pb2 as profile
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.engagement.v1 import recommendation_service_pb2 as pb
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as rpc
from tests.e2e.shop import Shop
from tests.json_client import ask
from tests.polling import eventually
from tools.devstack import Mesh, start_process, stop_process


def noise(side: int) -> bytes:
    """A PNG that cannot be packed: 3 bytes a pixel."""
    held = io.BytesIO()
    Image.effect_noise((side, side), 90).convert("RGB").save(held, "PNG", compress_level=0)
    return held.getvalue()


async def say(shop: Shop, stub: Any, method: str, request: Any, user: str = "ana") -> Any:
    asked = getattr(stub(shop.gateway), method)
    return await call(asked, request, timeout=10, dependency="engagement", metadata=shop.metadata(user))


async def recommends(shop: Shop) -> bool:
    try:
        await say(shop, rpc.RecommendationServiceStub, "Recommend", pb.RecommendRequest())
    except (DependencyUnavailable, DeadlinePassed):
        return False
    return True


async def test_a_picture_of_two_mebibytes_over_grpc_and_a_smaller_one_over_json(shop: Shop) -> None:
    user, large = f"u{uuid4().hex[:8]}", noise(830)
    assert 2_000_000 < len(large) <= 2 * 1024 * 1024
    sent = profile.UpdateAvatarRequest(request_id=str(uuid4()), image=large)
    kept = (await say(shop, profile_rpc.ProfileServiceStub, "UpdateAvatar", sent, user)).profile
    assert kept.avatar_type == "image/webp"
    base = f"http://127.0.0.1:{shop.settings.ports['gateway']}/v1"
    token = shop.issuer.issue(user, Role.BUYER)
    found = await ask(f"{base}/profile", token)
    assert base64.b64decode(found.body["profile"]["avatar"]) == kept.avatar
    image = base64.b64encode(noise(200)).decode()
    told = await ask(f"{base}/profile/avatar", token, "POST", {"request_id": str(uuid4()), "image": image})
    assert (told.status, told.body["profile"]["avatar_type"]) == (200, "image/webp"), told
    nonsense = await ask(f"{base}/profile/avatar", token, "POST", {"request_id": str(uuid4()), "image": "AAAA"})
    assert (nonsense.status, nonsense.fields) == (400, ["image"])
    too_large = base64.b64encode(noise(400)).decode()
    refused = await ask(f"{base}/profile/avatar", token, "POST", {"request_id": str(uuid4()), "image": too_large})
    assert (refused.status, refused.reason) == (413, "TOO_LARGE")
    sent = profile.UpdateAvatarRequest(request_id=str(uuid4()), image=b"x" * 3_000_000)
    with pytest.raises(TooLarge):
        await say(shop, profile_rpc.ProfileServiceStub, "UpdateAvatar", sent, user)
    listed = await ask(f"{base}/recommendations?page_size=3", token)
    assert (listed.status, listed.kind) == (200, "application/json"), listed


async def test_without_it_buying_goes_on_and_the_caller_is_told(shop: Shop, mesh: Mesh) -> None:
    sale = await shop.open_sale(units=1)
    stop_process("engagement_svc", mesh, kill=True)
    try:
        # Refused at once, or on a busy machine at the end of the route's second.
        with pytest.raises((DependencyUnavailable, DeadlinePassed)):
            await say(shop, rpc.RecommendationServiceStub, "Recommend", pb.RecommendRequest())
        assert (await shop.place("ana", sale)).order_id
    finally:
        start_process("engagement_svc", mesh)
    await eventually(lambda: recommends(shop), every=0.2)
