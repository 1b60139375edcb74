"""The Redis side of a sale: counters, state, and the registry that checkout reads."""

from collections.abc import Sequence

from redis.asyncio import Redis

from governor.sale import OfferRow, Sale, SaleState, SaleView, Units
from kernel.offers import load_offers, publish_offer
from kernel.stock.port import StockPort
from kernel.stock.results import OfferState, SetInitialKind
from meshkit.errors import IllegalState
from meshkit.redis_client import answered

MOST_COUNTED = 1_000


class SaleStock:
    """Every method raises DependencyUnavailable("redis"), and IllegalState where Redis holds another epoch."""

    def __init__(self, redis: Redis, stock: StockPort) -> None:
        self._redis, self._stock = redis, stock

    async def open(self, sale: Sale) -> None:
        """Counters of a sale that never sold. One that has counters already keeps them."""
        for row in sale.offers:
            if not await self._stock.open_offer(row.offer, row.initial, sale.opens_ms, sale.closes_ms):
                raise _other_epoch(row)

    async def publish(self, sale: Sale) -> int:
        """Enters the offers that the registry lacks, or has otherwise; returns how many."""
        published = await answered(load_offers(self._redis))
        missing = [row for row in sale.offers if published.get((sale.sale_id, row.offer.sku)) != row.offer]
        for row in missing:
            await answered(publish_offer(self._redis, row.offer))
        return len(missing)

    async def close(self, sale: Sale) -> None:
        await self._set_state(sale, OfferState.CLOSED)

    async def pause(self, sale: Sale) -> None:
        await self._set_state(sale, OfferState.PAUSED, only_from=OfferState.OPEN)

    async def resume(self, sale: Sale) -> None:
        """An offer that order_worker closed, because it was oversold, stays closed."""
        await self._set_state(sale, OfferState.OPEN, only_from=OfferState.PAUSED)

    async def _set_state(self, sale: Sale, state: OfferState, only_from: OfferState | None = None) -> None:
        """An offer without counters sells nothing anyway."""
        for row in sale.offers:
            number, epoch = row.offer.offer_no, row.offer.epoch
            for bucket in range(row.offer.buckets):
                if await self._stock.counters(number, bucket) is None:
                    continue
                if not await self._stock.set_state(number, bucket, epoch, state, only_from):
                    raise _other_epoch(row)

    async def shut(self, rows: Sequence[OfferRow]) -> None:
        """Whatever Redis still has of them, in whatever epoch, takes no more orders until it is rebuilt."""
        slots = [(row.offer.offer_no, bucket) for row in rows for bucket in range(row.offer.buckets)]
        for slot, found in zip(slots, await self._stock.counters_of(slots), strict=True):
            if found is not None and found.state is not OfferState.REBUILDING:
                await self._stock.set_state(*slot, found.epoch, OfferState.REBUILDING)

    async def undelivered(self, row: OfferRow) -> int:
        """Orders that checkout's relay has still to bring to Kafka, counted up to 1,000 a bucket. It deletes entries
        of the present epoch alone: those of an older one are left from before another rebuild, and stale."""
        left = 0
        for bucket in range(row.offer.buckets):
            found = await self._stock.counters(row.offer.offer_no, bucket)
            if found is not None and found.epoch == row.offer.epoch:
                left += len(await self._stock.outbox_entries(row.offer.offer_no, bucket, 0, MOST_COUNTED))
        return left

    async def set_units(self, row: OfferRow, units: int) -> None:
        """Brings the units on sale to `units`; where they are so already, nothing is written.

        Raises IllegalState where more than that is reserved or sold; buckets done before it stay changed.
        """
        share, rest = divmod(units, row.offer.buckets)
        for bucket in range(row.offer.buckets):
            wanted = share + (bucket < rest)
            result = await self._stock.set_initial(row.offer.offer_no, bucket, row.offer.epoch, wanted)
            if result.kind is SetInitialKind.STALE_EPOCH:
                raise _other_epoch(row)
            if result.kind is SetInitialKind.BELOW_COMMITTED:
                raise below_committed(result.committed)

    async def units_on_sale(self, row: OfferRow) -> int | None:
        """None: Redis has no counters for it."""
        counted = [await self._stock.counters(row.offer.offer_no, bucket) for bucket in range(row.offer.buckets)]
        known = [each.initial for each in counted if each is not None]
        return sum(known) if len(known) == len(counted) else None

    async def view(self, sale: Sale) -> SaleView:
        units = {row.offer.offer_no: await self.units(row) for row in sale.offers}
        # A sale that is OPENING has no counters yet, and lost none.
        looked_at = () if sale.state is SaleState.OPENING else sale.offers
        return SaleView(sale, units, frozenset([row.offer.offer_no for row in looked_at if await self._is_lost(row)]))

    async def _is_lost(self, row: OfferRow) -> bool:
        counted = [await self._stock.counters(row.offer.offer_no, bucket) for bucket in range(row.offer.buckets)]
        return any(each is None or each.epoch != row.offer.epoch for each in counted)

    async def units(self, row: OfferRow) -> Units:
        counted = [await self._stock.counters(row.offer.offer_no, bucket) for bucket in range(row.offer.buckets)]
        known = [each for each in counted if each is not None]
        available, reserved, sold = (sum(getattr(each, name) for each in known) for name in Units.__slots__)
        return Units(available, reserved, sold)


def below_committed(committed: int) -> IllegalState:
    return IllegalState(
        f"{committed} units are reserved or sold; the units on sale cannot be fewer",
        metadata={"committed": str(committed)},
    )


def _other_epoch(row: OfferRow) -> IllegalState:
    return IllegalState(
        f"Redis holds offer {row.offer.offer_no} in another epoch than {row.offer.epoch}; it must be rebuilt first",
        metadata={"offer_no": str(row.offer.offer_no)},
    )
