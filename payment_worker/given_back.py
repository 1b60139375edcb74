"""Orders that are cancelled after their charge: their settlement must not go on."""

from kernel.payment_steps import DONE, REFUND, UNBOOK
from meshkit.errors import IllegalState
from payment_worker.charge_order import UnsettledError
from payment_worker.step_rows import OPEN, Rows


class GivenBack(Exception):
    """The order was cancelled or had failed: what it has is taken back, and nothing more may be given."""


def check_not_given_back(rows: Rows, *, last_try: bool) -> None:
    """Raises GivenBack, or UnsettledError while the carrier has not said whether the parcel can still be had back.

    (unbook, FAILED): it was collected, so the order goes on as if nobody had asked.
    """
    if REFUND in rows or (UNBOOK in rows and rows[UNBOOK].state == DONE):
        raise GivenBack("cancelled after its charge")
    if UNBOOK in rows and rows[UNBOOK].state in OPEN:
        raise UnsettledError(UNBOOK, IllegalState("a cancel is under way"), retry=not last_try)
