"""The form of every id that comes from outside or goes into a key."""

import re

_IDENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_ident(value: str) -> bool:
    """`{}` in a Redis key would move its hash slot, and `|` parts what is stored: so few characters are allowed."""
    return _IDENT.fullmatch(value) is not None


def is_uuid(value: str) -> bool:
    """As it is written with hyphens, which Python's own reader does not insist on; the nil UUID too."""
    return _UUID.fullmatch(value) is not None
