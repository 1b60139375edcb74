"""How many orders this process works on at once."""

from types import TracebackType

from meshkit.errors import Overloaded


class InProgress:
    """`with in_progress:` around an order; what comes above `most` is told to come back, before anything is reserved.

    One counter for taps and lines of carts alike: a cart of fifty lines is fifty orders.
    """

    __slots__ = ("_most", "_orders")

    def __init__(self, most: int) -> None:
        self._most, self._orders = most, 0

    def count(self) -> int:
        return self._orders

    def check(self) -> None:
        """Raises Overloaded when there is no room for one more."""
        if self._orders >= self._most:
            raise Overloaded("too many orders are in progress", retry_after=1.0)

    def __enter__(self) -> None:
        self.check()
        self._orders += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._orders -= 1
