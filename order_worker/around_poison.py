"""Finds the records that no retry can write, and lets the rest go on."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from order_worker.data_faults import is_data_error

R = TypeVar("R")
S = TypeVar("S")


async def write_around_poison(
    batch: Sequence[R],
    write: Callable[[Sequence[R]], Awaitable[list[S]]],
    bury: Callable[[R, Exception], Awaitable[list[S]]],
) -> list[S]:
    """Results of `write` over halves of the batch, in order; `bury` takes a single record that fails by itself.

    A batch of 500 with one poison record costs 18 transactions. Errors that are not the data's are raised.
    """
    try:
        return await write(batch)
    except Exception as error:
        if not is_data_error(error):
            raise
        if len(batch) == 1:
            return await bury(batch[0], error)
    half = len(batch) // 2
    first = await write_around_poison(batch[:half], write, bury)
    return first + await write_around_poison(batch[half:], write, bury)
