"""Servers given by URL: no process is started for them, and one that will not do is refused by its setting's name."""

import socket
from pathlib import Path

import pytest

from tools.devstack.given import check_given
from tools.devstack.spec import DevstackError, GivenServers, Mesh
from tools.devstack.table import DATA_SERVERS, environment, table_of


@pytest.fixture
def nobody() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as lent:
        lent.bind(("127.0.0.1", 0))
        port: int = lent.getsockname()[1]
        return port


def given(tmp_path: Path, **urls: str) -> Mesh:
    return Mesh(tmp_path, 0, GivenServers(**urls))


def test_a_given_server_has_no_process_and_no_port(tmp_path: Path) -> None:
    mesh = given(tmp_path, redis_url="redis://elsewhere:6379/0")
    table = table_of(mesh)
    assert table["redis"].call is not None
    assert table["redis"].ports == ()
    assert [name for name in DATA_SERVERS if table[name].ports] == ["mariadb", "kafka"]
    assert environment(mesh, table["governor"])["PEAKMESH_REDIS_URL"] == "redis://elsewhere:6379/0"
    assert mesh.settings.redis == "redis://elsewhere:6379/0"


def test_a_mesh_in_another_folder_has_servers_of_its_own(tmp_path: Path) -> None:
    assert Mesh.of(tmp_path).given == GivenServers()


@pytest.mark.parametrize(
    ("name", "field", "url"),
    [
        ("redis", "redis_url", "redis://127.0.0.1:{port}/0"),
        ("mariadb", "db_url", "mysql+asyncmy://ana:secret@127.0.0.1:{port}/shop"),
        ("kafka", "kafka_bootstrap", "127.0.0.1:{port}"),
    ],
)
async def test_one_that_does_not_answer_is_named_by_its_setting(
    tmp_path: Path, nobody: int, name: str, field: str, url: str
) -> None:
    mesh = given(tmp_path, **{field: url.format(port=nobody)})
    with pytest.raises(DevstackError) as raised:
        await check_given(mesh, name)
    assert f"PEAKMESH_{field.upper()}" in str(raised.value)
    assert str(nobody) in str(raised.value)
    assert "secret" not in str(raised.value)
