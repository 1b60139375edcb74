"""The poison is found, the rest is written, and an outage is nobody's poison."""

from collections.abc import Sequence

import pytest
from sqlalchemy.exc import DataError, OperationalError

from order_worker.around_poison import write_around_poison
from order_worker.data_faults import DataFault, is_data_error
from order_worker.outages import is_outage


async def drop(_record: int, _error: Exception) -> list[int]:
    return []


async def test_only_the_poison_is_buried() -> None:
    written: list[int] = []
    buried: list[int] = []

    async def write(batch: Sequence[int]) -> list[int]:
        if {13, 77} & set(batch):
            raise DataFault("poison")
        written.extend(batch)
        return list(batch)

    async def bury(record: int, _error: Exception) -> list[int]:
        buried.append(record)
        return [-record]

    results = await write_around_poison(list(range(100)), write, bury)
    assert buried == [13, 77]
    assert written == [n for n in range(100) if n not in (13, 77)]
    assert results == [-n if n in (13, 77) else n for n in range(100)]


async def test_what_is_not_the_datas_fault_is_raised_at_once() -> None:
    calls = []

    async def write(batch: Sequence[int]) -> list[int]:
        calls.append(len(batch))
        raise OperationalError("insert", {}, Exception(1146, "no such table"))

    with pytest.raises(OperationalError):
        await write_around_poison([1, 2, 3], write, drop)
    assert calls == [3]


@pytest.mark.parametrize("number", [1213, 1205, 2006, 2013, 2003, 1040, 1053, 1021, 1290])
def test_server_troubles_are_outages_and_never_poison(number: int) -> None:
    error = OperationalError("insert", {}, Exception(number, "trouble"))
    assert is_outage(error)
    assert not is_data_error(error)


@pytest.mark.parametrize("number", [1406, 1264, 1366, 4025, 3819])
@pytest.mark.parametrize("kind", [DataError, OperationalError])
def test_what_the_values_cause_is_poison_and_never_an_outage(
    number: int, kind: type[DataError] | type[OperationalError]
) -> None:
    error = kind("insert", {}, Exception(number, "bad value"))
    assert is_data_error(error)
    assert not is_outage(error)
