"""How much this machine takes: a short closed loop on a sale of its own, in which every tap is accepted."""

import time
from dataclasses import replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.identity import TokenIssuer
from tools.sale.crowd import Crowd
from tools.sale.history import read
from tools.sale.load import buyers, split
from tools.sale.operator import Operator
from tools.sale.schedule import Curve
from tools.sale.verdict import last_answers
from tools.sale.watch import Watch

# Accepted taps, since they cost the most: a loop of refusals would promise twice what the first seconds can take.
SECONDS, CONCURRENCY, BUYERS = 2.0, 16, 4_000
# A flat crowd stays where it is for the whole sale; a surge is at its peak for some seconds, in which the database has
# little to do.
SHARE = {Curve.FLAT: 0.5, Curve.SURGE: 0.8}
# What a flat crowd of 10,000 takes on two cores at rest: `make sale` is to take no longer than a minute and a half.
SURGE_WITHIN = 55.0
DRAINED_WITHIN = 60.0


async def calibrated_rate(
    operator: Operator, engine: AsyncEngine, issuer: TokenIssuer, target: str, sku: str, processes: int, folder: Path
) -> float:
    """Accepted taps a second that a closed loop reached. Returns once what it bought has ended, so that it costs the
    sale nothing. Raises TimeoutError where it does not end."""
    sale = await operator.open_sale(sku, BUYERS, 1)
    people = buyers(issuer, sale.sale_id, [0.0] * BUYERS, 0.0, 1)
    specs = split(target, sale, people, time.time(), processes, folder)
    crowd = Crowd(folder)
    try:
        await crowd.run([replace(spec, concurrency=CONCURRENCY, seconds=SECONDS) for spec in specs])
    finally:
        await operator.close_sale(sale.sale_id)
    history = read([Path(spec.history) for spec in specs])
    times = [entry["t"] for entry in history]
    rate = len(last_answers(history)) / max(float(max(times) - min(times)), 0.1)
    watch = Watch(engine, sale.sale_id, crowd, time.time())
    await watch.drained(crowd.counts["accepted"], DRAINED_WITHIN, lambda _: None)
    return rate
