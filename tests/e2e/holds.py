"""What every end-to-end test of a sale ends with: the audit, with what the buyers were told as its history."""

import json
from pathlib import Path

from tests.e2e.shop import OpenSale, Shop
from tests.polling import eventually
from tools.audit.report import Verdict
from tools.audit.run import run_audit


async def assert_audit_holds(shop: Shop, sale: OpenSale, queued: list[str], folder: Path) -> None:
    """Every invariant, with what the buyers were told as history; the lag may need a moment to be committed."""
    history = folder / "history.jsonl"
    lines = [json.dumps({"type": "ok", "outcome": "QUEUED", "order_id": order_id}) for order_id in queued]
    history.write_text("\n".join(lines))
    told: list[str] = []

    async def holds() -> bool:
        report = await run_audit(shop.settings, sale.sale_id, [history])
        told[:] = [f"{line.invariant} {line.verdict}: {line.detail}" for line in report.lines]
        return all(line.verdict is Verdict.HOLDS for line in report.lines)

    try:
        await eventually(holds, within=20, every=0.5)
    except AssertionError:
        raise AssertionError("\n".join(told)) from None
