"""`python -m tests.integration.envoy.hanging_server PORT`: healthy, takes calls, never answers."""

import asyncio
import sys

from tests.integration.envoy.mesh import never, upstream


async def hang(port: int) -> None:
    async with upstream(port, never):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(hang(int(sys.argv[1])))
