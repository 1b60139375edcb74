"""Stock as Redis has it: each (offer, bucket) read in one transaction."""

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis

from kernel.order_ids import joined
from kernel.stock import keys
from tools.audit.facts import Bucket, OfferRow, Reservation


async def read_buckets(redis: Redis, offers: Sequence[tuple[OfferRow, int]]) -> Mapping[tuple[int, int], Bucket]:
    """Every bucket of the offers, each given with its number of buckets; one that is missing in Redis is left out."""
    found: dict[tuple[int, int], Bucket] = {}
    for offer, buckets in offers:
        for bucket in range(buckets):
            read = await _read_bucket(redis, offer.offer_no, bucket)
            if read is not None:
                found[offer.offer_no, bucket] = read
    return found


async def _read_bucket(redis: Redis, offer_no: int, bucket: int) -> Bucket | None:
    place = (offer_no, bucket)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(keys.stock(*place))
        pipe.hgetall(keys.reservations(*place))
        pipe.xrange(keys.outbox(*place))
        pipe.hgetall(keys.holdings(*place))
        stock, reservations, outbox, holdings = await pipe.execute()
    if not stock:
        return None
    return Bucket(
        initial=int(stock[b"initial"]),
        available=int(stock[b"avail"]),
        reserved=int(stock[b"reserved"]),
        sold=int(stock[b"sold"]),
        trimmed=int(stock[b"trimmed"]),
        reservations={joined(place, short): _reservation(value) for short, value in reservations.items()},
        outbox_ms={joined(place, fields[b"o"]): int(entry.split(b"-")[0]) for entry, fields in outbox},
        limits={user.decode(): int(quantity) for user, quantity in holdings.items()},
    )


def _reservation(value: bytes) -> Reservation:
    state, quantity, user, _, created_ms, mark, *_ = value.decode().split("|")
    return Reservation(state, int(quantity), user, int(created_ms), mark)


async def now_ms(redis: Redis) -> int:
    """The clock that the reservations were stamped by."""
    seconds, micros = await redis.time()
    return int(seconds) * 1000 + int(micros) // 1000
