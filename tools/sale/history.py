"""The clients' history, a JSON line for each call begun and each answer: what a client was told is a fact."""

import json
import time
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any


class History:
    """`type` is invoke, ok, fail, or info (outcome unknown: a time-out is no failure). Also counts for the progress."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", buffering=1 << 16)
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> "History":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, kind: str, buyer: str, request_id: str, **facts: Any) -> None:
        line = {"t": round(time.time(), 4), "type": kind, "buyer": buyer, "request_id": request_id, **facts}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")


def read(paths: list[Path]) -> list[dict[str, Any]]:
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]
