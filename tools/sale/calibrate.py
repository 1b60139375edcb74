"""How much this machine takes: a short closed loop on a sale of its own."""

import time
from dataclasses import replace
from pathlib import Path

from meshkit.identity import TokenIssuer
from tools.sale.crowd import Crowd
from tools.sale.history import read
from tools.sale.load import buyers, split
from tools.sale.operator import Operator
from tools.sale.verdict import last_answers

SECONDS, CONCURRENCY, BUYERS = 2.0, 32, 4_000
# Few units: what is accepted here must drain before the sale is judged, and a refusal costs checkout nearly the same.
UNITS = 50
SHARE = 0.4


async def calibrated_rate(operator: Operator, issuer: TokenIssuer, target: str, sku: str, folder: Path) -> float:
    """Arrivals a second that leave this machine room: SHARE of what a closed loop reached."""
    sale = await operator.open_sale(sku, UNITS, 1)
    crowd = buyers(issuer, sale.sale_id, [0.0] * BUYERS, 0.0, 1)
    [spec] = split(target, sale, crowd, time.time(), 1, folder)
    await Crowd(folder).run([replace(spec, concurrency=CONCURRENCY, seconds=SECONDS)])
    await operator.close_sale(sale.sale_id)
    history = read([Path(spec.history)])
    times = [entry["t"] for entry in history]
    return SHARE * len(last_answers(history)) / max(float(times[-1] - times[0]), 0.1)
