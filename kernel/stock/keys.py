"""Names of one (offer, bucket)'s keys. The tag `{offer:b}` puts them all into one Redis hash slot.

stk:{T}  HASH    counters and settings          rsv:{T}  HASH    order_id -> state|qty|user|price_version|...
lim:{T}  HASH    user_id -> units held          idm:{T}:<digest>  STRING  order_id and hash, EX 86400
out:{T}  STREAM  outbox: o order_id, e event    due:{T}  ZSET    order_id -> deadline_ms
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

IDEMPOTENCY_SECONDS = 86_400
# What an open order takes of all of these at most, its outbox entry apart (tests/integration/kernel/test_memory.py).
# With a UUID for a user, 640 are kept only while the tables are full; they double at powers of two: 684 just after.
ORDER_BYTES = 704


def tag(offer_no: int, bucket: int) -> str:
    return f"{{{offer_no}:{bucket}}}"


def stock(offer_no: int, bucket: int) -> str:
    return f"stk:{tag(offer_no, bucket)}"


def reservations(offer_no: int, bucket: int) -> str:
    return f"rsv:{tag(offer_no, bucket)}"


def holdings(offer_no: int, bucket: int) -> str:
    return f"lim:{tag(offer_no, bucket)}"


def outbox(offer_no: int, bucket: int) -> str:
    return f"out:{tag(offer_no, bucket)}"


def deadlines(offer_no: int, bucket: int) -> str:
    return f"due:{tag(offer_no, bucket)}"


def idempotency(offer_no: int, bucket: int, user_id: str, request_id: str) -> str:
    """128 bits of both ids, as 22 characters: 48 bytes of the allocator, where a UUID for a user_id took 96 as text.

    Among a million orders of an offer two share a digest once in 10^27 sales. Even then nothing is sold twice: the
    later one is answered REUSED, since the hash in the value is of another request.
    """
    digest = blake2b(f"{user_id}:{request_id}".encode(), digest_size=16).digest()
    return f"idm:{tag(offer_no, bucket)}:{urlsafe_b64encode(digest).decode().rstrip('=')}"


def lease(name: str) -> str:
    return f"lease:{name}"


def all_of(offer_no: int, bucket: int) -> list[str]:
    """All but the idempotency keys, in the order in which the scripts take them."""
    return [*_counted(offer_no, bucket), outbox(offer_no, bucket), deadlines(offer_no, bucket)]


def moved_by(offer_no: int, bucket: int) -> list[str]:
    """Of the scripts that move reservations and leave the outbox alone."""
    return [*_counted(offer_no, bucket), deadlines(offer_no, bucket)]


def _counted(offer_no: int, bucket: int) -> list[str]:
    return [stock(offer_no, bucket), reservations(offer_no, bucket), holdings(offer_no, bucket)]
