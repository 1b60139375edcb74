"""What StockPort promises, run over the Redis adapter here and over the fake in tests/unit/kernel."""

from tests.integration.kernel.answer_suite import AnswerSuite
from tests.integration.kernel.reserve_suite import BatchSuite, ReserveSuite
from tests.integration.kernel.restore_suite import RestoreSuite
from tests.integration.kernel.settle_suite import MoveSuite


class StockSuite(ReserveSuite, BatchSuite, MoveSuite, AnswerSuite, RestoreSuite):
    """All of it; a subclass brings a `stock` fixture with nothing in it."""
