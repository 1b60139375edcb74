"""Names of one (offer, bucket)'s keys. The tag `{offer:b}` puts them all into one Redis hash slot.

stk2:{T}  HASH    counters and settings     rsv2:{T}  HASH    short id -> state|qty|user|price_version|...
lim2:{T}  HASH    user_id -> units held     idm2:{T}:<digest>  STRING  short id and hash, EX 86400
out2:{T}  STREAM  outbox: o short id, e event    due2:{T}  ZSET    short id -> deadline_ms

A short id is 12 bytes of an order_id (kernel/order_ids.py). `2` is the layout: whoever changes what these keys hold
raises it, so that a bucket of another layout has no `stk` here, hence no epoch, and is refused until it is rebuilt.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

IDEMPOTENCY_SECONDS = 86_400
# What an open order takes of all of these at most, its outbox entry apart (tests/integration/kernel/test_memory.py).
ORDER_BYTES = 640
LAYOUT = 2


def tag(offer_no: int, bucket: int) -> str:
    return f"{{{offer_no}:{bucket}}}"


def name(kind: str, offer_no: int, bucket: int) -> str:
    return f"{kind}{LAYOUT}:{tag(offer_no, bucket)}"


def stock(offer_no: int, bucket: int) -> str:
    return name("stk", offer_no, bucket)


def reservations(offer_no: int, bucket: int) -> str:
    return name("rsv", offer_no, bucket)


def holdings(offer_no: int, bucket: int) -> str:
    return name("lim", offer_no, bucket)


def outbox(offer_no: int, bucket: int) -> str:
    return name("out", offer_no, bucket)


def deadlines(offer_no: int, bucket: int) -> str:
    return name("due", offer_no, bucket)


def idempotency(offer_no: int, bucket: int, user_id: str, request_id: str) -> str:
    """128 bits of both ids, as 22 characters: 48 bytes of the allocator, where a UUID for a user_id took 96 as text.

    Among a million orders of an offer two share a digest once in 10^27 sales. Even then nothing is sold twice: the
    later one is answered REUSED, since the hash in the value is of another request.
    """
    digest = blake2b(f"{user_id}:{request_id}".encode(), digest_size=16).digest()
    return f"{name('idm', offer_no, bucket)}:{urlsafe_b64encode(digest).decode().rstrip('=')}"


def lease(name: str) -> str:
    return f"lease:{name}"


def all_of(offer_no: int, bucket: int) -> list[str]:
    """All but the idempotency keys, in the order in which the scripts take them."""
    return [*_counted(offer_no, bucket), outbox(offer_no, bucket), deadlines(offer_no, bucket)]


def moved_by(offer_no: int, bucket: int) -> list[str]:
    """Of the scripts that move reservations and leave the outbox alone."""
    return [*_counted(offer_no, bucket), deadlines(offer_no, bucket)]


def former(offer_no: int, bucket: int) -> list[str]:
    """The same of the layout before, whose names had no number. Nothing is opened beside it, which would sell its stock
    twice, and a rebuild forgets it: nobody reads it any more, and a process of the older build would sell from it."""
    return [f"{kind}:{tag(offer_no, bucket)}" for kind in ("stk", "rsv", "lim", "out", "due")]


def _counted(offer_no: int, bucket: int) -> list[str]:
    return [stock(offer_no, bucket), reservations(offer_no, bucket), holdings(offer_no, bucket)]
