"""A page of a server on this machine."""

from urllib.request import urlopen

SECONDS = 3.0


def get(port: int, path: str) -> str:
    """Blocks for at most SECONDS a read. Raises OSError, for a status of 400 and more too."""
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
        found: str = answer.read().decode(errors="replace")
        return found
