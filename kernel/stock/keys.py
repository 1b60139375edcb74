"""Names of one (offer, bucket)'s keys. The tag `{offer:b}` puts them all into one Redis hash slot.

stk:{T}  HASH    counters and settings          rsv:{T}  HASH    order_id -> state|qty|user|price_version|...
lim:{T}  HASH    user_id -> units held          idm:{T}:<user>:<request_id>  STRING  order_id and hash, EX 86400
out:{T}  STREAM  outbox: o order_id, e event    due:{T}  ZSET    order_id -> deadline_ms
"""

IDEMPOTENCY_SECONDS = 86_400


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
    """The tag comes first: Redis hashes the first `{...}` alone, whatever the ids hold. Without the UUID's dashes most
    keys fit into 64 bytes of the allocator instead of 80."""
    return f"idm:{tag(offer_no, bucket)}:{user_id}:{request_id.replace('-', '')}"


def lease(name: str) -> str:
    return f"lease:{name}"
