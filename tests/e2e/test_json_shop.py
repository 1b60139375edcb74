"""A buyer's whole way over JSON, with nothing but HTTP: search, cart, checkout, watch to TO_SHIP, list, cancel."""

import asyncio
import json
from typing import Any
from urllib.request import Request, urlopen
from uuid import uuid4

from meshkit.identity import Role
from tests.e2e.shop import Shop
from tests.json_client import JsonAnswer, ask
from tests.polling import eventually

ADDRESS = {
    "recipient": "Ana",
    "street": "High Street 1",
    "city": "Berlin",
    "postal_code": "10115",
    "country_code": "DE",
}


def lines(url: str, token: str) -> list[dict[str, Any]]:
    """A stream to its end: one JSON object a line."""
    request = Request(url, headers={"authorization": f"Bearer {token}"})  # noqa: S310
    with urlopen(request, timeout=30) as answer:  # noqa: S310
        return [json.loads(line) for line in answer if line.strip()]


async def test_from_search_to_cancel(shop: Shop) -> None:
    base, token = (
        f"http://127.0.0.1:{shop.settings.ports['gateway']}/v1",
        shop.issuer.issue(f"ana-{uuid4().hex[:8]}", Role.BUYER),
    )
    sale = await shop.open_sale(units=3)

    async def say(verb: str, path: str, body: Any = None) -> JsonAnswer:
        return await ask(f"{base}{path}", token, verb, body)

    async def can_be_bought() -> bool:
        found = (await say("GET", f"/products:search?query={sale.sku}")).body
        return bool(found) and [each["sale_id"] for each in found.get("products", [])] == [sale.sale_id]

    await eventually(can_be_bought)
    line = {"sale_id": sale.sale_id, "sku": sale.sku, "quantity": 1, "request_id": str(uuid4())}
    added = await say("POST", "/cart/items", line)
    assert (added.status, added.body["cart"]["lines"][0]["sku"]) == (200, sale.sku), added
    bought = await say("POST", "/cart:checkout", {"request_id": str(uuid4()), "shipping_address": ADDRESS})
    assert bought.status == 200, bought
    order_id = bought.body["lines"][0]["order"]["order_id"]
    told = await asyncio.to_thread(lines, f"{base}/orders/{order_id}:watch", token)
    assert told[-1]["order"]["state"] == "ORDER_STATE_TO_SHIP"
    assert [each["order_id"] for each in (await say("GET", "/orders")).body["orders"]] == [order_id]
    cancel = {"request_id": str(uuid4()), "reason": "changed my mind"}
    cancelled = await say("POST", f"/orders/{order_id}:cancel", cancel)
    assert cancelled.status == 200, cancelled

    async def refunded() -> bool:
        state: str = (await say("GET", f"/orders/{order_id}")).body["order"]["state"]
        return state == "ORDER_STATE_REFUNDED"

    await eventually(refunded, within=20)
    assert (await shop.offer(sale)).database.available == 3
