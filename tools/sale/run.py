"""A whole sale: calibrate, open, load, drain, audit, judge, draw."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from meshkit.db.engine import database
from meshkit.identity import TokenIssuer
from meshkit.money import from_minor
from meshkit.redis_client import redis_pool
from meshkit.settings import ProcessSettings
from peakmesh.ops.v1.ops_service_pb2 import Product, Sale
from tools.sale.calibrate import SHARE, SURGE_WITHIN, calibrated_rate
from tools.sale.crowd import Crowd
from tools.sale.history import read
from tools.sale.kept import KEPT, forget_old_sales, running
from tools.sale.load import buyers, split
from tools.sale.operator import Operator, operating
from tools.sale.origin import origin
from tools.sale.picture import draw
from tools.sale.redis_memory import sale_order_parts
from tools.sale.report import write_report
from tools.sale.rows import settled_orders
from tools.sale.schedule import Curve, Flat, Surge, arrivals
from tools.sale.seller import seller_figures, seller_of
from tools.sale.server_times import quantiles_ms, read_buckets
from tools.sale.shape import DRAIN_SHARE, Shape
from tools.sale.verdict import BODY, AuditLines, judge
from tools.sale.watch import Sample, Watch

# (sale_id, the clients' histories) → a line an invariant.
Audit = Callable[[str, Sequence[Path]], Awaitable[AuditLines]]
PRODUCT = Product(
    sku="flash-phone", name="Flash phone", unit_price=from_minor(49_900, "EUR"), weight_grams=450, seller_id="peakmesh"
)
LEAD_SECONDS = 1.5
AUDIT_WITHIN = 20.0


@dataclass
class Surroundings:
    """What a run is given from outside: the audit, the pace of order_worker (None: its default), and where to tell.

    `say` a sentence, `show` a sample.
    """

    audit: Audit
    pace: Callable[[float | None], None]
    say: Callable[[str], None]
    show: Callable[[Sample], None]


@dataclass(frozen=True)
class Sold:
    """What a sale has left when its last buyer was answered and its last order ended. `checkout_ms`: by quantile.
    `order_bytes`: of Redis, by what they are for."""

    watch: Watch
    histories: list[Path]
    checkout_ms: Mapping[str, float | None]
    order_bytes: Mapping[str, int]


@dataclass
class SaleRun:
    settings: ProcessSettings
    shape: Shape
    around: Surroundings
    issuer: TokenIssuer = field(init=False)

    def __post_init__(self) -> None:
        self.issuer = TokenIssuer(self.settings.identity_dir)

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.settings.ports['gateway']}"

    async def __call__(self) -> dict[str, Any]:
        """The verdict; `<run_dir>/sales/<sale_id>` gets it as verdict.json, beside peak.png and report.html."""
        async with operating(self.settings) as operator, database(self.settings.database, pool_size=2) as engine:
            sku = self.shape.sku or await self._product(operator)
            rate = self.shape.rate or await self._calibrate(operator, engine, sku)
            drain_rate = self.shape.drain_rate or round(rate * DRAIN_SHARE, 1)
            asked = {"shape": self.shape.curve.value, "rate": round(rate, 1), "drain_rate": drain_rate}
            try:
                await asyncio.to_thread(self.around.pace, drain_rate)
                return await self._sale(operator, engine, sku, self._crowd(rate), asked)
            finally:
                await asyncio.to_thread(self.around.pace, None)

    async def _sale(
        self, operator: Operator, engine: AsyncEngine, sku: str, crowd: Surge | Flat, asked: Mapping[str, Any]
    ) -> dict[str, Any]:
        sale = await operator.open_sale(sku, self.shape.units, 1)
        folder = self.settings.run_dir / "sales" / sale.sale_id
        folder.mkdir(parents=True)
        taps = f"{crowd.buyers} buyers in {crowd.seconds:.0f} s, {crowd.peak:.0f} taps a second at the peak"
        words = f"{self.shape.units} units, {taps}, drained at {asked['drain_rate']:.0f} a second"
        self.around.say(f"{sale.sale_id}: {words}")
        with running(folder):
            try:
                sold = await self._sold(engine, sale, crowd, folder, asked["drain_rate"])
            finally:
                # After Ctrl-C too: a sale left open would go on selling to nobody's knowledge.
                await operator.close_sale(sale.sale_id)
            verdict = await self._judged(engine, sku, sold, asked)
            _keep(folder, verdict, sold.watch)
            return verdict

    async def _sold(
        self, engine: AsyncEngine, sale: Sale, crowd: Surge | Flat, folder: Path, drain_rate: float
    ) -> Sold:
        before = await read_buckets(self.settings)
        watch, histories, order_bytes = await self._sell(engine, sale, crowd, folder)
        after = await read_buckets(self.settings)
        await self._drain(watch, drain_rate)
        return Sold(watch, histories, quantiles_ms(before, after, BODY), order_bytes)

    async def _judged(self, engine: AsyncEngine, sku: str, sold: Sold, asked: Mapping[str, Any]) -> dict[str, Any]:
        self.around.say("auditing …")
        sale_id = sold.watch.sale_id
        audit = await self._audited(sale_id, sold.histories)
        verdict = judge(
            sale_id=sale_id,
            units=self.shape.units,
            history=read(sold.histories),
            samples=sold.watch.samples,
            times=await settled_orders(engine, sale_id),
            audit=audit,
            asked=asked,
            checkout_ms=sold.checkout_ms,
            origin=origin(),
        )
        memory = sold.order_bytes
        verdict["redis_bytes_an_order"] = {"all": round(sum(memory.values()))} | dict(memory)
        seller = await seller_of(engine, sku)
        verdict["seller"] = await seller_figures(self.target, self.issuer, seller, sku, sold.watch.started)
        return verdict

    def _crowd(self, rate: float) -> Surge | Flat:
        if self.shape.curve is Curve.FLAT:
            return Flat(self.shape.buyers, rate)
        # Who names a rate gets the whole tail of it.
        return Surge(self.shape.buyers, rate, None if self.shape.rate else SURGE_WITHIN)

    async def _drain(self, watch: Watch, drain_rate: float) -> None:
        """What does not end in time is judged as it stands then."""
        accepted = watch.crowd.counts["accepted"]
        self.around.say(f"{accepted} accepted; waiting for the last of them to end …")
        try:
            await watch.drained(accepted, 60 + 2 * accepted / drain_rate, self.around.show)
        except TimeoutError:
            self.around.say("the drain took too long; judging what is there")

    async def _product(self, operator: Operator) -> str:
        await operator.import_catalog([PRODUCT])
        return PRODUCT.sku

    async def _calibrate(self, operator: Operator, engine: AsyncEngine, sku: str) -> float:
        self.around.say("calibrating: two seconds as fast as answers come …")
        folder = self.settings.run_dir / "calibration"
        folder.mkdir(exist_ok=True)
        processes = self.shape.processes
        most = await calibrated_rate(operator, engine, self.issuer, self.target, sku, processes, folder)
        return SHARE[self.shape.curve] * most

    async def _sell(
        self, engine: AsyncEngine, sale: Sale, taps: Surge | Flat, folder: Path
    ) -> tuple[Watch, list[Path], Mapping[str, int]]:
        """Sends the crowd and samples until every buyer has a final answer. Besides: what an order took of Redis."""
        times = arrivals(taps, self.shape.seed)
        people = buyers(self.issuer, sale.sale_id, times, self.shape.vouchers, self.shape.seed)
        start = time.time() + LEAD_SECONDS
        crowd, sold_out = Crowd(folder), asyncio.Event()
        watch = Watch(engine, sale.sale_id, crowd, start)
        specs = split(self.target, sale, people, start, self.shape.processes, folder)

        def show(sample: Sample) -> None:
            self.around.show(sample)
            if sample.accepted >= self.shape.units:
                sold_out.set()

        watching = asyncio.create_task(watch.run(show))
        measuring = asyncio.create_task(self._order_bytes(engine, sale.sale_id, sold_out))
        try:
            await crowd.run(specs)
            sold_out.set()
            return watch, [Path(spec.history) for spec in specs], await measuring
        finally:
            watching.cancel()
            measuring.cancel()
            await asyncio.wait([watching, measuring])

    async def _order_bytes(self, engine: AsyncEngine, sale_id: str, sold_out: asyncio.Event) -> Mapping[str, int]:
        """As soon as all is sold: when the crowd is over most orders have ended, and an ended one has no deadline."""
        await sold_out.wait()
        async with redis_pool(self.settings.redis) as redis:
            return await sale_order_parts(engine, redis, sale_id)

    async def _audited(self, sale_id: str, histories: Sequence[Path]) -> AuditLines:
        """Offsets are committed, and Redis follows, a moment after the last row: so it may ask again for a while."""
        until = time.monotonic() + AUDIT_WITHIN
        while True:
            lines = await self.around.audit(sale_id, histories)
            good = all(line["verdict"] in ("holds", "not_applicable") for line in lines)
            if good or time.monotonic() > until:
                return lines
            await asyncio.sleep(0.5)


def _keep(folder: Path, verdict: Mapping[str, Any], watch: Watch) -> None:
    samples = [sample for sample in watch.samples if sample.at >= 0]
    (folder / "verdict.json").write_text(json.dumps(verdict, indent=2) + "\n")
    (folder / "samples.json").write_text(json.dumps([asdict(sample) for sample in samples]))
    draw(samples, verdict, folder / "peak.png")
    write_report(folder)
    forget_old_sales(folder.parent, KEPT)
