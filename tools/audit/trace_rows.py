"""What SQL holds of one order: its row, its steps, and what operators did for it."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kernel.order_ids import made_ms
from kernel.schema import ops_request, orders, payment_step
from peakmesh.order.v1.order_ops_service_pb2 import Resolution, ResolveOrderResponse
from tools.audit.trace_event import Event


async def read_rows(engine: AsyncEngine, order_id: str) -> list[Event]:
    async with engine.connect() as connection:
        row = (await connection.execute(select(orders).where(orders.c.order_id == order_id))).one_or_none()
        query = select(payment_step).where(payment_step.c.order_id == order_id).order_by(payment_step.c.step)
        steps = (await connection.execute(query)).all()
        events = _of_row(row) if row is not None else []
        return [*events, *(event for step in steps for event in _of_step(step)), *await _ops(connection, order_id)]


def _of_row(row: Any) -> list[Event]:
    price = f"{row.quantity} x {row.sku} at {row.unit_price_minor} - {row.discount_minor} {row.currency}"
    written = Event(row.created_ms, "orders", "row written", f"{price}, by {row.user_id} in {row.sale_id}")
    shipping = "" if row.shipping_minor is None else f"shipping {row.shipping_minor}"
    detail = "; ".join(part for part in (row.reason, shipping) if part)
    return [written, Event(row.updated_ms, "orders", f"row {row.state}", detail)]


def _of_step(step: Any) -> list[Event]:
    begun = Event(step.created_ms, "payment_step", f"{step.step} begun", f"key {step.idempotency_key}")
    said = (f"{step.amount_minor} {step.currency}" if step.amount_minor else "", step.provider_ref, step.reason)
    detail = "; ".join([f"attempt {step.attempt}", *(part for part in said if part)])
    return [begun, Event(step.updated_ms, "payment_step", f"{step.step} {step.state}", detail)]


async def _ops(connection: AsyncConnection, order_id: str) -> list[Event]:
    """The journal has no column for orders; operators resolve few, and none before the order was made."""
    journal = ops_request.c
    query = select(ops_request).where(journal.at_ms >= made_ms(order_id), journal.method == "ResolveOrder")
    events = []
    for row in await connection.execute(query):
        done = ResolveOrderResponse.FromString(row.response)
        if done.order_id == order_id:
            what = Resolution.Name(done.resolution).removeprefix("RESOLUTION_").lower().replace("_", " ")
            events.append(Event(row.at_ms, "operator", f"resolved: {what}", f"by {row.who}: {done.reason}"))
    return events
