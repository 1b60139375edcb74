from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.e2e.shop import Shop, shopping
from tests.e2e.switch import Switch
from tests.e2e.telling import fill_cart
from tests.e2e.valid_requests import Ground
from tools.devstack import Mesh


@pytest.fixture
async def shop(mesh: Mesh) -> AsyncIterator[Shop]:
    async with shopping(mesh.settings) as opened:
        yield opened


@pytest.fixture
async def ground(shop: Shop) -> Ground:
    """Leaves 99 units, of which none may be gone after a refusal, and a cart of one line."""
    sale = await shop.open_sale(units=100, limit=100)
    user = f"spoiler-{uuid4().hex[:12]}"
    bought = await shop.place(user, sale)
    made = Ground(user, sale, bought.order_id)
    await fill_cart(shop, made)
    return made


@pytest.fixture
async def switch(mesh: Mesh) -> AsyncIterator[Switch]:
    # A shop of its own, so that the feature is on again whatever a test did to its connections.
    async with shopping(mesh.settings) as apart:
        made = Switch(apart)
        yield made
        await made.clear()
