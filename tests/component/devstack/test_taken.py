"""A port that somebody listens on is told before anything is started."""

import socket

import pytest

from meshkit.ports import Ports
from tools.devstack.spec import DevstackError, Mesh, ProcessSpec
from tools.devstack.taken import check_ports, free


@pytest.fixture
def mesh() -> Mesh:
    """One whose Redis has a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as lent:
        return Mesh.of(port_base=lent.getsockname()[1] - Ports()["redis"])


def test_a_taken_port_is_named_with_its_process_and_the_way_out(mesh: Mesh) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", mesh.ports["redis"]))
        other.listen(1)
        with pytest.raises(DevstackError) as told:
            check_ports(mesh, [ProcessSpec("redis", lambda _: [], ("redis",))])
    message = str(told.value)
    assert f"Port {mesh.ports['redis']} (for redis) is already taken" in message
    assert f"PEAKMESH_PORT_BASE={mesh.port_base + 2000}" in message


def test_lingering_connections_of_an_earlier_run_do_not_count(mesh: Mesh) -> None:
    port = mesh.ports["redis"]
    with socket.create_server(("127.0.0.1", port)) as earlier:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = earlier.accept()
        accepted.close()  # the side that closes first keeps the port in TIME_WAIT
        client.close()
    check_ports(mesh, [ProcessSpec("redis", lambda _: [], ("redis",))])
    assert free(port)
