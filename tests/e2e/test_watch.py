"""`sale show --watch` as an operator sees it: a line a second, and Ctrl-C is its usual end."""

import asyncio
import json
import os
import signal
import sys

from tests.e2e.shop import Shop


async def test_the_watch_tells_what_is_sold_and_ends_at_ctrl_c(shop: Shop) -> None:
    sale = await shop.open_sale(units=5)
    command = (sys.executable, "-m", "tools.cli", "sale", "show", sale.sale_id, "--watch", "--json")
    pipe = asyncio.subprocess.PIPE
    watching = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=os.environ | {})
    assert watching.stdout is not None
    try:
        first = json.loads(await asyncio.wait_for(watching.stdout.readline(), 30))
        assert (first["sale_id"], first["state"]) == (sale.sale_id, "OPEN")
        assert (first["offers"][0]["available"], first["offers"][0]["in_sql"]) == (5, 0)
        await shop.place("ana", sale)
        async with asyncio.timeout(20):
            seen = first
            while seen["offers"][0]["in_sql"] != 1:
                seen = json.loads(await watching.stdout.readline())
        assert seen["offers"][0]["available"] == 4
        watching.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(watching.communicate(), 10)
        assert (watching.returncode, err) == (0, b"")
        assert b"Traceback" not in out
    finally:
        if watching.returncode is None:
            watching.kill()
            await watching.wait()
