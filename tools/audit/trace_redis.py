"""What Redis holds of one order: its reservation, mark and outbox entry."""

from redis.asyncio import Redis

from kernel.stock.redis_adapter import RedisStock
from kernel.stock.results import Mark, ReservationState
from tools.audit.trace_event import Event

_STATES = {
    ReservationState.RESERVED: "held",
    ReservationState.SOLD: "sold",
    ReservationState.RELEASED: "released",
}


async def read_reservation(redis: Redis, order_id: str) -> list[Event]:
    """Empty where it is trimmed or never was."""
    stock = RedisStock(redis)
    held = await stock.reservation(order_id)
    if held is None:
        return []
    outbox = f"in the outbox as {held.entry_id}" if held.entry_present else f"outbox entry {held.entry_id} is gone"
    units = f"{held.quantity} by {held.user_id} at price version {held.price_version}, epoch {held.epoch}"
    now = f"now {_STATES[held.state]}; {outbox}"
    events = [Event(held.created_ms, "redis", "reserved", f"{units}; {now}")]
    if held.mark is not Mark.NONE:
        events.append(Event(held.asked_ms, "redis", f"marked {held.mark.value}", "last asked about at this time"))
    if held.deadline_ms:
        events.append(Event(held.deadline_ms, "redis", "due", "expires then unless it is charged"))
    return events
