"""A governor that dies in the middle of a call."""

import asyncio
import os
import sys

import pytest

from governor.settings import Settings
from meshkit.errors import PeakmeshError
from tests.integration.governor.operators import Desk, desk_at
from tests.polling import eventually
from tools.devstack.spec import ROOT


async def ask_and_die(settings: Settings, point: str, method: str, request: object) -> None:
    """Asks a governor process that dies at `point` of that very call."""
    environment = os.environ | {
        "PEAKMESH_CRASH_AT": point,
        "PEAKMESH_PORT_BASE": str(settings.port_base),
        "PEAKMESH_RUN_DIR": str(settings.run_dir),
        "PEAKMESH_REDIS_URL": settings.redis,
        "PEAKMESH_DB_URL": settings.database,
        "PEAKMESH_KAFKA_BOOTSTRAP": settings.kafka,
        "PEAKMESH_GOVERNOR_HEAL_SECONDS": "300",
        "PEAKMESH_GOVERNOR_DRY_RUN": "true",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "generated" / "python")]),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "governor", env=environment, cwd=ROOT)
    try:
        async with desk_at(settings, settings.ports["governor"]) as desk:
            await eventually(lambda: serves(desk), within=20)
            with pytest.raises(PeakmeshError):
                await desk.ask(method, request)
        assert await asyncio.wait_for(process.wait(), 10) == 137
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def serves(desk: Desk) -> bool:
    try:
        await desk.sale("sale-none")
    except PeakmeshError as error:
        return error.reason == "SALE_NOT_FOUND"
    return False
