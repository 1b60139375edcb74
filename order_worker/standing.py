"""What an order's row says, as far as Redis and the next topic need it."""

from dataclasses import dataclass

from kernel.order_states import OrderState


@dataclass(frozen=True, slots=True)
class Standing:
    """Read in the transaction that may have moved it. `epoch`: the stock's then.

    A rebuild that began after the commit has seen the row, so that a script refused for its epoch is done.
    """

    order_id: str
    offer_no: int
    state: OrderState
    epoch: int
