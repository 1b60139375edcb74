"""The thirteen invariants, in order."""

from tools.audit import money, orders, stock, vouchers
from tools.audit.check import Invariant

INVARIANTS = (
    Invariant("I1", "stock is conserved, and Redis and SQL agree", ("database", "buckets"), stock.conserved),
    Invariant("I2", "counters equal reservations; none leaked", ("database", "buckets"), stock.counted),
    Invariant("I3", "SQL counters equal the rows", ("database",), stock.snapshot),
    Invariant(
        "I4", "every order promised has its row", ("database", "log", "queued"), orders.kept, notes=orders.unjudged
    ),
    Invariant("I5", "every row was asked for", ("database", "log"), orders.no_phantoms, notes=orders.outlived),
    Invariant("I6", "every order ends", ("database",), orders.ended),
    Invariant("I7", "charged at most once, and only if paid", ("database", "journal"), money.charged_once),
    Invariant("I8", "the provider's ledger balances", ("journal",), money.balanced),
    Invariant("I9", "reservations follow the rows", ("database", "buckets"), stock.followed),
    Invariant("I10", "nobody has more than the limit", ("database",), stock.within_limit),
    Invariant(
        "I11",
        "nothing is left in outbox, queue or DLQ",
        ("database", "buckets", "log"),
        orders.drained,
        notes=orders.foreign,
    ),
    Invariant("I12", "charged what was owed", ("database", "journal"), money.priced),
    Invariant(
        "I13",
        "vouchers stay within budget",
        ("database", "vouchers"),
        vouchers.budgeted,
        vouchers.limited,
        vouchers.lost,
    ),
)
