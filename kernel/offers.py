"""An offer is a (sale, SKU), numbered when the sale opens. SQL is the truth; Redis carries a copy of the registry,
so that checkout lives without the database."""

import json
from dataclasses import asdict, dataclass

from redis.asyncio import Redis

OFFERS_KEY = "offers"


@dataclass(frozen=True, slots=True)
class Offer:
    """Fixed for the life of a sale. Money in minor units of `currency`; one bucket until a transfer ledger exists."""

    offer_no: int
    sale_id: str
    sku: str
    price_minor: int
    currency: str
    price_version: int
    unit_weight_grams: int
    epoch: int
    buckets: int
    unit_limit: int


def encode(offer: Offer) -> str:
    return json.dumps(asdict(offer), sort_keys=True)


def decode(text: str | bytes) -> Offer:
    """Raises ValueError for anything that is not an offer as `encode` writes it; unknown fields are passed over."""
    try:
        given = json.loads(text)
        return Offer(**{name: given[name] for name in Offer.__dataclass_fields__})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an offer: {text[:200]!r}") from error


async def publish_offer(redis: Redis, offer: Offer) -> None:
    """Writes or replaces the offer in the registry of Redis."""
    await redis.hset(OFFERS_KEY, f"{offer.sale_id}|{offer.sku}", encode(offer))


async def load_offers(redis: Redis) -> dict[tuple[str, str], Offer]:
    """Every offer by (sale_id, sku). Raises ValueError when one of them will not decode."""
    offers = [decode(text) for text in (await redis.hgetall(OFFERS_KEY)).values()]
    return {(offer.sale_id, offer.sku): offer for offer in offers}
