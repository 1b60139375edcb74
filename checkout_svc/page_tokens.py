"""Opaque page tokens: where a page ended, and of what, so that a token of another question is refused."""

import base64
import binascii
import struct
from hashlib import blake2b

from checkout_svc.search_index import Match, Place, Wanted
from meshkit.errors import InvalidFields

_PLACE = struct.Struct(">Bdq8s")
_OFFER = struct.Struct(">q8s")


def search_token(place: Place | None, wanted: Wanted) -> str:
    """Empty for no place."""
    if place is None:
        return ""
    return _text(_PLACE.pack(place.match, place.score, place.product_no, _mark(repr(wanted))))


def read_search_token(token: str, wanted: Wanted) -> Place | None:
    """None for an empty one. Raises InvalidFields."""
    if not token:
        return None
    try:
        match, score, product_no, mark = _PLACE.unpack(_bytes(token))
        place = Place(Match(match), score, product_no)
    except (struct.error, ValueError):
        raise _not_ours("SearchProducts") from None
    if mark != _mark(repr(wanted)):
        raise InvalidFields([("page_token", "is of another query or other filters")])
    return place


def offers_token(offer_no: int, sale_id: str) -> str:
    return _text(_OFFER.pack(offer_no, _mark(sale_id)))


def read_offers_token(token: str, sale_id: str) -> int:
    """The offer_no that a page ended with, 0 for an empty token. Raises InvalidFields."""
    if not token:
        return 0
    try:
        offer_no, mark = _OFFER.unpack(_bytes(token))
    except (struct.error, ValueError):
        raise _not_ours("ListOffers") from None
    if mark != _mark(sale_id):
        raise InvalidFields([("page_token", "is of another sale_id")])
    return int(offer_no)


def _mark(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()


def _text(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _not_ours(method: str) -> InvalidFields:
    return InvalidFields([("page_token", f"is not one that {method} gave")])
