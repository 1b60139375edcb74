"""`python -m tools.sale.generator SPEC.json`: a load generator process; prints its counts as JSON lines."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from meshkit.rpc.client import channel
from peakmesh.checkout.v1 import checkout_service_pb2_grpc as rpc
from tools.sale.buyer import buy
from tools.sale.history import History
from tools.sale.spec import Buyer, LoadSpec

# One HTTP/2 connection carries 100 streams at a time; four spread the load over Envoy's buffers.
CHANNELS = 4
REPORT_SECONDS = 0.25


async def generate(spec: LoadSpec) -> None:
    channels = [channel(spec.target) for _ in range(CHANNELS)]
    stubs: list[Any] = [rpc.CheckoutServiceStub(each) for each in channels]
    try:
        await asyncio.gather(*[asyncio.wait_for(each.channel_ready(), spec.reached_within) for each in channels])
        with History(Path(spec.history)) as history:
            reporting = asyncio.create_task(_report(history))
            await (_closed_loop(spec, stubs, history) if spec.concurrency else _open_loop(spec, stubs, history))
            reporting.cancel()
            _say(history)
    finally:
        await asyncio.gather(*[each.close() for each in channels])


async def _open_loop(spec: LoadSpec, stubs: list[Any], history: History) -> None:
    """Each buyer at their time, whatever became of those before."""
    async with asyncio.TaskGroup() as crowd:
        for number, buyer in enumerate(spec.buyers):
            scheduled = spec.start + buyer.at
            wait = scheduled - time.time()
            if wait > 0:
                await asyncio.sleep(wait)
            crowd.create_task(buy(stubs[number % CHANNELS].PlaceOrder, spec, buyer, scheduled, history))


async def _closed_loop(spec: LoadSpec, stubs: list[Any], history: History) -> None:
    """For the calibration alone: as fast as answers come, for `seconds`."""
    queue, until = iter(spec.buyers), time.time() + spec.seconds

    async def worker(buyers: Iterator[Buyer], place_order: Any) -> None:
        for buyer in buyers:
            if time.time() > until:
                return
            await buy(place_order, spec, buyer, time.time(), history)

    workers = [worker(queue, stubs[number % CHANNELS].PlaceOrder) for number in range(spec.concurrency)]
    await asyncio.gather(*workers)


async def _report(history: History) -> None:
    while True:
        _say(history)
        await asyncio.sleep(REPORT_SECONDS)


def _say(history: History) -> None:
    print(json.dumps(history.counts), flush=True)


if __name__ == "__main__":
    uvloop.run(generate(LoadSpec.read(Path(sys.argv[1]))))
