"""Pages: their size, and their tokens, which are whatever says where a page ended, in letters that a URL takes."""

import base64
import binascii

from meshkit.errors import InvalidFields
from meshkit.rpc.fields import Fields


def page_size(asked: int, default: int, most: int) -> int:
    """0 asks for `default`; more than `most` is cut to it. Raises InvalidFields."""
    fields = Fields()
    size = fields.page_size(asked, default, most)
    fields.check()
    return size


def write_token(place: bytes) -> str:
    return base64.urlsafe_b64encode(place).rstrip(b"=").decode()


def read_token(token: str) -> bytes:
    """Raises InvalidFields for what `write_token` cannot have made."""
    try:
        place = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise foreign_token() from None
    if write_token(place) != token:
        raise foreign_token()
    return place


def foreign_token() -> InvalidFields:
    return InvalidFields([("page_token", "is not one that a page before gave")])
