"""A buyer's whole way with curl, as the README tells it: its own lines, run by bash, with the port alone changed."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from meshkit.identity import Role
from tests.e2e.shop import Shop
from tests.json_client import ask
from tests.polling import eventually
from tools.devstack.spec import ROOT

BEGINS = "A buyer's whole way, with curl;"
PORT = "localhost:8080/"


def block() -> str:
    """The indented lines that follow BEGINS."""
    _, found = (ROOT / "README.md").read_text().split(BEGINS)
    lines = found.splitlines()[1:]
    first = next(number for number, line in enumerate(lines) if line.startswith("    "))
    return "\n".join(line[4:] for line in lines[first : lines.index("", first)])


async def run(script: str, folder: Path) -> str:
    """What it prints; fails with what it said where any of its lines failed."""
    path = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    shell = await asyncio.create_subprocess_exec(
        *("bash", "-euo", "pipefail", "-c", script),
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(shell.communicate(), 100)
    assert shell.returncode == 0, f"{err.decode()}\n{out.decode()}"
    return out.decode()


def objects(text: str) -> list[Any]:
    """The JSON objects in it, one after the other."""
    found, reader = [], json.JSONDecoder()
    while text := text.lstrip():
        value, end = reader.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


async def test_the_readmes_way_with_curl_ends_with_a_parcel(shop: Shop, tmp_path: Path) -> None:
    gateway = f"localhost:{shop.settings.ports['gateway']}/"
    script = block()
    assert script.count(PORT) == 2
    assert script.count("curl ") == 6
    await run("peakmesh up", tmp_path)  # the README's step before: with a small catalogue

    async def is_on_the_shelf() -> bool:
        url = f"http://{gateway}v1/products/flash-phone"
        return (await ask(url, shop.issuer.issue("ana", Role.BUYER))).status == 200

    await eventually(is_on_the_shelf)
    search, cart, checkout, *moves, cancel, page = objects(await run(script.replace(PORT, gateway), tmp_path))
    assert search["products"]
    assert [each["name"] for each in search["products"] if "phone" not in each["name"].lower()] == []
    assert [(line["sku"], line["quantity"]) for line in cart["cart"]["lines"]] == [("flash-phone", 1)]
    [line] = checkout["lines"]
    assert (line["sku"], line["order"]["acceptance"]) == ("flash-phone", "ACCEPTANCE_QUEUED")
    order_id = line["order"]["order_id"]
    assert {each["order"]["order_id"] for each in moves} == {order_id}
    assert moves[-1]["order"]["state"] == "ORDER_STATE_TO_SHIP"
    cancelled = cancel["order"]
    assert cancelled["order_id"] == order_id
    assert cancelled.get("cancelling") or cancelled["state"] == "ORDER_STATE_REFUNDED", cancelled
    assert page["openapi"].startswith("3.")
