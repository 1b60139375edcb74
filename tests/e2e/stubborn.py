"""A client that asks until it knows, and the audit asked until the last offset is committed."""

import json
from pathlib import Path

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from tests.e2e.shop import OpenSale, Shop
from tests.polling import eventually
from tools.audit.report import Verdict
from tools.audit.run import run_audit


async def persist(shop: Shop, user: str, sale: OpenSale) -> tuple[str, list[int]]:
    """Buys as a stubborn client does: the same request_id until QUEUED. Returns the order and every answer."""
    request = shop.request(sale)
    answers: list[int] = []
    order_ids: set[str] = set()

    async def queued() -> bool:
        try:
            answer = await shop.send(user, request, timeout=5)
        except (DependencyUnavailable, DeadlinePassed):
            return False
        answers.append(answer.acceptance)
        order_ids.add(answer.order_id)
        return answer.acceptance == checkout.ACCEPTANCE_QUEUED

    await eventually(queued, within=60, every=0.3)
    assert len(order_ids) == 1
    return order_ids.pop(), answers


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
