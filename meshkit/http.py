"""A page of a server: /metrics, Envoy's admin port. Standard library only: a process that merely waits stays small."""

from urllib.request import Request, urlopen

SECONDS = 3.0


def fetch(address: str | int, path: str, *, body: bytes | None = None, timeout: float = SECONDS) -> str:
    """`address`: host:port, or a port on this machine. A `body` is posted. Blocks for at most `timeout` seconds a read.

    Raises OSError, for a status of 400 and more too.
    """
    place = f"127.0.0.1:{address}" if isinstance(address, int) else address
    with urlopen(Request(f"http://{place}{path}", body), timeout=timeout) as answer:
        found: str = answer.read().decode(errors="replace")
        return found
