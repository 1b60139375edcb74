"""The crowd: load generator processes, their counts summed while they run."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.sale.spec import LoadSpec


class GeneratorError(Exception):
    """A load generator ended badly; the message has its last words."""


class Crowd:
    """Runs one process a spec; `counts` is what they reported last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._latest: list[dict[str, int]] = []

    @property
    def counts(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for each in self._latest:
            total.update(each)
        return total

    async def run(self, specs: Sequence[LoadSpec]) -> None:
        """Until every buyer has a final answer. Raises GeneratorError; the other generators are ended then."""
        self._latest = [{} for _ in specs]
        try:
            async with asyncio.TaskGroup() as group:
                for number, spec in enumerate(specs):
                    group.create_task(self._one(number, spec))
        except* GeneratorError as failed:
            first = failed.exceptions[0]
        else:
            return
        raise first

    async def _one(self, number: int, spec: LoadSpec) -> None:
        path = self._folder / f"load-{number}.json"
        spec.write(path)
        words = self._folder / f"load-{number}.err"
        with words.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tools.sale.generator",
                str(path),
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        try:
            counts: Any = process.stdout
            async for line in counts:
                self._latest[number] = json.loads(line)
            if await process.wait() != 0:
                raise GeneratorError(words.read_text(errors="replace").strip()[-500:])
        finally:
            path.unlink(missing_ok=True)
            if process.returncode is None:
                process.terminate()
                await process.wait()
