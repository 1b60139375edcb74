"""Fence markers of a rebuild, remembered so that a restart does not forget them."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.schema import intake_fence, stock_rebuild
from order_worker.plan_batch import Fence, FencePassed


async def fences_passed(
    connection: AsyncConnection, arrived: Sequence[FencePassed], offers: Collection[int]
) -> list[Fence]:
    """Every marker so far that speaks of one of `offers`. Those of this batch are written down; a marker read again
    changes nothing."""
    for each in sorted(arrived, key=lambda fence: (fence.partition, fence.epoch)):
        statement = insert(intake_fence).values(partition_no=each.partition, epoch=each.epoch, fence_offset=each.offset)
        # Whether the row was new does not matter here: the offset of an epoch's first marker stays as it is.
        await connection.execute(statement.on_duplicate_key_update(epoch=intake_fence.c.epoch))
    query = (
        select(intake_fence.c.partition_no, intake_fence.c.fence_offset, intake_fence.c.epoch, stock_rebuild.c.offer_no)
        .join(stock_rebuild, stock_rebuild.c.epoch == intake_fence.c.epoch)
        .where(stock_rebuild.c.offer_no.in_(sorted(offers)))
    )
    rows = await connection.execute(query) if offers else ()
    return [Fence(row.partition_no, row.fence_offset, row.epoch, row.offer_no) for row in rows]
