from collections.abc import AsyncIterator

import pytest

from tests.e2e.shop import Shop, shopping
from tools.devstack import Mesh


@pytest.fixture
async def shop(mesh: Mesh) -> AsyncIterator[Shop]:
    async with shopping(mesh.settings) as opened:
        yield opened
