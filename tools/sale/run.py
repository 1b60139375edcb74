"""A whole sale: calibrate, open, load, drain, audit, judge, draw."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel import schema
from kernel.order_states import OrderState
from meshkit.db.engine import database
from meshkit.identity import TokenIssuer
from meshkit.money import from_minor
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1.ops_service_pb2 import Product, Sale
from tools.sale.calibrate import calibrated_rate
from tools.sale.crowd import Crowd
from tools.sale.history import read
from tools.sale.load import buyers, split
from tools.sale.operator import Operator, operating
from tools.sale.origin import origin
from tools.sale.picture import draw
from tools.sale.schedule import arrivals
from tools.sale.shape import Shape
from tools.sale.verdict import judge
from tools.sale.watch import Sample, Watch

# (sale_id, the clients' histories) → each invariant's verdict.
Audit = Callable[[str, Sequence[Path]], Awaitable[Mapping[str, str]]]
PRODUCT = Product(
    sku="flash-phone", name="Flash phone", unit_price=from_minor(49_900, "EUR"), weight_grams=450, seller_id="peakmesh"
)
LEAD_SECONDS = 1.5
AUDIT_WITHIN = 20.0


@dataclass
class Listener:
    """How a run tells what it does: `say` a sentence, `show` a sample."""

    say: Callable[[str], None]
    show: Callable[[Sample], None]


@dataclass
class SaleRun:
    settings: ProcessSettings
    shape: Shape
    audit: Audit
    listener: Listener
    issuer: TokenIssuer = field(init=False)

    def __post_init__(self) -> None:
        self.issuer = TokenIssuer(self.settings.identity_dir)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.settings.ports['gateway']}"

    async def __call__(self) -> dict[str, Any]:
        """The verdict, also written to `<run_dir>/sales/<sale_id>/verdict.json` beside `peak.png`."""
        async with operating(self.settings) as operator, database(self.settings.database, pool_size=2) as engine:
            sku = self.shape.sku or await self._product(operator)
            rate = self.shape.rate or await self._calibrate(operator, sku)
            sale = await operator.open_sale(sku, self.shape.units, 1)
            folder = self.settings.run_dir / "sales" / sale.sale_id
            folder.mkdir(parents=True)
            self.listener.say(f"{sale.sale_id}: {self.shape.units} units, {self.shape.buyers} buyers, {rate:.0f}/s")
            watch, histories = await self._sell(engine, sale, rate, folder)
            accepted = watch.crowd.counts["accepted"]
            self.listener.say(f"{accepted} accepted; draining at {self.shape.drain_rate:.0f}/s …")
            within = 60 + 2 * accepted / self.shape.drain_rate
            await watch.drained(accepted, within, self.listener.show)
            await operator.close_sale(sale.sale_id)
            self.listener.say("drained; auditing …")
            verdicts = await self._audited(sale.sale_id, histories)
            verdict = judge(
                sale_id=sale.sale_id,
                units=self.shape.units,
                history=read(histories),
                samples=watch.samples,
                settled_ms=await _settled(engine, sale.sale_id),
                audit=verdicts,
                origin=origin(),
            )
        self._keep(folder, verdict, watch)
        return verdict

    async def _product(self, operator: Operator) -> str:
        await operator.import_catalog([PRODUCT])
        return PRODUCT.sku

    async def _calibrate(self, operator: Operator, sku: str) -> float:
        folder = self.settings.run_dir / "calibration"
        folder.mkdir(exist_ok=True)
        rate = await calibrated_rate(operator, self.issuer, self.target, sku, folder)
        self.listener.say(f"calibrated: this machine is asked for {rate:.0f} taps a second")
        return rate

    async def _sell(self, engine: AsyncEngine, sale: Sale, rate: float, folder: Path) -> tuple[Watch, list[Path]]:
        """Sends the crowd and samples until every buyer has a final answer."""
        times = arrivals(self.shape.buyers, rate, self.shape.seed)
        people = buyers(self.issuer, sale.sale_id, times, self.shape.vouchers, self.shape.seed)
        start = time.time() + LEAD_SECONDS
        crowd = Crowd(folder)
        watch = Watch(engine, sale.sale_id, crowd, start)
        specs = split(self.target, sale, people, start, self.shape.processes, folder)
        watching = asyncio.create_task(watch.run(self.listener.show))
        try:
            await crowd.run(specs)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
        return watch, [Path(spec.history) for spec in specs]

    async def _audited(self, sale_id: str, histories: Sequence[Path]) -> Mapping[str, str]:
        """Offsets are committed, and Redis follows, a moment after the last row: so it may ask again for a while."""
        until = time.monotonic() + AUDIT_WITHIN
        while True:
            verdicts = await self.audit(sale_id, histories)
            if set(verdicts.values()) <= {"holds", "not_applicable"} or time.monotonic() > until:
                return verdicts
            await asyncio.sleep(0.5)

    def _keep(self, folder: Path, verdict: Mapping[str, Any], watch: Watch) -> None:
        (folder / "verdict.json").write_text(json.dumps(verdict, indent=2) + "\n")
        title = (
            f"{verdict['sale_id']}: {verdict['offered']:,} taps on {verdict['units']:,} units,"
            f" drained at {verdict['drain_rate']:.0f} a second"
        )
        draw([sample for sample in watch.samples if sample.at >= 0], title, folder / "peak.png")


async def _settled(engine: AsyncEngine, sale_id: str) -> dict[str, int]:
    orders = schema.orders.c
    query = select(orders.order_id, orders.updated_ms).where(
        orders.sale_id == sale_id, orders.state == OrderState.TO_SHIP
    )
    async with engine.connect() as connection:
        return {row.order_id: row.updated_ms for row in await connection.execute(query)}
