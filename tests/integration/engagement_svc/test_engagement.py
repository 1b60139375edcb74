"""A real engagement_svc on a real database: recommendations of rows, pictures that are kept."""

import asyncio
import io
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image
from sqlalchemy import delete, insert

from engagement_svc.app import running
from engagement_svc.avatar_store import Avatars, Update
from engagement_svc.settings import Settings
from kernel.schema import orders, product
from meshkit.db.engine import database
from meshkit.errors import InvalidFields, PeakmeshError, RequestIdReused, RoleRequired
from meshkit.identity import Role, TokenIssuer
from meshkit.ports import Ports
from meshkit.rpc.client import call, channel
from peakmesh.engagement.v1 import profile_service_pb2 as profile
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.engagement.v1 import recommendation_service_pb2 as pb
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as rpc
from tests.integration.order_worker.sold_orders import sold_rows
from tests.polling import eventually
from tools.devstack import Mesh

START_MS = 4_000_000_000_000  # after whatever other tests have bought: these are the latest purchases
PURCHASES = 60


def free_base() -> int:
    """An offset at which both ports of engagement_svc can be bound."""
    for base in range(5_003, 10_000, 13):
        try:
            for name in ("engagement", "engagement_metrics"):
                with socket.socket() as taken:
                    taken.bind(("127.0.0.1", Ports(base)[name]))
        except OSError:
            continue
        return base
    raise OSError("no free port for engagement_svc")


