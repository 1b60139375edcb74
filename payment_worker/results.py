"""Topic payments.results: only what is stored is told, and told until Kafka has it."""

import asyncio

from aiokafka.errors import KafkaError

from kernel.carried import CORE
from kernel.payment_steps import DEBIT, QUOTE
from kernel.topics import PAYMENTS_RESULTS
from meshkit.clock import wall_ms
from meshkit.kafka.publisher import Headers, Publisher
from meshkit.log import get_logger
from payment_worker.order import Order
from payment_worker.step_rows import Rows
from peakmesh.event.v1 import events_pb2 as events

log = get_logger(__name__)

# Errors Kafka does not call passing (a producer being replaced is one) are tried this often before they end the worker.
LASTING_TRIES = 10


async def publish_surely(publisher: Publisher, topic: str, key: str, value: bytes, headers: Headers) -> None:
    """Returns once acknowledged; waits for a Kafka that is away. Raises KafkaError where it refuses the record."""
    lasting = 0
    while True:
        try:
            # Shielded: leaving this wait must not take back a record that is half sent.
            await asyncio.shield(await publisher.publish(topic, key, value, headers))
        except KafkaError as error:
            lasting += 0 if error.retriable else 1
            if lasting == LASTING_TRIES:
                raise
            log.warning("publish repeated", topic=topic, order_id=key, error=repr(error))
        else:
            return
        await asyncio.sleep(0.2)


class KafkaResults:
    """Implements ports.Results."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def paid(self, order: Order, rows: Rows) -> None:
        await self._tell(_result(order, rows, events.PAYMENT_OUTCOME_PAID), order.carried)

    async def settled(self, order: Order, rows: Rows) -> None:
        await self._tell(_result(order, rows, events.PAYMENT_OUTCOME_SETTLED), order.carried)

    async def failed(self, order: Order, rows: Rows, reason: str) -> None:
        result = _result(order, rows, events.PAYMENT_OUTCOME_FAILED)
        result.reason = reason
        await self._tell(result, order.carried)

    async def refunded(self, order_id: str, amount_minor: int, currency: str, reason: str) -> None:
        result = events.PaymentResult(
            order_id=order_id,
            outcome=events.PAYMENT_OUTCOME_REFUNDED,
            amount_minor=amount_minor,
            currency=currency,
            reason=reason,
            at_ms=wall_ms(),
        )
        await self._tell(result, (CORE,))

    async def _tell(self, result: events.PaymentResult, carried: Headers) -> None:
        name = events.PaymentOutcome.Name(result.outcome).removeprefix("PAYMENT_OUTCOME_")
        headers = (("event-id", f"{result.order_id}:{name}".encode()), ("event-type", b"PaymentResult"), *carried)
        await publish_surely(self._publisher, PAYMENTS_RESULTS, result.order_id, result.SerializeToString(), headers)


def _result(order: Order, rows: Rows, outcome: "events.PaymentOutcome.ValueType") -> events.PaymentResult:
    """Zero amount and shipping where the order ended before they were known."""
    debit, quote = rows.get(DEBIT), rows.get(QUOTE)
    return events.PaymentResult(
        order_id=order.order_id,
        outcome=outcome,
        amount_minor=debit.amount_minor if debit else 0,
        currency=order.currency,
        shipping_minor=quote.amount_minor if quote else 0,
        at_ms=wall_ms(),
    )
