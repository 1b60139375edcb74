"""`order_id`: a UUIDv8 (RFC 9562) that sorts by time and names the Redis slot of its reservation.

48 bits Unix ms | 0b1000 | offer_no high 12 | 0b10 | offer_no low 12 | bucket 8 | random 42

Within a bucket an order has a short id: the first 6 and the last 6 of these 16 bytes. The 4 between are the same there.
"""

import re
import secrets
from zlib import crc32

from meshkit.clock import wall_ms

MAX_OFFER_NO = (1 << 24) - 1
MAX_BUCKET = (1 << 8) - 1
SHORT_BYTES = 12

Slot = tuple[int, int]

_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_order_id(offer_no: int, bucket: int, now_ms: int | None = None) -> str:
    """A new id at the wall clock's time. Raises ValueError when offer_no or bucket does not fit its bits."""
    if not 0 <= offer_no <= MAX_OFFER_NO or not 0 <= bucket <= MAX_BUCKET:
        raise ValueError(f"offer {offer_no}, bucket {bucket} do not fit an order_id")
    millis = wall_ms() if now_ms is None else now_ms
    high = (millis & 0xFFFF_FFFF_FFFF) << 16 | 0x8000 | offer_no >> 12
    low = 0b10 << 62 | (offer_no & 0xFFF) << 50 | bucket << 42 | secrets.randbits(42)
    digits = f"{high:016x}{low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def offer_of(order_id: str) -> Slot:
    """(offer_no, bucket) of an id. Raises ValueError for anything `new_order_id` cannot have made."""
    return _slot(_digits(order_id))


def parted(order_id: str) -> tuple[Slot, bytes]:
    """(offer_no, bucket) of an id, and its short id there. Short ids sort as the ids do. Raises ValueError as
    `offer_of`."""
    digits = _digits(order_id)
    return _slot(digits), bytes.fromhex(digits[:12] + digits[20:])


def short_in(slot: Slot, order_id: str) -> bytes:
    """The short id. Raises ValueError for an id of another offer or bucket, which it would be taken for, and as
    `offer_of`."""
    found, short = parted(order_id)
    if found != slot:
        raise ValueError(f"{order_id} is of offer {found[0]}, bucket {found[1]}, not of {slot[0]}, {slot[1]}")
    return short


def joined(slot: Slot, short: bytes) -> str:
    """The order_id of a short id. Raises ValueError for one of another length."""
    if len(short) != SHORT_BYTES:
        raise ValueError(f"not a short id: {short[:64]!r}")
    (offer_no, bucket), digits = slot, short.hex()
    low = 0b10 << 14 | (offer_no & 0xFFF) << 2 | bucket >> 6
    return f"{digits[:8]}-{digits[8:12]}-8{offer_no >> 12:03x}-{low:04x}-{digits[12:]}"


def made_ms(order_id: str) -> int:
    """Unix ms at which the id was made. Raises ValueError as `offer_of`."""
    return int(_digits(order_id)[:12], 16)


def bucket_for(user_id: str, buckets: int) -> int:
    """The user's bucket, the same for the life of a sale: a retry meets its own idempotency key."""
    return crc32(user_id.encode()) % buckets


def _slot(digits: str) -> Slot:
    low = int(digits[16:], 16)
    return int(digits[13:16], 16) << 12 | low >> 50 & 0xFFF, low >> 42 & 0xFF


def _digits(order_id: str) -> str:
    if not _FORM.fullmatch(order_id):
        raise ValueError(f"not an order_id: {order_id[:64]!r}")
    return order_id.replace("-", "")
