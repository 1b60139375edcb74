"""Composition root of payment_worker; the tests run this very function."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from kernel.features.follow import following_features
from kernel.topics import ORDERS_CREATED, PAYMENT_WORKER, TOPICS
from meshkit.db.durability import check_durability
from meshkit.db.engine import database
from meshkit.kafka.consumer import consuming
from meshkit.kafka.publisher import publishing
from meshkit.kafka.topics import ensure_topics
from meshkit.kafka.watchdog import watch
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.ports import nth
from meshkit.rpc.client import channel
from payment_worker.consume_orders import ConsumeOrders
from payment_worker.escalate import LADDER, Escalate
from payment_worker.patience import Patience
from payment_worker.providers import PROVIDER_OF, GrpcProviders
from payment_worker.results import KafkaResults
from payment_worker.settings import Settings
from payment_worker.settle_order import SettleOrder
from payment_worker.steps import StepTable
from payment_worker.take_back import TakeBack


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[ConsumeOrders]:
    """Raises UnsafeDatabaseError where the database could forget a step that was started."""
    name = nth("payment", settings.instance)
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        await stack.enter_async_context(following_features(settings))
        await ensure_topics(settings.kafka, TOPICS, settings.unsafe)
        engine = await stack.enter_async_context(database(settings.database, pool_size=2))
        # A lost STARTED is a charge nobody asks about.
        await check_durability(engine, settings.unsafe)
        publisher = await stack.enter_async_context(publishing(settings.kafka, PAYMENT_WORKER))
        providers_channel = await stack.enter_async_context(channel(settings.providers))
        steps, results = StepTable(engine), KafkaResults(publisher)
        providers = GrpcProviders(providers_channel, settings.payment_worker_call_deadline)
        patience = patience_by_step(settings)
        orders = ConsumeOrders(
            SettleOrder(steps, providers, results, patience),
            Escalate(publisher),
            concurrency=settings.payment_worker_concurrency,
            grace=settings.drain_seconds,
        )
        take_back = TakeBack(steps, providers, results, patience)
        # Left after the consumer: settlements that finish while the worker stops still need the step table.
        await stack.enter_async_context(background(steps.run()))
        consumer = await stack.enter_async_context(
            consuming(
                settings.kafka,
                LADDER,
                PAYMENT_WORKER,
                max_records=settings.payment_worker_concurrency,
                on_revoke=orders.on_revoke,
            )
        )
        watching = watch(consumer, ORDERS_CREATED, lambda: orders.ended, settings.payment_worker_stall_limit)
        taking_back = take_back.run(settings.payment_worker_refund_every)
        await stack.enter_async_context(background(orders.run(consumer), taking_back, watching))
        yield orders


def patience_by_step(settings: Settings) -> dict[str, Patience]:
    """One Patience a provider, found by each step that calls it."""
    by_provider = {
        provider: Patience(provider, settings.payment_worker_bulkhead, settings.payment_worker_inline_retries)
        for provider in set(PROVIDER_OF.values())
    }
    return {step: by_provider[provider] for step, provider in PROVIDER_OF.items()}
