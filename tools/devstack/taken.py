"""Ports that somebody else listens on, found before anything is started."""

import socket
from collections.abc import Iterable

from tools.devstack.spec import DevstackError, Mesh, ProcessSpec


def check_ports(mesh: Mesh, specs: Iterable[ProcessSpec]) -> None:
    """Raises DevstackError, which names the port, the process it is for and the way out."""
    for spec in specs:
        for name in spec.ports:
            port = mesh.ports[name]
            if not free(port):
                raise DevstackError(
                    f"Port {port} (for {spec.name}) is already taken by another program: end that one, "
                    f"or move all ports of this mesh, e.g. PEAKMESH_PORT_BASE={mesh.port_base + 2000}."
                )


def free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Connections of an earlier run that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - nothing listens; any address in use must be seen
            probe.listen(1)
        except OSError:
            return False
    return True
