"""Fence markers of a rebuild, remembered so that a restart does not forget them."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.mysql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.schema import intake_fence
from order_worker.plan_batch import FencePassed


async def fences_passed(connection: AsyncConnection, arrived: Sequence[FencePassed]) -> list[FencePassed]:
    """Every marker so far, those of this batch included and written down. A marker read again changes nothing."""
    for each in sorted(arrived, key=lambda fence: (fence.partition, fence.epoch)):
        statement = insert(intake_fence).values(partition_no=each.partition, epoch=each.epoch, fence_offset=each.offset)
        # Whether the row was new does not matter here: the offset of an epoch's first marker stays as it is.
        await connection.execute(statement.on_duplicate_key_update(epoch=intake_fence.c.epoch))
    rows = await connection.execute(
        select(intake_fence.c.partition_no, intake_fence.c.fence_offset, intake_fence.c.epoch)
    )
    return [FencePassed(row.partition_no, row.fence_offset, row.epoch) for row in rows]
