from collections.abc import AsyncIterator

import pytest

from governor.app import running
from governor.settings import Settings
from tests.integration.governor.operators import Desk, desk_at, free_base, settings_for
from tools import devstack


@pytest.fixture
async def desk(data_servers: devstack.Mesh) -> AsyncIterator[Desk]:
    """A governor of this test's own on the mesh's MariaDB and Redis, and an operator's connection to it."""
    settings = settings_for(data_servers, free_base())
    async with running(settings) as port, desk_at(settings, port) as open_desk:
        yield open_desk


@pytest.fixture
def doomed(data_servers: devstack.Mesh) -> Settings:
    """Settings of the governor that dies; another one takes over on other ports."""
    return settings_for(data_servers, free_base())
