"""Composition root of payment_worker; the tests run this very function."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kernel.topics import PAYMENT_WORKER, TOPICS
from meshkit.db.engine import check_durability, database
from meshkit.kafka.consumer import consuming
from meshkit.kafka.publisher import publishing
from meshkit.kafka.topics import ensure_topics
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.rpc.client import channel
from payment_worker.consume_orders import ConsumeOrders
from payment_worker.escalate import LADDER, Escalate
from payment_worker.patience import Patience
from payment_worker.providers import PROVIDER_OF, GrpcProviders
from payment_worker.refund_orders import RefundOrders
from payment_worker.results import KafkaResults
from payment_worker.settings import Settings
from payment_worker.settle_order import SettleOrder
from payment_worker.step_rows import DEBIT
from payment_worker.steps import StepTable
from payment_worker.watchdog import watch


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[ConsumeOrders]:
    """Raises RuntimeError where the database could forget a step that was started."""
    await ensure_topics(settings.kafka, TOPICS)
    async with (
        database(settings.database, pool_size=2) as engine,
        publishing(settings.kafka, PAYMENT_WORKER) as publisher,
        channel(settings.providers) as providers_channel,
    ):
        if not settings.unsafe and (wrong := await check_durability(engine)):
            raise RuntimeError(f"{wrong}; a lost STARTED is a charge nobody asks about")
        steps, results = StepTable(engine), KafkaResults(publisher)
        providers = GrpcProviders(providers_channel, settings.payment_worker_call_deadline)
        patience = patience_by_step(settings)
        orders = ConsumeOrders(
            SettleOrder(steps, providers, results, patience),
            Escalate(publisher),
            concurrency=settings.payment_worker_concurrency,
            grace=settings.drain_seconds,
        )
        refunds = RefundOrders(steps, providers, results, patience[DEBIT])
        # Nested: settlements that finish while the worker stops still need the step table.
        async with (
            background(steps.run()),
            consuming(
                settings.kafka,
                LADDER,
                PAYMENT_WORKER,
                max_records=settings.payment_worker_concurrency,
                on_revoke=orders.on_revoke,
            ) as consumer,
        ):
            watching = watch(orders, consumer, settings.payment_worker_stall_limit)
            async with background(orders.run(consumer), refunds.run(settings.payment_worker_refund_every), watching):
                with metrics_endpoint(settings.ports["payment_metrics"]):
                    yield orders


def patience_by_step(settings: Settings) -> dict[str, Patience]:
    """One Patience a provider, found by each step that calls it."""
    by_provider = {
        provider: Patience(provider, settings.payment_worker_bulkhead, settings.payment_worker_inline_retries)
        for provider in set(PROVIDER_OF.values())
    }
    return {step: by_provider[provider] for step, provider in PROVIDER_OF.items()}
