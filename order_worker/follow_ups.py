"""OrderCreated: tells payment_worker that the database has the order."""

from collections.abc import Iterable, Mapping

from kernel.topics import CORE, ORDERS_CREATED
from meshkit.kafka.publisher import Publisher
from order_worker import metrics
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderCreated

Headers = Mapping[str, bytes]
_CARRIED = ("traceparent", "deadline-ms")


async def publish_created(publisher: Publisher, orders: Iterable[tuple[AcceptedOrder, Headers]], cause: str) -> None:
    """Returns once every one is acknowledged; raises KafkaError. An order told twice is charged once."""
    records = []
    for order, headers in orders:
        carried = [(name, headers[name]) for name in _CARRIED if name in headers]
        named = [("event-id", f"{order.order_id}:created".encode()), ("event-type", b"OrderCreated"), CORE, *carried]
        records.append((order.order_id, OrderCreated(order=order).SerializeToString(), named))
    await publisher.publish_all(ORDERS_CREATED, records)
    metrics.FOLLOW_UPS.labels(cause).inc(len(records))
