"""`python -m tools.bench redis-memory [--orders N]`: bytes of Redis an open order takes, on a server of its own."""

import argparse
import asyncio

from kernel.stock.keys import ORDER_BYTES
from tools.bench.redis_memory import measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("what", choices=["redis-memory"])
    parser.add_argument("--orders", type=int, default=20_000, help="orders reserved (default: 20,000)")
    options = parser.parse_args()
    found = asyncio.run(measure(options.orders))
    print(
        f"{found.least_bytes:.0f} to {found.most_bytes:.0f} bytes an open order (limit {ORDER_BYTES}), most with "
        f"{found.most_at} of them; {found.outbox_bytes:.0f} more in the outbox, {found.hold_bytes:.0f} more with a "
        "voucher that has limits"
    )
    orders, at_end = list(found.open_bytes.items())[-1]
    print(f"with {orders}: {at_end:.0f}, " + ", ".join(f"{name} {size:.0f}" for name, size in found.parts.items()))
    return 0 if found.most_bytes <= ORDER_BYTES else 1


if __name__ == "__main__":
    raise SystemExit(main())
