"""Where one order stands: from its row, else from its reservation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kernel.order_ids import offer_of
from kernel.stock.port import StockPort
from kernel.stock.results import Mark, Reservation
from meshkit.errors import OrderNotFound
from meshkit.identity import Identity, Role
from order_worker.order_reads import OfferView, OrderView


class Reads(Protocol):
    async def one(self, order_id: str) -> OrderView | None: ...

    async def offer(self, number: int) -> OfferView | None: ...


class Queue(Protocol):
    def eta_seconds(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order without a row yet. `queued`: Kafka has it. `eta_seconds` None: not known. `offer`: what it is of."""

    reservation: Reservation
    queued: bool
    eta_seconds: float | None
    offer: OfferView | None
    debited = cancelling = False

    @property
    def user_id(self) -> str:
        return self.reservation.user_id

    @property
    def shown(self) -> str:
        """The state on the wire."""
        return "QUEUED" if self.queued else "PENDING"


Sight = OrderView | Waiting


class GetOrder:
    def __init__(self, reads: Reads, stock: StockPort, queue: Queue) -> None:
        self._reads, self._stock, self._queue = reads, stock, queue

    async def __call__(self, order_id: str, who: Identity) -> OrderView | Waiting:
        """Raises OrderNotFound, for another's order too; DependencyUnavailable."""
        allowed = visible_to(who)
        view = await self._reads.one(order_id)
        if view is None:
            waiting = await self._from_reservation(order_id, allowed)
            # The row may have been committed between the two reads; a reservation ended is a sure sign.
            if waiting is not None:
                return waiting
            view = await self._reads.one(order_id)
        if view is None or not allowed(view.user_id):
            raise OrderNotFound("no such order")
        return view

    async def _from_reservation(self, order_id: str, allowed: Callable[[str], bool]) -> Waiting | None:
        held = await self._stock.reservation(order_id)
        if held is None or held.state != "R" or not allowed(held.user_id):
            return None
        return await self._waiting(held, renew=True)

    async def waiting(self, order_ids: Sequence[str], *, renew: bool) -> dict[str, Waiting]:
        """Those of them that are reserved, whosever they are. `renew`: whoever watches them asks. Two round trips and
        one for each that is PENDING, of which there are many only while Kafka is away."""
        found = await self._stock.reservations(order_ids)
        held = [each for each in found if each is not None and each.state == "R"]
        return {each.order_id: await self._waiting(each, renew=renew) for each in held}

    async def _waiting(self, held: Reservation, *, renew: bool) -> Waiting:
        if renew and held.mark is Mark.PENDING:
            # The buyer asked: consent runs anew. Read again after it, since only then can no cancel be under way.
            await self._stock.touch(held.epoch, held.order_id)
            held = await self._stock.reservation(held.order_id) or held
        # QUEUED only once the outbox entry is gone, which happens after Kafka's ack alone, and never while cancelling.
        queued = not held.entry_present and held.mark is not Mark.CANCELLING
        offer = await self._reads.offer(offer_of(held.order_id)[0])
        return Waiting(held, queued, self._queue.eta_seconds(), offer)


def visible_to(who: Identity) -> Callable[[str], bool]:
    """Role `service` sees all orders, everybody else their own."""
    return lambda user_id: who.role is Role.SERVICE or user_id == who.user_id
