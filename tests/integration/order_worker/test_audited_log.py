"""Kafka has dropped the records of orders: what is older than its retention is not judged, what is younger is lost."""

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from kernel.topics import ORDERS_INTAKE, RETENTION_MS
from meshkit.clock import wall_ms
from tests.integration.order_worker.world import World, people
from tools.audit.read_records import places_of, reader
from tools.audit.report import Verdict
from tools.audit.run import run_audit


async def asked_for(world: World, sale_id: str) -> tuple[Verdict, str]:
    report = await run_audit(world.settings, sale_id)
    [line] = [line for line in report.lines if line.invariant == "I5"]
    return line.verdict, line.detail


async def drop_records(world: World) -> None:
    """All there are, as retention does it: the topic begins where it ends."""
    async with reader(world.settings.kafka) as consumer:
        ends = await consumer.end_offsets(places_of([ORDERS_INTAKE]))
    admin = AIOKafkaAdminClient(bootstrap_servers=world.settings.kafka)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(end) for place, end in ends.items()})
    finally:
        await admin.close()


async def test_rows_whose_records_kafka_no_longer_keeps(world: World) -> None:
    of = await world.open_offer(units=3)
    placed = await world.reserve(of, people(3))
    await world.send(placed)
    await world.write(placed)
    assert await asked_for(world, of.sale_id) == (Verdict.HOLDS, "")
    await drop_records(world)
    verdict, told = await asked_for(world, of.sale_id)
    assert (verdict, told.count("was never published")) == (Verdict.VIOLATED, 3)
    await world.age(placed, accepted_ms=wall_ms() - RETENTION_MS - 60_000)
    verdict, told = await asked_for(world, of.sale_id)
    assert verdict is Verdict.HOLDS
    assert told.startswith("not judged: 3 rows from before ")
