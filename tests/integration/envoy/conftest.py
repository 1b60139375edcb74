from collections.abc import Iterator

import pytest

from tests.integration.envoy.mesh import Mesh, running_envoy


@pytest.fixture(scope="session")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    with running_envoy(tmp_path_factory.mktemp("envoy")) as running:
        yield running
