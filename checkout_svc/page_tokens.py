"""Opaque page tokens: where a page ended, and of what, so that a token of another question is refused."""

import struct
from hashlib import blake2b

from checkout_svc.search_index import Match, Place, Wanted
from meshkit.errors import InvalidFields
from meshkit.rpc.pages import foreign_token, read_token, write_token

_PLACE = struct.Struct(">Bdq8s")
_OFFER = struct.Struct(">q8s")


def search_token(place: Place | None, wanted: Wanted) -> str:
    """Empty for no place."""
    if place is None:
        return ""
    return write_token(_PLACE.pack(place.match, place.score, place.product_no, _mark(repr(wanted))))


def read_search_token(token: str, wanted: Wanted) -> Place | None:
    """None for an empty one. Raises InvalidFields."""
    if not token:
        return None
    try:
        match, score, product_no, mark = _PLACE.unpack(read_token(token))
        place = Place(Match(match), score, product_no)
    except (struct.error, ValueError):
        raise foreign_token() from None
    if mark != _mark(repr(wanted)):
        raise InvalidFields([("page_token", "is of another query or other filters")])
    return place


def offers_token(offer_no: int, sale_id: str) -> str:
    return write_token(_OFFER.pack(offer_no, _mark(sale_id)))


def read_offers_token(token: str, sale_id: str) -> int:
    """The offer_no that a page ended with, 0 for an empty token. Raises InvalidFields."""
    if not token:
        return 0
    try:
        offer_no, mark = _OFFER.unpack(read_token(token))
    except (struct.error, ValueError):
        raise foreign_token() from None
    if mark != _mark(sale_id):
        raise InvalidFields([("page_token", "is of another sale_id")])
    return int(offer_no)


def _mark(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