@dataclass
class World:
    wire: Any
    issuer: TokenIssuer
    prefix: str

    def user(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def sku(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    async def ask(self, stub: Any, method: str, request: Any, user: str, role: Role = Role.BUYER) -> Any:
        metadata = (("authorization", f"Bearer {self.issuer.issue(self.user(user), role)}"),)
        asked = getattr(stub(self.wire), method)
        return await call(asked, request, timeout=5, dependency="engagement", metadata=metadata)

    async def recommended(self, user: str, size: int = 5) -> list[Any]:
        request = pb.RecommendRequest(page_size=size)
        answer = await self.ask(rpc.RecommendationServiceStub, "Recommend", request, user)
        return list(answer.recommendations)

    async def update(self, user: str, image: bytes, request_id: str = "") -> profile.Profile:
        request = profile.UpdateAvatarRequest(request_id=request_id or str(uuid4()), image=image)
        answer = await self.ask(profile_rpc.ProfileServiceStub, "UpdateAvatar", request, user)
        found: profile.Profile = answer.profile
        return found

    async def profile(self, user: str) -> profile.Profile:
        answer = await self.ask(profile_rpc.ProfileServiceStub, "GetProfile", profile.GetProfileRequest(), user)
        found: profile.Profile = answer.profile
        return found


def rows_of(prefix: str) -> list[dict[str, Any]]:
    """Twenty buyers bought phone, case and charger; ten bought shoes and socks; "ana" a phone, alone."""
    bought = [(f"p{n}", sku) for n in range(15) for sku in ("phone", "case", "charger")]
    bought += [(f"s{n}", sku) for n in range(7) for sku in ("shoes", "socks")] + [("ana", "phone")]
    rows = sold_rows(random.Random(1), len(bought), ["x"], START_MS, 1)
    for row, (user, sku) in zip(rows, bought, strict=True):
        row |= {"user_id": f"{prefix}-{user}", "sku": f"{prefix}-{sku}", "state": "TO_SHIP"}
    return rows


@pytest.fixture
async def world(data_servers: Mesh) -> AsyncIterator[World]:
    prefix = f"t{uuid4().hex[:8]}"
    settings = Settings(
        port_base=free_base(),
        run_dir=data_servers.run_dir,
        db_url=data_servers.settings.database,
        drain_seconds=0,
        engagement_train_seconds=0.2,
        engagement_purchases=PURCHASES,
    )
    names = ("phone", "case", "charger", "shoes", "socks")
    async with database(settings.database, pool_size=2) as engine:
        rows = rows_of(prefix)
        goods = [
            {"sku": f"{prefix}-{name}", "name": name, "price_version": 1, "price_minor": 999, "currency": "EUR"}
            | {
                "weight_grams": 1,
                "seller_id": "s",
                "updated_ms": 1,
                "product_no": START_MS % 997 + number,
                "catalog_version": 1,
                "unversioned_at": None,
            }
            for number, name in enumerate(names, random.randint(2**20, 2**30))
        ]
        async with engine.begin() as connection:
            await connection.execute(insert(product), goods)
            await connection.execute(insert(orders), rows)
        try:
            async with running(settings) as port, channel(f"127.0.0.1:{port}") as wire:
                yield World(wire, TokenIssuer(settings.identity_dir), prefix)
        finally:
            async with engine.begin() as connection:
                await connection.execute(delete(orders).where(orders.c.order_id.in_([row["order_id"] for row in rows])))
                await connection.execute(delete(product).where(product.c.sku.in_([each["sku"] for each in goods])))


def picture(colour: str = "red", size: tuple[int, int] = (300, 200)) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", size, colour).save(held, "PNG")
    return held.getvalue()


async def test_who_bought_a_phone_is_shown_what_goes_with_it(world: World) -> None:
    async def trained() -> bool:
        return bool(await world.recommended("ana"))

    await eventually(trained, every=0.1)
    found = await world.recommended("ana")
    together = [each for each in found if each.reason == pb.RECOMMENDATION_REASON_BOUGHT_TOGETHER]
    assert {each.sku for each in together} == {world.sku("case"), world.sku("charger")}
    assert {each.because_sku for each in together} == {world.sku("phone")}
    assert {(each.name, each.unit_price.units, each.unit_price.currency_code) for each in together} == {
        ("case", 9, "EUR"),
        ("charger", 9, "EUR"),
    }
    assert world.sku("phone") not in {each.sku for each in found}
    newcomer = await world.recommended("nobody", size=2)
    assert {each.reason for each in newcomer} == {pb.RECOMMENDATION_REASON_BEST_SELLER}
    assert newcomer[0].sku == world.sku("phone")


async def test_a_picture_is_kept_replaced_and_never_by_a_repeat(world: World) -> None:
    assert not (await world.profile("bo")).avatar
    first = str(uuid4())
    red = await world.update("bo", picture("red"), first)
    assert (red.avatar_type, red.user_id) == ("image/webp", world.user("bo"))
    assert await world.profile("bo") == red
    assert await world.update("bo", picture("red"), first.upper()) == red
    with pytest.raises(RequestIdReused):
        await world.update("bo", picture("blue"), first)
    blue = await world.update("bo", picture("blue"))
    assert blue.avatar != red.avatar
    assert await world.profile("bo") == blue
    assert not (await world.profile("eve")).avatar


async def test_two_first_pictures_at_once_both_get_an_answer(world: World) -> None:
    made = await asyncio.gather(*(world.update("cy", picture(colour)) for colour in ("red", "blue", "green", "white")))
    assert (await world.profile("cy")).avatar in [each.avatar for each in made]


async def test_wrong_input_is_named(world: World) -> None:
    cases: list[tuple[Any, str, Any, set[str]]] = [
        (rpc.RecommendationServiceStub, "Recommend", pb.RecommendRequest(page_size=-1), {"page_size"}),
        (profile_rpc.ProfileServiceStub, "UpdateAvatar", profile.UpdateAvatarRequest(), {"request_id", "image"}),
        (
            profile_rpc.ProfileServiceStub,
            "UpdateAvatar",
            profile.UpdateAvatarRequest(request_id=str(uuid4()), image=b"GIF89a"),
            {"image"},
        ),
    ]
    for stub, method, request, fields in cases:
        with pytest.raises(InvalidFields) as raised:
            await world.ask(stub, method, request, "ana")
        assert {field for field, _ in raised.value.violations} == fields
    with pytest.raises(RoleRequired):
        await world.ask(rpc.RecommendationServiceStub, "Recommend", pb.RecommendRequest(), "o", Role.OPERATOR)
    with pytest.raises(PeakmeshError) as refused:
        await world.update("ana", b"\x89PNG" + b"x" * (3 * 1024 * 1024))
    assert refused.value.reason in ("TOO_LARGE", "DEPENDENCY_UNAVAILABLE")


async def test_two_first_pictures_at_once_are_both_answered(data_servers: Mesh) -> None:
    """Two processes, or a rolling restart's two: each of many users sends two at the same moment."""
    async with (
        database(data_servers.settings.database, pool_size=1) as one,
        database(data_servers.settings.database, pool_size=1) as other,
    ):
        stores = (Avatars(one), Avatars(other))
        await asyncio.gather(*(store.find("nobody") for store in stores))
        for _ in range(40):
            first = Update(f"t{uuid4().hex[:10]}", str(uuid4()), "0" * 32, b"first", 1)
            second = replace(first, request_id=str(uuid4()), image=b"second", at_ms=2)
            pair = (first, second)
            kept = await asyncio.gather(*(store.replace(each) for store, each in zip(stores, pair, strict=True)))
            found = await stores[0].find(first.user_id)
            assert found in kept
