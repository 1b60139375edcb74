"""What the interceptor costs a call: `python -m tests.unit.meshkit.bench_edge`. Nothing is sent or verified."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from meshkit.rpc.edge import Access, AtOnce, Edge

CALLS, ROUNDS = 20_000, 7
METADATA = (
    ("x-request-id", "018f2b5e-0000-7000-8000-000000000001"),
    ("x-peakmesh-criticality", "CORE"),
    ("x-peakmesh-timeout-ms", "3000"),
    ("authorization", "Bearer x"),
)
CONTEXT: Any = SimpleNamespace(invocation_metadata=lambda: METADATA, time_remaining=lambda: 2.5)


async def wrapped() -> Any:
    async def nothing(request: Any, _context: Any) -> Any:
        return request

    async def found(_details: Any) -> Any:
        return SimpleNamespace(
            request_deserializer=bytes, response_serializer=bytes, response_streaming=False, unary_unary=nothing
        )

    edge = Edge(Access(), AtOnce(100))
    handler = await edge.intercept_service(found, SimpleNamespace(method="/peakmesh.test.v1.Bench/Call"))
    return handler.unary_unary


async def seconds_a_call(handle: Any) -> float:
    """The best of some rounds: what else runs on the machine only ever adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(CALLS):
            await handle(b"", CONTEXT)
        best = min(best, time.process_time() - started)
    return best / CALLS


async def main() -> None:
    print(f"{await seconds_a_call(await wrapped()) * 1e6:.2f} µs of CPU a call")


if __name__ == "__main__":
    asyncio.run(main())
