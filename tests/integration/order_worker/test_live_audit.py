"""A live audit on real servers: rows that move while it reads are in flight, those that stood are held to."""

from kernel.order_states import OrderState
from meshkit.clock import wall_ms
from order_worker.close_unpaid import close_unpaid
from tests.integration.order_worker.world import World, people
from tools.audit.read_sql import read_database, read_moved
from tools.audit.report import Verdict
from tools.audit.run import run_audit


async def followed(world: World, sale_id: str) -> tuple[Verdict, str]:
    report = await run_audit(world.settings, sale_id, live=True)
    [line] = [line for line in report.lines if line.invariant == "I9"]
    return line.verdict, line.detail


async def test_an_open_order_whose_units_are_on_sale_again_is_red_once_it_stood(world: World) -> None:
    of = await world.open_offer(units=3)
    placed = await world.reserve(of, people(3))
    freed, _, young = placed
    await world.write(placed)
    await world.age(placed[:2], updated_ms=wall_ms() - 60_000)
    assert await followed(world, of.sale_id) == (Verdict.HOLDS, "")
    await world.stock.release(1, [freed.order_id, young.order_id])
    assert await followed(world, of.sale_id) == (
        Verdict.VIOLATED,
        f"order {freed.order_id} is CREATED, its reservation X",
    )


async def test_what_moved_since_sql_was_read_is_found(world: World) -> None:
    of = await world.open_offer(units=2)
    placed = await world.reserve(of, people(2))
    await world.write(placed)
    await world.age(placed, updated_ms=1)
    before = wall_ms()
    database, _ = await read_database(world.engine, of.sale_id)
    assert not await read_moved(world.engine, before) & database.orders.keys()
    async with world.engine.begin() as connection:
        await close_unpaid(connection, {placed[0].order_id: "found cheaper"}, OrderState.CANCELLED, wall_ms())
    assert await read_moved(world.engine, before) & database.orders.keys() == {placed[0].order_id}
