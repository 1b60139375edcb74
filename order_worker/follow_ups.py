"""OrderCreated: tells payment_worker that the database has the order."""

from collections.abc import Iterable, Mapping

from kernel.carried import carried
from kernel.topics import ORDERS_CREATED
from meshkit.kafka.publisher import Publisher
from order_worker import metrics
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderCreated

Headers = Mapping[str, bytes]


async def publish_created(publisher: Publisher, orders: Iterable[tuple[AcceptedOrder, Headers]], cause: str) -> None:
    """Returns once every one is acknowledged; raises KafkaError. An order told twice is charged once."""
    records = []
    for order, headers in orders:
        of_its_own = (("event-id", f"{order.order_id}:created".encode()), ("event-type", b"OrderCreated"))
        named = (*of_its_own, *carried(headers))
        records.append((order.order_id, OrderCreated(order=order).SerializeToString(), named))
    await publisher.publish_all(ORDERS_CREATED, records)
    metrics.FOLLOW_UPS.labels(cause).inc(len(records))
